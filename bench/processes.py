"""A responder as a process of its own, and what it costs: CPU time of all its threads, and memory."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.sites import Place, Spoke, ikevd_yaml

READY_WITHIN = 120.0
"""Seconds; ten thousand connections take some to load."""
QUIET = 0.05
"""Seconds without CPU time after which a responder is done with what it was asked."""


class Responder:
    """A daemon under measurement: a context manager; `__enter__` returns once it answers."""

    name: str

    def __init__(self, place: Place) -> None:
        self.place = place
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """What to run."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Does it listen?"""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def cpu(self) -> float:
        """Seconds that all its threads have run, from the scheduler's own account."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def quiet_cpu(self) -> float:
        """The same, once it has come to rest."""
        before = self.cpu()
        while True:
            time.sleep(QUIET)
            now = self.cpu()
            if now - before < QUIET / 100:
                return now
            before = now

    def memory(self) -> int:
        """Resident octets of its own."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        found = re.search(r"^Rss:\s+(\d+) kB", rollup, re.MULTILINE)
        assert found
        return int(found[1]) * 1024

    def environment(self) -> dict[str, str]:
        """Of the process."""
        return dict(os.environ)

    def __enter__(self) -> Self:
        with (self.place.directory / "output").open("wb") as output:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self.environment()
            )
        deadline = time.monotonic() + READY_WITHIN
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise RuntimeError(f"{self.name} did not start\n{(self.place.directory / 'output').read_text()}")
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.kill()  # farewells to ten thousand tunnels are not measured
        self._process.wait()


class Ikevd(Responder):
    """The whole daemon as shipped, with the kernel in memory or, with `netlink`, that of this machine."""

    name = "ikevd"

    def __init__(
        self,
        place: Place,
        spokes: Iterable[Spoke],
        *,
        netlink: bool = False,
        profile: Path | None = None,
        settings: Sequence[str] = (),
    ) -> None:
        super().__init__(place)
        self._config = place.directory / "hub.yaml"
        self._config.touch(mode=0o600)
        self._config.write_text(ikevd_yaml(spokes, place, hub=True) + "".join(f"{line}\n" for line in settings))
        self._options = [*(["--netlink"] if netlink else []), *(["--profile", str(profile)] if profile else [])]

    def command(self) -> list[str]:
        """`bench.responder`: the daemon's own composition root."""
        return [sys.executable, "-m", "bench.responder", str(self._config), *self._options]

    def is_ready(self) -> bool:
        """The control socket is the last thing to be opened."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.place.directory / "control.sock")) == 0
