"""BIRD (without systemd) as the routing daemon of a gateway: one instance in one namespace."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.eventually import eventually
from tests.interop.node import Node, run
from tests.interop.peer import stop


class Bird:
    """With this configuration; a context manager. At its end its routes are gone."""

    def __init__(self, node: Node, configuration: str) -> None:
        self.node = node
        self._temporary = tempfile.TemporaryDirectory(prefix=f"bird-{node.name}-")
        self._directory = Path(self._temporary.name)
        self._control = self._directory / "control"
        (self._directory / "bird.conf").write_text(configuration)

    def __enter__(self) -> Self:
        words = ("/usr/sbin/bird", "-f", "-c", "bird.conf", "-s", str(self._control))
        with (self._directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                self.node.command(*words), cwd=self._directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            eventually(lambda: self._control.exists() or self._process.poll() is not None)
            assert self._process.poll() is None, f"BIRD did not start\n{self.log}"
        except AssertionError:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop(self._process)
        if error is not None:
            error.add_note(f"--- BIRD in {self.node.name}:\n{self.log[-3000:]}")
        self._temporary.cleanup()

    def ask(self, *words: str) -> str:
        """What `birdc` says."""
        return run("birdc", "-s", str(self._control), *words)

    @property
    def log(self) -> str:
        """What it printed."""
        return (self._directory / "log").read_text(errors="replace")
