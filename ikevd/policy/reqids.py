"""Our own range of reqids, leased by name: the number that ties a child to its SAs and policies in the kernel.

A name begins its search at a number of its own, so that whoever comes first matters only to the few names that meet:
a changed order of the file, or a lost store, changes no number of a child that stands in the kernel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from ikevd.errors import LimitReached
from ikevd.frozen import frozen
from ikevd.policy.connection import Connection
from ikevd.policy.digest import written
from ikevd.policy.identity import Identity

REQID_FIRST = 0x696B0000
REQID_LAST = 0x696BFFFF
"""65,536 of them, "ik" in ASCII; strongSwan and libreswan count from 1 and 16,384."""
TRIAL_REQID = REQID_LAST
"""For trial SAs (`kernel.trial`): no child gets it."""
LEASABLE = TRIAL_REQID - REQID_FIRST
CONTEXT = b"ikevd reqid 1"


@frozen
class Holder:
    """Who has a number: a configured child or, where many peers share its connection, that child of one of them."""

    connection: str
    child: str
    identity: Identity | None = None
    instance: int = 0


class Reqids:
    """Who holds which number. No number has two holders, no holder two numbers."""

    __slots__ = ("_holders", "_numbers")

    def __init__(self) -> None:
        self._numbers: dict[Holder, int] = {}
        self._holders: dict[int, Holder] = {}

    @classmethod
    def of(cls, connections: Iterable[Connection]) -> Reqids:
        """Those of the configured children."""
        reqids = cls()
        for connection in connections:
            for child in connection.children:
                reqids.restore(Holder(connection.name, child.name), child.reqid)
        return reqids

    def __len__(self) -> int:
        return len(self._numbers)

    def lease(self, holder: Holder) -> int:
        """The number that the holder has, or else the first free one from its own on. Raises `LimitReached`."""
        if holder in self._numbers:
            return self._numbers[holder]
        if len(self) >= LEASABLE:
            raise LimitReached(f"all {LEASABLE} reqids are in use; this child gets none until another one ends")
        offset = _beginning(holder)
        while REQID_FIRST + offset in self._holders:
            offset = (offset + 1) % LEASABLE
        return self._hold(holder, REQID_FIRST + offset)

    def restore(self, holder: Holder, number: int) -> int:
        """As `lease`, but the number that the holder had in an earlier process, if nobody has it now."""
        free = holder not in self._numbers and number not in self._holders
        ours = REQID_FIRST <= number < REQID_FIRST + LEASABLE
        return self._hold(holder, number) if free and ours else self.lease(holder)

    def release(self, holder: Holder) -> None:
        """The holder has gone from the kernel; one that holds nothing is none of our business."""
        number = self._numbers.pop(holder, None)
        if number is not None:
            del self._holders[number]

    def holder(self, number: int) -> Holder | None:
        """Whose objects of the kernel bear this number."""
        return self._holders.get(number)

    def _hold(self, holder: Holder, number: int) -> int:
        self._numbers[holder], self._holders[number] = number, holder
        return number


def is_ours(number: int) -> bool:
    """Is it in our range?"""
    return REQID_FIRST <= number <= REQID_LAST


def _beginning(holder: Holder) -> int:
    """Of the holder's own number, from 0: from SHA-256 of its names, so that every process finds the same."""
    return int.from_bytes(hashlib.sha256(CONTEXT + written(holder)).digest()[:8]) % LEASABLE
