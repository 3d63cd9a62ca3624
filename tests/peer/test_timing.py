"""The delays fit one another."""

from __future__ import annotations

from ikevd.conversation.timing import FAREWELL, pauses
from ikevd.peer.timing import RETIRED_FOR, SAID_AFTER, backoff

LAST_COPY = sum(list(pauses(FAREWELL))[:-1])
"""Seconds after the first copy of a Delete that the last one leaves."""


def test_the_back_off_doubles_from_2_to_300_seconds() -> None:
    assert [backoff(failures) for failures in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10_000)] == [
        2, 4, 8, 16, 32, 64, 128, 256, 300, 300,
    ]  # fmt: skip


def test_an_isakmp_sa_lives_until_the_last_copy_of_its_delete_has_left() -> None:
    assert LAST_COPY < SAID_AFTER < RETIRED_FOR
