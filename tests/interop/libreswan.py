"""libreswan's pluto as a peer: one instance in one namespace, driven by `addconn` and `whack`.

Both are called directly: the `ipsec` command is a shell script, and a process is dear in the guest. For the same
reason the updown script is switched off; routes here do not depend on it.
"""

from __future__ import annotations

import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.eventually import PATIENCE, eventually
from tests.interop.node import CommandFailed, Node, run
from tests.interop.peer import PeerError, stop
from tests.interop.sites import SECRET, Site
from tests.matrix.algorithms import libreswan_ah, libreswan_esp, libreswan_ike

PROGRAMS = Path("/usr/libexec/ipsec")
CONNECTION = "peer"


def identity(text: str) -> str:
    """strongSwan's and ikevd's way of writing an identity in libreswan's: `keyid:group` is `@[group]`."""
    if text.startswith("keyid:"):
        return f"@[{text.removeprefix('keyid:')}]"
    is_fqdn = "@" not in text and not text.replace(".", "").isdigit() and ":" not in text
    return f"@{text}" if is_fqdn else text


def ipsec_conf(site: Site, **options: str) -> str:
    """The tunnel as /etc/ipsec.conf has it: libreswan makes a child of each network here with each one there."""
    local, remote = site.addresses
    local_id, remote_id = map(identity, site.identities)
    ours, theirs = (dict.fromkeys(nets) for nets in list(zip(*site.nets, strict=True))[1:])
    esp, pfs = libreswan_ah(site.esp) if site.protocol == "ah" else libreswan_esp(site.esp)
    words = {
        "ikev2": "no",
        "authby": "secret",
        "left": local,
        "leftid": local_id,
        **_subnets("left", tuple(ours)),
        "leftupdown": "%disabled",
        "right": remote,
        "rightid": remote_id,
        **_subnets("right", tuple(theirs)),
        "ike": libreswan_ike(site.ike),
        "phase2": site.protocol,
        "phase2alg": esp,
        "type": site.mode,
        "sha2-truncbug": "yes" if site.sha256_96 else "no",
        "compress": "yes" if site.ipcomp else "no",
        "pfs": "yes" if pfs else "no",
        "aggressive": "yes" if site.aggressive else "no",
        "ikelifetime": "1h",
        "rekey": "no",
        **options,
    }
    if site.mode == "transport":  # the ends themselves
        words = {key: value for key, value in words.items() if "subnet" not in key}
    return f"conn {CONNECTION}\n" + "".join(f"  {key}={value}\n" for key, value in words.items())


def _subnets(side: str, nets: tuple[str, ...]) -> dict[str, str]:
    """Where there are several, 4.10 drops without a word those of another IP version than the ends."""
    return {f"{side}subnet": nets[0]} if len(nets) == 1 else {f"{side}subnets": f"{{{' '.join(nets)}}}"}


class Libreswan:
    """One pluto in the namespace of `node`; a context manager."""

    def __init__(self, node: Node, secret: str = SECRET, *, may_crash: bool = False) -> None:
        self._may_crash = may_crash
        self.node = node
        self._temporary = tempfile.TemporaryDirectory(prefix=f"pluto-{node.name}-")
        self.directory = Path(self._temporary.name)
        self._log = self.directory / "pluto.log"
        self._control = self.directory / "run" / "pluto.ctl"
        for folder in ("nss", "run"):
            (self.directory / folder).mkdir()
        (self.directory / "ipsec.conf").write_text("config setup\n  ikev1-policy=accept\n")
        (self.directory / "ipsec.secrets").write_text(f': PSK "{secret}"\n')

    def __enter__(self) -> Self:
        run("certutil", "-N", "-d", f"sql:{self.directory}/nss", "--empty-password")
        self._start()
        return self

    def crash(self) -> None:
        """kill -9, and another one starts, of which the kernel has nothing as after a reboot. `configure` it anew."""
        self._process.kill()
        self._process.wait()
        for what in ("state", "policy"):
            self.node.ip("xfrm", what, "flush")
        for left in (self.directory / "run").iterdir():  # with its PID it would not start
            left.unlink()
        self._start()

    def _start(self) -> None:
        words = {
            "config": "ipsec.conf",
            "secretsfile": "ipsec.secrets",
            "nssdir": "nss",
            "rundir": "run",
        }
        options = [word for key, name in words.items() for word in (f"--{key}", str(self.directory / name))]
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                self.node.command(str(PROGRAMS / "pluto"), "--nofork", "--stderrlog", *options),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            eventually(lambda: "loading secrets from" in self.log or self._process.poll() is not None)
            assert self._process.poll() is None
        except AssertionError:
            stop(self._process)
            said = self.log
            self._temporary.cleanup()  # else whatever test is on when it is collected would fail of that
            raise PeerError(f"pluto did not start\n{said}") from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        crashed = self._process.poll() is not None
        code = stop(self._process)
        self._temporary.cleanup()
        ended_well = not crashed and code in (0, -signal.SIGSEGV)  # 4.10 has crashed while it ended, with all done
        assert ended_well or error is not None or self._may_crash, f"pluto ended with code {code}"

    def configure(self, site: Site, **options: str) -> None:
        """Make the tunnel the whole configuration; `options` are more words of its conn."""
        file = self.directory / "tunnel.conf"
        file.write_text("config setup\n  ikev1-policy=accept\n" + ipsec_conf(site, **options))
        self._call("addconn", "--config", str(file), "--ctlsocket", str(self._control), CONNECTION)

    def bring_up(self) -> None:
        """`whack --initiate`, which waits."""
        self.whack("--name", CONNECTION, "--initiate", timeout=PATIENCE)

    def forget(self) -> None:
        """Undo `configure`; its SAs go too, and the peer is told."""
        self.whack("--name", CONNECTION, "--delete")

    def whack(self, *options: str, timeout: float = PATIENCE) -> str:
        """Run `whack`; what it printed."""
        return self._call("whack", "--ctlsocket", str(self._control), *options, timeout=timeout)

    def _call(self, program: str, *options: str, timeout: float = PATIENCE) -> str:
        try:
            return run(str(PROGRAMS / program), *options, timeout=timeout)
        except (CommandFailed, subprocess.TimeoutExpired) as failed:
            raise PeerError(f"{failed}\n{self.tail()}") from None

    def version(self) -> str:
        """For example `Libreswan 4.10`."""
        return " ".join(run(str(PROGRAMS / "pluto"), "--version").split()[:2])

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def tail(self, lines: int = 40) -> str:
        """The log's end, for a message."""
        return f"--- pluto in {self.node.name}:\n" + "\n".join(self.log.splitlines()[-lines:])
