"""The message IDs that were used under one ISAKMP SA: none is used twice, so that nothing can be replayed."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable

from ikevd.host.entropy import Entropy

MAX_MESSAGE_IDS = 4096
"""Of one peer, under all its ISAKMP SAs, some thirty octets each in the store: then those ISAKMP SAs are replaced that
have used more than their share."""
SHARE = MAX_MESSAGE_IDS // 8
AT_MOST = 2 * MAX_MESSAGE_IDS
"""Where a peer goes on under ISAKMP SAs that are being replaced: 256 kB in the store."""


class Tally:
    """How many are used under all ISAKMP SAs of one peer."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class MessageIds:
    """A set of 32-bit numbers, sorted: the peer chooses most of them, so they take no more room than they must."""

    __slots__ = ("_tally", "_used")

    def __init__(self, tally: Tally | None = None) -> None:
        self._used = array("I")
        self._tally = tally or Tally()

    def __len__(self) -> int:
        return len(self._used)

    def __contains__(self, message_id: int) -> bool:
        at = bisect_left(self._used, message_id)
        return at < len(self._used) and self._used[at] == message_id

    def fresh(self, entropy: Entropy) -> int:
        """One that is not used yet."""
        while True:
            message_id = int.from_bytes(entropy.octets(4), "big")
            if message_id and message_id not in self:
                return message_id

    def add(self, message_id: int) -> None:
        """It is used up."""
        if message_id not in self:
            self._used.insert(bisect_left(self._used, message_id), message_id)
            self._tally.count += 1

    def add_all(self, message_ids: Iterable[int]) -> None:
        """Many at once."""
        self._tally.count -= len(self._used)
        self._used = array("I", sorted({*self._used, *message_ids}))
        self._tally.count += len(self._used)

    def clear(self) -> None:
        """Their ISAKMP SA is gone."""
        self._tally.count -= len(self._used)
        self._used = array("I")

    @property
    def full(self) -> bool:
        """Is there room for no other?"""
        count = self._tally.count
        return count >= AT_MOST or (count >= MAX_MESSAGE_IDS and len(self._used) >= SHARE)
