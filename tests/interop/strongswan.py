"""strongSwan (charon-systemd, without systemd) as a peer: one instance in one namespace.

Configurations are loaded by swanctl, as an administrator would; everything else goes over charon's
vici socket from here, since a process is dear in the guest.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.eventually import eventually
from tests.interop.node import CommandFailed, Node, run
from tests.interop.peer import PeerError, stop
from tests.interop.sites import Site
from tests.interop.vici import Section, Vici, ViciError

CONNECTION = "peer"
"""What `configure` names it."""

PLUGINS = (
    "random nonce openssl aes sha1 sha2 md5 hmac kdf gmp pem pkcs1 pkcs8 x509 pubkey constraints revocation"
    " curve25519 gcm xcbc cmac des kernel-netlink socket-default vici updown attr xauth-generic unity"
)


class StrongSwanError(PeerError):
    """charon refused, or did not answer in time; the message has the end of its log."""


def connection_of(site: Site) -> Section:
    """The tunnel as vici's load-conn takes it."""
    local, remote = site.addresses
    local_id, remote_id = site.identities
    children: Section = {
        name: {
            "local_ts": [ours],
            "remote_ts": [theirs],
            f"{site.protocol}_proposals": [site.esp],
            "mode": site.mode,
            "sha256_96": "yes" if site.sha256_96 else "no",
            "ipcomp": "yes" if site.ipcomp else "no",
        }
        for name, ours, theirs in site.nets
    }
    return {
        CONNECTION: {
            "version": "1",
            "aggressive": "yes" if site.aggressive else "no",
            "local_addrs": [local],
            "remote_addrs": [remote],
            "proposals": [site.ike],
            "local": {"auth": "psk", "id": local_id},
            "remote": {"auth": "psk", "id": remote_id},
            "children": children,
        }
    }


