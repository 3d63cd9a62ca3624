"""The message IDs that were used under one ISAKMP SA: none is used twice, so that nothing can be replayed."""

from __future__ import annotations

from array import array
from bisect import bisect_left

MAX_MESSAGE_IDS = 65_536
"""Of one ISAKMP SA, four octets each; then it is replaced."""


class MessageIds:
    """A set of 32-bit numbers, sorted: the peer chooses most of them, so they take no more room than they must."""

    __slots__ = ("_used",)

    def __init__(self) -> None:
        self._used = array("I")

    def __len__(self) -> int:
        return len(self._used)

    def __contains__(self, message_id: int) -> bool:
        at = bisect_left(self._used, message_id)
        return at < len(self._used) and self._used[at] == message_id

    def add(self, message_id: int) -> None:
        """It is used up."""
        if message_id not in self:
            self._used.insert(bisect_left(self._used, message_id), message_id)

    @property
    def full(self) -> bool:
        """Is there room for no other?"""
        return len(self._used) >= MAX_MESSAGE_IDS
