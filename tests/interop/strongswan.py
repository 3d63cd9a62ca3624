"""strongSwan (charon-systemd, without systemd) as a peer: one instance in one namespace.

Configurations are loaded by swanctl, as an administrator would; everything else goes over charon's
vici socket from here, since a process is dear in the guest.
"""

import os
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from tests.interop.node import CommandFailed, Node, run

ViciValue: TypeAlias = "str | list[str] | Section"
Section: TypeAlias = dict[str, "ViciValue"]

PLUGINS = (
    "random nonce openssl aes sha1 sha2 md5 hmac kdf gmp pem pkcs1 pkcs8 x509 pubkey constraints revocation"
    " curve25519 gcm xcbc cmac des kernel-netlink socket-default vici updown attr xauth-generic unity"
)


class StrongSwanError(AssertionError):
    """charon refused, or did not answer in time; the message has the end of its log."""


class Vici:
    """A client for charon's control socket (src/libcharon/plugins/vici/README.md of strongSwan)."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def call(self, command: str, message: Section | None = None, *, timeout: float = 15) -> Section:
        """Run a command; its answer. Raises StrongSwanError when charon reports a failure."""
        self._send(0, command, message or {}, timeout)
        return self._answer(command)

    def collect(self, command: str, event: str, message: Section | None = None) -> list[Section]:
        """Run a command whose answer comes as events."""
        self._send(3, event, None, 15)
        if self._receive()[0] != 5:
            raise StrongSwanError(f"no event {event}")
        self._send(0, command, message or {}, 15)
        events: list[Section] = []
        self._answer(command, events)
        self._send(4, event, None, 15)
        self._receive()
        return events

    def _answer(self, command: str, events: list[Section] | None = None) -> Section:
        while True:
            kind, data = self._receive()
            if kind == 7 and events is not None:
                events.append(_decode(data[1 + data[0] :]))
            elif kind == 1:
                break
            else:
                raise StrongSwanError(f"{command}: answered by a packet of type {kind}")
        answer = _decode(data)
        if answer.get("success", "yes") != "yes":
            raise StrongSwanError(f"{command}: {answer.get('errmsg')}")
        return answer

    def _send(self, kind: int, name: str, message: Section | None, timeout: float) -> None:
        self._socket.settimeout(timeout)
        body = bytes([kind, len(name)]) + name.encode() + (_encode(message) if message is not None else b"")
        self._socket.sendall(struct.pack("!I", len(body)) + body)

    def _receive(self) -> tuple[int, bytes]:
        try:
            (size,) = struct.unpack("!I", self._exactly(4))
            body = self._exactly(size)
        except TimeoutError:
            raise StrongSwanError("vici: no answer in time") from None
        return body[0], body[1:]

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            chunk = self._socket.recv(size - len(data))
            if not chunk:
                raise StrongSwanError("vici: charon closed the connection")
            data += chunk
        return data


def _encode(section: Section) -> bytes:
    out = b""
    for name, value in section.items():
        key = bytes([len(name)]) + name.encode()
        if isinstance(value, dict):
            out += b"\1" + key + _encode(value) + b"\2"
        elif isinstance(value, list):
            items = b"".join(b"\5" + struct.pack("!H", len(item.encode())) + item.encode() for item in value)
            out += b"\4" + key + items + b"\6"
        else:
            out += b"\3" + key + struct.pack("!H", len(value.encode())) + value.encode()
    return out


def _decode(data: bytes) -> Section:
    root: Section = {}
    stack = [root]
    items: list[str] = []
    at = 0

    def take(width: int) -> str:
        nonlocal at
        size = int.from_bytes(data[at : at + width], "big")
        text = data[at + width : at + width + size].decode(errors="replace")
        at += width + size
        return text

    while at < len(data):
        kind, at = data[at], at + 1
        if kind == 1:
            inner: Section = {}
            stack[-1][take(1)] = inner
            stack.append(inner)
        elif kind == 2:
            stack.pop()
        elif kind == 3:
            key = take(1)
            stack[-1][key] = take(2)
        elif kind == 4:
            items = []
            stack[-1][take(1)] = items
        elif kind == 5:
            items.append(take(2))
    return root


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
        with (self.directory / "output").open("wb") as output:
            self._process = subprocess.Popen(
                self.node.command("/usr/sbin/charon-systemd"),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + 10
        while True:
            try:
                self.vici = Vici(self._socket)
                return self
            except OSError:  # not there yet, or not listening yet
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self._stop()
                    text = f"charon did not start\n{(self.directory / 'output').read_text()}{self.log}"
                    raise StrongSwanError(text) from None
            time.sleep(0.02)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.vici.close()
        code = self._stop()
        self._temporary.cleanup()
        assert code == 0 or error is not None, f"charon ended with code {code}"

    def _stop(self) -> int:
        self._process.terminate()
        try:
            return self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def load(self, swanctl_conf: str) -> None:
        """Make `swanctl_conf` the whole configuration: connections, secrets, pools, certificates."""
        (self.directory / "swanctl" / "swanctl.conf").write_text(swanctl_conf)
        environment = [f"{key}={self._environment[key]}" for key in ("STRONGSWAN_CONF", "SWANCTL_DIR")]
        command = ["swanctl", "--load-all", "--noprompt", "--uri", f"unix://{self._socket}"]
        try:
            run("env", *environment, *command)
        except CommandFailed as failed:
            raise StrongSwanError(f"{failed}\n{self.tail()}") from None

    def initiate(self, child: str = "", ike: str = "", *, timeout: float = 10) -> None:
        """Bring up a child (or, without one, only the ISAKMP SA) and wait for it (seconds)."""
        self._command("initiate", self._names(child, ike), timeout)

    def terminate(self, child: str = "", ike: str = "", *, timeout: float = 10, force: bool = False) -> None:
        """Take down a child, or an ISAKMP SA with all its children."""
        self._command("terminate", self._names(child, ike) | ({"force": "yes"} if force else {}), timeout)

    def rekey(self, child: str = "", ike: str = "") -> None:
        """Begin a rekeying (returns at once)."""
        self._command("rekey", self._names(child, ike), 10)

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

    def wait_for_children(self, count: int, *, state: str = "INSTALLED", timeout: float = 5) -> list[Section]:
        """Wait until exactly `count` children stand in `state`."""
        deadline = time.monotonic() + timeout
        while True:
            children = [child for child in self.list_children() if child.get("state") == state]
            if len(children) == count:
                return children
            if time.monotonic() > deadline:
                raise StrongSwanError(f"{len(children)} children are {state}, not {count}\n{self.tail()}")
            time.sleep(0.05)

    def reset(self) -> None:
        """Back to the state after the start: no SAs, no connections, no secrets."""
        for sa in self.list_sas():
            # -1: do not wait for the Deletes to be sent, let alone answered.
            self._command("terminate", {"ike-id": str(sa["uniqueid"]), "force": "yes", "timeout": "-1"}, 10)
        self.wait_for_children(0)
        self.load("")

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def tail(self, lines: int = 40) -> str:
        """The log's end, for a message."""
        return f"--- charon in {self.node.name}:\n" + "\n".join(self.log.splitlines()[-lines:])

    @staticmethod
    def _names(child: str, ike: str) -> Section:
        return {key: name for key, name in (("child", child), ("ike", ike)) if name}

    def _command(self, command: str, message: Section, timeout: float) -> None:
        limit: Section = {"timeout": str(round(timeout * 1000))} if command != "rekey" else {}
        try:
            self.vici.call(command, limit | message, timeout=timeout + 5)
        except StrongSwanError as error:
            raise StrongSwanError(f"{error}\n{self.tail()}") from None
