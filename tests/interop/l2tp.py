"""xl2tpd and its pppd in one namespace: L2TP, which runs within IPsec in transport mode (RFC 3193)."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.node import Node
from tests.interop.peer import stop
from tests.interop.sites import SECRET, Site
from tests.interop.topology import Topology

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "examples" / "l2tp"
SERVER, CLIENT = ("xl2tpd.conf", "options.xl2tpd"), ("client.conf", "options.client")
"""Files of the example."""
INSIDE = "10.8.0.1"
"""The server, through PPP."""
PORT = 1701
MODULES = ("l2tp_ppp", "ppp_generic")


def client_site(net: Topology, client: Node, port: int = PORT) -> Site:
    """As the client sees it. `port`: that it calls from."""
    ends = (("lan", f"dynamic[udp/{port}]", f"dynamic[udp/{PORT}]"),)
    site = Site(client, net.gw_b, ike="aes256-sha256-modp2048", esp="aes256-sha256", mode="transport", children=ends)
    return replace(site, retransmit="{interval: 1s, factor: 2, sends: 6}")


def server(net: Topology) -> Ikevd:
    """The one of the example, on gateway B."""
    return Ikevd(net.gw_b, (EXAMPLE / "ikevd.yaml").read_text(), files={"office.psk": SECRET}, store=True)


def bare(net: Topology) -> int:
    """How many packets of L2TP crossed the router in the clear."""
    packets = (frame.packet for frame in net.wire.frames())
    return sum(len(packet) > 24 and packet[9] == 17 and PORT.to_bytes(2) in packet[20:24] for packet in packets)


class Xl2tpd:
    """The server of the example, or its client; a context manager. `port`: its own, of UDP."""

    def __init__(self, node: Node, files: tuple[str, str], *, port: int = PORT) -> None:
        self.node = node
        self._temporary = tempfile.TemporaryDirectory(prefix=f"xl2tpd-{node.name}-")
        self._directory = Path(self._temporary.name)
        self._control = self._directory / "control"
        conf, options = ((EXAMPLE / name).read_text() for name in files)
        file = self._directory / "options"
        file.touch(mode=0o600)
        file.write_text(
            f"{options}logfile {self._directory}/pppd.log\nip-up-script /bin/true\nip-down-script /bin/true\n"
        )
        conf = re.sub("pppoptfile = .*", f"pppoptfile = {file}", conf).replace("port = 1701", f"port = {port}")
        (self._directory / "xl2tpd.conf").write_text(conf)

    def __enter__(self) -> Self:
        self.node.run("modprobe", "-a", *MODULES)  # nothing loads by itself
        secrets = Path("/etc/ppp/chap-secrets")  # of the guest
        secrets.touch(mode=0o600)
        secrets.write_text((EXAMPLE / "chap-secrets").read_text())
        files = {"-c": "xl2tpd.conf", "-p": "pid", "-C": "control", "-s": "secrets"}
        words = [word for option, name in files.items() for word in (option, str(self._directory / name))]
        with (self._directory / "log").open("wb") as output:
            command = self.node.command("/usr/sbin/xl2tpd", "-D", *words)
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        eventually(lambda: self._control.exists() or self._process.poll() is not None)
        assert self._process.poll() is None, self.log
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop(self._process)
        if error is not None:
            error.add_note(f"--- xl2tpd in {self.node.name}:\n{self.log[-3000:]}")
        else:
            eventually(lambda: "ppp" not in self.node.ip("-brief", "link"))
        self._temporary.cleanup()

    def dial(self) -> None:
        """Call the server."""
        self._control.write_text("c office")

    def connect(self) -> None:
        """Call the server, and wait until IP passes."""
        self.dial()
        try:
            eventually(self.is_up)
        except AssertionError as late:
            raise AssertionError(f"no L2TP\n{self.log}") from late

    def is_up(self) -> bool:
        """Is there a way to the server? pppd sets the address a moment before."""
        return f"{INSIDE} dev ppp" in self.node.ip("-4", "route")

    @property
    def log(self) -> str:
        """All that it and its pppd printed."""
        files = (self._directory / name for name in ("log", "pppd.log"))
        return "".join(file.read_text(errors="replace") for file in files if file.exists())
