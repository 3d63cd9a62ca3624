"""A ping that runs while something else happens; of a flood ping each packet that gets no answer is counted."""

from __future__ import annotations

import re
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from tests.eventually import eventually
from tests.interop.node import Node
from tests.output import written

INTERVAL = 0.01
LATE = 20
"""So many packets may overtake an answer."""
NUMBERS = 1 << 16
"""Then `ping` counts from 0 again."""


@contextmanager
def pinging(node: Node, address: str, *, interval: float) -> Iterator[None]:
    """From `node` to `address`; what gets no answer is not counted. `interval`: seconds between two packets."""
    command = node.command("ping", "-n", "-q", "-i", str(interval), address)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as ping:
        try:
            yield
        finally:
            ping.kill()


def counted_on(numbers: Iterable[int]) -> Iterator[int]:
    """The numbers of packets as they would be if none came twice: each is the one nearest to that before it."""
    last = 0
    for number in numbers:
        last += (number - last + NUMBERS // 2) % NUMBERS - NUMBERS // 2
        yield last


class FloodPing:
    """From `node` to `address`; a context manager, which ends it."""

    def __init__(self, node: Node, address: str, *, interval: float = INTERVAL, size: int = 56) -> None:
        """`interval`: seconds between two packets; `size`: octets in each."""
        self._command = node.command("ping", "-n", "-i", str(interval), "-s", str(size), address)
        self.missing: list[int] = []
        self.sent = 0
        """Up to the last look."""
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  (closed by __exit__)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=self._output, stderr=self._output)
        eventually(self._answered)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(10)
        self._output.close()

    def _answered(self) -> list[int]:
        """The numbers of the packets that came back; `ping` writes them out as they come."""
        return list(counted_on(int(number) for number in re.findall(rb"icmp_seq=(\d+) ttl", written(self._output))))

    def lost(self) -> int:
        """How many got no answer, up to one that is sent from now on; which ones: `missing`; of how many: `sent`.
        Of the last few it may still come: on a busy machine answers overtake one another."""
        newest = max(self._answered())
        answered = eventually(self._answered, lambda numbers: max(numbers) > newest + LATE)
        self.sent = max(answered) - LATE + 1
        self.missing = sorted({*range(1, self.sent + 1)} - {*answered})
        return len(self.missing)
