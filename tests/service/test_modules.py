"""All modules are loaded before READY, since an upgrade replaces their files under the running daemon."""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ikevd.control.client import Client, ControlError
from tests.service.daemon import NOTHING_LEFT, pair

pytestmark = pytest.mark.long  # starts daemons

PACKAGE = Path(__file__).resolve().parents[2] / "ikevd"
AFTER_START = [path for path in sorted(PACKAGE.rglob("*.py")) if "cli" not in path.relative_to(PACKAGE).parts]
"""The commands import what they need when they run; of them the daemon has `run` only, before it starts."""


def test_no_module_is_loaded_between_ready_and_the_end(tmp_path: Path) -> None:
    with pair(tmp_path) as (daemon, peer):
        daemon.start()
        daemon.process.send_signal(signal.SIGUSR1)
        peer.start()
        daemon.up()
        look_at_all(daemon.client)
        peer.up()
        list(daemon.client.down("lan", 30))
        daemon.up()
        assert daemon.client.reload()["ok"]
        list(daemon.client.rekey("lan", 30))
        list(daemon.client.reset("peer", 30))
        assert daemon.manager.stop(within=10) == 0
        assert daemon.log.splitlines()[-2:] == ["loaded late: []", NOTHING_LEFT]


def look_at_all(client: Client) -> None:
    """Whatever can be asked of a daemon."""
    client.version()
    client.names()
    client.status()
    client.trace(decode=True)
    client.capture()
    for refused in (client.keys, lambda: list(client.up("nobody", 5)), lambda: list(client.down("nobody", 5))):
        with pytest.raises(ControlError):
            refused()


def imported_in_functions(path: Path) -> Iterator[str]:
    for function in ast.walk(ast.parse(path.read_text())):
        for node in ast.walk(function) if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) else ():
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_what_functions_import_has_been_loaded_with_the_daemon() -> None:
    late = {name for path in AFTER_START for name in imported_in_functions(path)}
    assert "cryptography.x509" in late
    code = f"import ikevd.daemon, sys; print(sorted({late!r} - sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
