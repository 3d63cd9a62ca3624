"""Repetitions: what was told answers the message last accepted, whenever it was told.

Every message of the exchange is remembered, not only the last one: under loss the peer may repeat any.
"""

from __future__ import annotations

MAX_ANSWERS, PERIOD = 30, 10.0
"""So many repetitions are answered in so many seconds: more than a peer under loss sends, and too few to be a weapon
against whose address is forged."""


class Duplicates:
    """Accepted datagrams with their labels and what was told after each."""

    def __init__(self) -> None:
        self._answers: dict[bytes, list[bytes]] = {}
        self._labels: dict[bytes, str] = {}
        self._last: bytes | None = None
        self._period_began = float("-inf")
        self._answered = 0

    def accepted(self, datagram: bytes, label: str) -> None:
        """`datagram` was accepted; what is told from here on answers it."""
        self._answers[datagram] = []
        self._labels[datagram] = label
        self._last = datagram

    def told(self, answer: bytes) -> None:
        """Remember `answer` as told after the message last accepted."""
        if self._last is not None:
            self._answers[self._last].append(answer)

    def label(self, datagram: bytes) -> str | None:
        """The label under which `datagram` was accepted before, or None where it is new."""
        return self._labels.get(datagram)

    def answers(self, datagram: bytes, now: float) -> tuple[bytes, ...]:
        """What to send again when `datagram` is repeated."""
        answers = tuple(self._answers.get(datagram, ()))
        if now - self._period_began >= PERIOD:
            self._period_began, self._answered = now, 0
        if not answers or self._answered >= MAX_ANSWERS:
            return ()
        self._answered += 1
        return answers