class StrongSwan:
    """One charon in the namespace of `node`; a context manager.

    `settings` goes into the charon section of strongswan.conf: "retransmit_tries = 2", ...
    `directory` has swanctl/{x509,x509ca,private} for certificates and keys.
    """

    def __init__(self, node: Node, *, settings: str = "", plugins: str = PLUGINS) -> None:
        self.node = node
        self._temporary = tempfile.TemporaryDirectory(prefix=f"charon-{node.name}-")
        self.directory = Path(self._temporary.name)
        self._log = self.directory / "charon.log"
        self._children: list[str] = []
        self._socket = self.directory / "vici"
        self._environment = os.environ | {
            "STRONGSWAN_CONF": str(self.directory / "strongswan.conf"),
            "SWANCTL_DIR": str(self.directory / "swanctl"),
        }
        for folder in ("x509", "x509ca", "x509crl", "private", "pubkey"):
            (self.directory / "swanctl" / folder).mkdir(parents=True)
        (self.directory / "strongswan.conf").write_text(f"""
            charon {{
              load = {plugins}
              i_dont_care_about_security_and_use_aggressive_mode_psk = yes
              plugins {{ vici {{ socket = unix://{self._socket} }} }}
              filelog {{ log {{ path = {self._log}
                default = 1
                ike = 2
                cfg = 2
                knl = 2
                enc = 1
                time_format = %T
                flush_line = yes }} }}
              {settings}
            }}
            swanctl {{ load = random openssl sha1 sha2 pem pkcs1 pkcs8 x509 pubkey }}
            """)

    def __enter__(self) -> Self:
        self._start()
        return self

    def crash(self) -> None:
        """kill -9, and another one starts, of which the kernel has nothing as after a reboot. `configure` it anew."""
        self.vici.close()
        self._process.kill()
        self._process.wait()
        for what in ("state", "policy"):
            self.node.ip("xfrm", what, "flush")
        self._start()

    def _start(self) -> None:
        with (self.directory / "output").open("wb") as output:
            self._process = subprocess.Popen(
                self.node.command("/usr/sbin/charon-systemd"),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            eventually(lambda: self._answers() or self._process.poll() is not None)
            self.vici = Vici(self._socket)
        except (AssertionError, OSError):
            stop(self._process)
            text = f"charon did not start\n{(self.directory / 'output').read_text()}{self.log}"
            raise StrongSwanError(text) from None

    def _answers(self) -> bool:
        try:
            Vici(self._socket).close()
        except OSError:  # not there yet, or not listening yet
            return False
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.vici.close()
        code = stop(self._process)
        self._temporary.cleanup()
        assert code == 0 or error is not None, f"charon ended with code {code}"

    def load(self, swanctl_conf: str) -> None:
        """Make `swanctl_conf` the whole configuration: connections, secrets, pools, certificates."""
        (self.directory / "swanctl" / "swanctl.conf").write_text(swanctl_conf)
        environment = [f"{key}={self._environment[key]}" for key in ("STRONGSWAN_CONF", "SWANCTL_DIR")]
        command = ["swanctl", "--load-all", "--noprompt", "--uri", f"unix://{self._socket}"]
        try:
            run("env", *environment, *command)
        except CommandFailed as failed:
            raise StrongSwanError(f"{failed}\n{self.tail()}") from None

    def configure(self, site: Site) -> None:
        """Make the tunnel the whole configuration, over vici alone: ten times as fast as `load`."""
        self._command("load-conn", connection_of(site), 10)
        self._command("load-shared", {"id": CONNECTION, "type": "IKE", "data": site.secret}, 10)
        self._children = [name for name, _, _ in site.nets]

    def bring_up(self) -> None:
        """Initiate what was configured, each child."""
        for name in self._children:
            self.initiate(name, CONNECTION)

    def forget(self) -> None:
        """Undo `configure`, and all SAs."""
        self._end_sas()
        self._command("unload-conn", {"name": CONNECTION}, 10)
        self._command("clear-creds", {}, 10)

    def version(self) -> str:
        """For example `strongSwan 5.9.8`."""
        return f"strongSwan {self.vici.call('version')['version']}"

    def initiate(self, child: str = "", ike: str = "", *, timeout: float = 30) -> None:
        """Bring up a child (or, without one, only the ISAKMP SA) and wait for it (seconds)."""
        self._command("initiate", self._names(child, ike), timeout)

    def terminate(self, child: str = "", ike: str = "", *, timeout: float = 30, force: bool = False) -> None:
        """Take down a child, or an ISAKMP SA with all its children."""
        self._command("terminate", self._names(child, ike) | ({"force": "yes"} if force else {}), timeout)

    def rekey(self, child: str = "", ike: str = "") -> None:
        """Begin a rekeying (returns at once)."""
        self._command("rekey", self._names(child, ike), 10)

    def renew(self) -> None:
        """Begin to renew the newest ISAKMP SA (returns at once); `rekey` renews all that have its name."""
        newest = max((int(str(sa["uniqueid"])) for sa in self.list_sas()), default=0)
        self._command("rekey", {"ike-id": str(newest)}, 10)

    def list_sas(self) -> list[Section]:
        """The ISAKMP SAs, as `swanctl --list-sas` shows them: keys like `state`, `initiator-spi`, and
        `child-sas`; each with its connection's name under `name`."""
        sas: list[Section] = []
        for event in self.vici.collect("list-sas", "list-sa"):
            for name, sa in event.items():
                assert isinstance(sa, dict)
                sas.append({"name": name, **sa})
        return sas

    def list_children(self) -> list[Section]:
        """The IPsec SAs of all ISAKMP SAs: `state`, `spi-in`, `spi-out`, `encr-alg`, `local-ts`, ..."""
        children: list[Section] = []
        for sa in self.list_sas():
            under = sa.get("child-sas", {})
            assert isinstance(under, dict)
            children += [child for child in under.values() if isinstance(child, dict)]
        return children

    def wait_for_children(self, count: int, *, state: str = "INSTALLED") -> list[Section]:
        """Wait until exactly `count` children stand in `state`."""

        def look() -> list[Section]:
            return [child for child in self.list_children() if child.get("state") == state]

        try:
            return eventually(look, lambda children: len(children) == count)
        except AssertionError:
            raise StrongSwanError(f"{len(look())} children are {state}, not {count}\n{self.tail()}") from None

    def reset(self) -> None:
        """Back to the state after the start: no SAs, no connections, no secrets."""
        self._end_sas()
        self.load("")

    def _end_sas(self) -> None:
        for sa in self.list_sas():
            # -1: do not wait for the Deletes to be sent, let alone answered.
            self._command("terminate", {"ike-id": str(sa["uniqueid"]), "force": "yes", "timeout": "-1"}, 10)
        self.wait_for_children(0)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def tail(self, lines: int = 40) -> str:
        """The log's end, for a message; not what was asked over vici."""
        told = [line for line in self.log.splitlines() if "[CFG] vici client" not in line]
        return f"--- charon in {self.node.name}:\n" + "\n".join(told[-lines:])

    @staticmethod
    def _names(child: str, ike: str) -> Section:
        return {key: name for key, name in (("child", child), ("ike", ike)) if name}

    def _command(self, command: str, message: Section, timeout: float) -> None:
        limit: Section = {"timeout": str(round(timeout * 1000))} if command in ("initiate", "terminate") else {}
        try:
            self.vici.call(command, limit | message, timeout=timeout + 5)
        except ViciError as error:
            raise StrongSwanError(f"{error}\n{self.tail()}") from None
