"""Repetitions: what was told answers the message last accepted, whenever it was told.

Every message of the exchange is remembered, not only the last one: under loss the peer may repeat any.
"""

from __future__ import annotations


class Duplicates:
    """Accepted datagrams with their labels and what was told after each."""

    def __init__(self) -> None:
        self._answers: dict[bytes, list[bytes]] = {}
        self._labels: dict[bytes, str] = {}
        self._last: bytes | None = None

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

    def answers(self, datagram: bytes) -> tuple[bytes, ...]:
        """What to send again when `datagram` is repeated."""
        return tuple(self._answers.get(datagram, ()))
