"""The daemon as a process, as shipped but for the kernel, which is in memory: it needs no privilege.

`python -m tests.service.daemon CONFIG [KEY_LOG]` is `ikevd run`; its last lines tell which modules were loaded after
SIGUSR1, if that came, and what is left in the kernel.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ikevd.control.client import Client, ControlError
from ikevd.service.former_holder import find_holder
from tests.eventually import eventually
from tests.service.harness import ServiceManager

NOTHING_LEFT = "left in the kernel: 0 SAs, 0 policies"
LIMITED = 'ulimit -n "$1"; shift; exec "$@"'


def main() -> None:
    """Serve until it is told to stop."""
    from ikevd.cli.run import run_daemon
    from ikevd.daemon import Machine
    from ikevd.kernel.memory import MemoryKernel

    kernel = MemoryKernel()
    machine = Machine(lambda: nullcontext(kernel), lambda udp: None, lambda udp: None)
    config, *key_log = map(Path, sys.argv[1:])
    loaded = set[str]()
    signal.signal(signal.SIGUSR1, lambda *_: loaded.update(sys.modules))
    code = run_daemon(
        config=config,
        log_level=None,
        log_format="json",
        key_log=key_log[0] if key_log else None,
        loop=os.environ.get("LOOP", "uvloop"),
        machine=machine,
    )
    if loaded:
        print(f"loaded late: {sorted(sys.modules.keys() - loaded)}")
    print(f"left in the kernel: {len(kernel.sas)} SAs, {len(kernel.policies)} policies")
    raise SystemExit(code)


class Daemon:
    """One such process below a service manager, with all its files in one folder; a context manager."""

    def __init__(
        self,
        folder: Path,
        address: str = "127.0.0.1",
        peer: str = "127.0.0.2",
        port: int = 0,
        *,
        managed: bool = True,
    ) -> None:
        """`port` and the one above it are those of IKE and of NAT traversal, here and at the peer. Not `managed`: it
        hears of no service manager."""
        folder.mkdir()
        self._managed = managed
        self.folder = folder
        self.path = folder / "control.sock"
        self.client = Client(self.path)
        self.manager = ServiceManager(folder / "notify", watchdog=0.4)
        self._config = folder / "ikevd.yaml"
        self._config.touch(mode=0o600)
        self.configure(
            listen={"addresses": [address], "port": port, "nat_port": port + 1},
            control={"socket": str(self.path)},
            runtime_directory=str(folder / "run"),
            connections={
                "peer": {
                    "local": address,
                    "remote": peer,
                    "psk": "one long pre-shared key for both",
                    "children": {"lan": {"local": f"{address}/32", "remote": f"{peer}/32", "start": "manual"}},
                }
            },
        )

    def configure(self, **settings: object) -> None:
        """Replace these settings."""
        text = self._config.read_text()
        self._config.write_text(json.dumps({**(json.loads(text) if text else {}), **settings}))

    def __enter__(self) -> Self:
        self.manager.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.manager.__exit__(kind, error, trace)
        end_holder(self.runtime)
        if error is not None:
            error.add_note(f"--- {self.folder.name}:\n{self.log[-6000:]}")

    def launch(self, *, key_log: Path | None = None, descriptors: int = 1024) -> None:
        """Start it; it may have so many descriptors."""
        words: list[str | Path] = [
            sys.executable,
            "-m",
            "tests.service.daemon",
            self._config,
            *([key_log] if key_log else []),
        ]
        limited = ["env", *([] if self._managed else ["-u", "NOTIFY_SOCKET"]), "sh", "-c", LIMITED, "sh"]
        with (self.folder / "log").open("ab") as log:
            self.process = self.manager.start([*limited, str(descriptors), *words], stdout=log, stderr=log)

    def start(self, *, descriptors: int = 1024) -> None:
        """Start it and wait until it is ready."""
        self.launch(descriptors=descriptors)
        if self._managed:
            self.manager.expect("READY=1", within=30)
        else:
            eventually(self._answers)

    def _answers(self) -> bool:
        try:
            self.client.version()
        except ControlError:
            return False
        return True

    def kill(self) -> None:
        """As a crash would."""
        self.process.kill()
        self.process.wait()

    @property
    def runtime(self) -> Path:
        """Its runtime folder."""
        return self.folder / "run"

    @property
    def udp_sockets(self) -> set[str]:
        """What the kernel calls its UDP sockets: they are the same ones if this is the same."""
        return sockets_of(self.process.pid) & udp_inodes()

    def up(self) -> None:
        """Bring up the child."""
        *_, end = self.client.up("lan", 30)
        assert end["ok"], end

    def pairs(self) -> list[Any]:
        """The pairs of IPsec SAs that stand."""
        (connection,) = self.client.status()["connections"]
        return [pair for child in connection["children"] for pair in child["sas"]]

    @property
    def log(self) -> str:
        """All that it printed."""
        return (self.folder / "log").read_text(errors="replace")

    def held(self, count: int, octets: bytes = b"") -> ExitStack:
        """So many connections to its control socket, each of which says no more than `octets`."""
        stack = ExitStack()
        for _ in range(count):
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.connect(str(self.path))
            connection.send(octets)
        return stack


def end_holder(runtime: Path) -> None:
    """Of a daemon that was killed."""
    former = find_holder(runtime, print)
    if former is not None:
        former.end()
        for held in former.held:
            held.socket.close()


def sockets_of(pid: int) -> set[str]:
    """The inodes of the sockets that a process has open."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            link = os.readlink(entry)
        except FileNotFoundError:  # closed meanwhile
            continue
        if link.startswith("socket:"):
            found.add(link.removeprefix("socket:[").rstrip("]"))
    return found


def runs(pid: int) -> bool:
    """Is the process there? What waits to be reaped is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def udp_inodes() -> set[str]:
    """The inodes of all UDP sockets here that are bound."""
    tables = [Path(f"/proc/self/net/{table}").read_text().splitlines()[1:] for table in ("udp", "udp6")]
    return {line.split()[9] for table in tables for line in table}


def free_port() -> int:
    """A UDP port that is free, with the one above it, at all loopback addresses."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two,
        ):
            one.bind(("0.0.0.0", 0))
            port: int = one.getsockname()[1]
            try:
                two.bind(("0.0.0.0", port + 1))
            except OSError:
                continue
            return port


@contextmanager
def pair(folder: Path) -> Iterator[tuple[Daemon, Daemon]]:
    """Two that know one another; not started."""
    port = free_port()
    one = Daemon(folder / "one", "127.0.0.1", "127.0.0.2", port)
    two = Daemon(folder / "two", "127.0.0.2", "127.0.0.1", port)
    with one, two:
        yield one, two


if __name__ == "__main__":
    main()
