"""ikevd as a process in a namespace, driven as an operator would, by its command and its API."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from click.testing import CliRunner, Result

from ikevd.cli.main import main
from ikevd.control.client import Client
from tests.eventually import eventually
from tests.interop.forking import Forked, forker
from tests.interop.node import Node
from tests.plugins.secrets import shows_secret
from tests.service.daemon import end_holder
from tests.service.harness import Handed, ServiceManager

IKEVD = str(Path(sys.executable).with_name("ikevd"))
START = 180
"""Seconds until the API answers, by far: the first process in a guest compiles ikevd."""


class Ikevd:
    """One `ikevd run`; a context manager that ends it as Ctrl-C does, which takes everything down, and expects
    code 0."""

    def __init__(
        self,
        node: Node,
        configuration: str,
        *options: str,
        files: dict[str, str] | None = None,
        export_keys: bool = False,
        manager: ServiceManager | None = None,
        store: bool = False,
    ) -> None:
        """With a `manager` it runs below that, which holds its sockets over `kill` and the next `start`. With a `store`
        its files are in memory (/run), so that it keeps its peers there; elsewhere it refuses to."""
        self.node = node
        self._manager = manager
        self._export_keys = export_keys
        self._temporary = tempfile.TemporaryDirectory(prefix=f"ikevd-{node.name}-", dir="/run" if store else None)
        self.directory = Path(self._temporary.name)
        self.key_log = self.directory / "keys"
        self._socket = self.directory / "control.sock"
        for name, text in {"ikevd.yaml": configuration + self._settings(), **(files or {})}.items():
            path = self.directory / name
            path.touch(mode=0o600)
            path.write_text(text)
        self._options = ("--key-log", str(self.key_log), *options)
        self.code: int | None = None

    def _settings(self) -> str:
        keys = ", export_keys: true" if self._export_keys else ""
        return f"\ncontrol: {{socket: {self._socket}{keys}}}\nruntime_directory: {self.directory}/run\n"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._temporary.cleanup()
            raise
        return self

    def launch(self) -> None:
        """Start it."""
        with (self.directory / "log").open("ab") as output:
            environ = os.environ | {"NO_COLOR": "1"}
            start = partial(self._forked, output)
            self.process = start(environ) if self._manager is None else self._manager.begin(start, environ)
        self.client = Client(self._socket)

    def _forked(self, output: BinaryIO, environ: Mapping[str, str], handed: Handed = ()) -> Forked:
        words = ["run", "--config", str(self.directory / "ikevd.yaml"), *self._options]
        return forker().start(self.node.name, words, environ, output, handed)

    def start(self) -> None:
        """Start it and wait until it has started: gates and traps stand then, a moment after its API answers."""
        before = self._starts()
        self.launch()
        try:
            eventually(lambda: self._starts() > before or self.process.poll() is not None, within=START)
            assert self.process.poll() is None
        except AssertionError:
            self.stop(signal.SIGINT)
            raise AssertionError(f"ikevd did not start\n{self.log}") from None

    def _starts(self) -> int:
        return self.log.count("started version=") if (self.directory / "log").exists() else 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        code = self.stop(signal.SIGINT)
        log = self.log
        end_holder(self.directory / "run")
        self._temporary.cleanup()
        if error is not None:
            error.add_note(f"--- ikevd in {self.node.name}:\n{log[-6000:]}")
            return
        assert not shows_secret(log), "the pre-shared key stands in the log"
        assert code == 0, f"ikevd ended with code {code}\n{log}"

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """As the service manager does, or with another signal; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(6)
        except subprocess.TimeoutExpired as late:  # from which the failure follows that ended the test before
            self.kill()
            raise AssertionError(f"ikevd did not end within 6 s\n{self.log}") from late

    def kill(self) -> None:
        """As a crash would; its sockets are held for the next `start`."""
        self.process.kill()
        self.process.wait()
        if self._manager is not None:
            self._manager.settle()

    def command(self, *arguments: str) -> Result:
        """Run `ikevd …` against this daemon, as a function: a process takes a second or two in the guest."""
        return CliRunner(env={"NO_COLOR": "1"}).invoke(main, [*arguments, "--socket", str(self._socket)])

    def up(self, name: str) -> None:
        """`ikevd up`, which must succeed."""
        done = self.command("up", name)
        assert done.exit_code == 0, f"{done.output}\n{self.log}"

    def failing_up(self, name: str) -> str:
        """`ikevd up`, which must fail; the cause."""
        *_, end = self.client.up(name, 90)
        assert not end["ok"], self.log
        cause: str = end["cause"]
        return cause

    def status(self) -> dict[str, Any]:
        """`ikevd status --json`."""
        return self.client.status()

    @property
    def log(self) -> str:
        """All that it printed."""
        return (self.directory / "log").read_text(errors="replace")

    def keys(self) -> Sequence[str]:
        """The lines of its key log."""
        return self.key_log.read_text().splitlines()
