"""The reference topology in network namespaces, and eyes to see what the kernel and the wire did.

    host_a 10.1.0.10 -- 10.1.0.1 gw_a 192.0.2.1 -- router -- 198.51.100.1 gw_b 10.2.0.1 -- 10.2.0.10 host_b
    fd00:1::10 -- fd00:1::1 gw_a 2001:db8:a::1 -- router -- 2001:db8:b::1 gw_b fd00:2::1 -- fd00:2::10

The second line only with ipv6=True.

With nat="a" (or "b", or "ab") a masquerading router stands in front of that gateway, which is then
192.168.1.2 (192.168.2.2) itself and seen as 192.0.2.1 (198.51.100.1).

Processes are dear in User Mode Linux (some 20 ms each), hence `ip -batch`, and a thread that
enters a namespace where another would start a process.
"""

import ctypes
import itertools
import os
import re
import select
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")

_counter = itertools.count()
_libc = ctypes.CDLL(None, use_errno=True)


class CommandFailed(AssertionError):
    """A command in a namespace ended with a code that was not wanted; the message has its output."""


def run(*command: str, text: str | None = None, check: bool = True, timeout: float = 30) -> str:
    """Run a command, with `text` as its input; return its stdout (and stderr, if it fails unchecked)."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode == 0:
        return done.stdout
    if check:
        raise CommandFailed(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def ip_batch(lines: Iterable[str], netns: str | None = None) -> None:
    """Run `ip` once for many lines."""
    where = ["-n", netns] if netns else []
    run("ip", *where, "-batch", "-", text="".join(f"{line}\n" for line in lines))


def call_in_netns(netns: str, function: Callable[[], T]) -> T:
    """Call `function` in a thread that has entered the namespace; sockets it opens belong there for ever."""
    results: list[T] = []
    errors: list[BaseException] = []

    def enter() -> None:
        try:
            with open(f"/run/netns/{netns}", "rb") as handle:
                if _libc.setns(handle.fileno(), 0x40000000):  # CLONE_NEWNET
                    number = ctypes.get_errno()
                    raise OSError(number, os.strerror(number), netns)
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


# --- what the kernel holds ---------------------------------------------------------------


@dataclass(frozen=True)
class XfrmState:
    """One SA of `ip -s xfrm state`. Keys are hexadecimal digits; an AEAD's key includes its salt."""

    src: str
    dst: str
    proto: str
    spi: int
    reqid: int
    mode: str
    auth: str | None
    auth_key: str | None
    auth_bits: int | None  # of the ICV
    enc: str | None
    enc_key: str | None
    aead_bits: int | None  # of the ICV; set if `enc` is an AEAD
    encap: tuple[int, int] | None  # UDP source and destination port
    if_id: int
    replay_window: int
    bytes: int
    packets: int
    text: str = field(repr=False, compare=False)


@dataclass(frozen=True)
class XfrmPolicy:
    """One policy of `ip xfrm policy`, without those of sockets."""

    src: str
    dst: str
    direction: str  # in, out, fwd
    action: str  # allow, block
    priority: int
    selector: str  # the rest of the selector: "proto tcp dport 80", often ""
    templates: tuple["XfrmTemplate", ...]
    if_id: int
    text: str = field(repr=False, compare=False)


@dataclass(frozen=True)
class XfrmTemplate:
    src: str
    dst: str
    proto: str
    spi: int  # 0: any
    reqid: int
    mode: str


def _blocks(text: str) -> list[str]:
    """The entries of `ip xfrm` output: each starts in the first column."""
    return [block for block in re.split(r"^(?=\S)", text, flags=re.MULTILINE) if block.startswith("src ")]


def _find(pattern: str, text: str) -> tuple[str, ...] | None:
    match = re.search(pattern, text, flags=re.MULTILINE)
    return match.groups() if match else None


def _need(pattern: str, text: str) -> tuple[str, ...]:
    found = _find(pattern, text)
    assert found is not None, f"no {pattern!r} in:\n{text}"
    return found


def _number(pattern: str, text: str) -> int:
    found = _find(pattern, text)
    return int(found[0], 0) if found else 0


def parse_states(text: str) -> list[XfrmState]:
    """Parse `ip -s xfrm state`."""
    states = []
    for block in _blocks(text):
        src, dst = _need(r"^src (\S+) dst (\S+)", block)
        proto, spi, reqid, mode = _need(r"proto (\S+) spi (0x\w+)\S* reqid (\d+)\S* mode (\w+)", block)
        auth = _find(r"^\s+auth(?:-trunc)? (\S+) 0x(\w*)(?: \(\d+ bits\))?(?: (\d+))?", block)
        enc = _find(r"^\s+enc (\S+) (?:0x(\w*))?", block)
        aead = _find(r"^\s+aead (\S+) 0x(\w*)(?: \(\d+ bits\))? (\d+)", block)
        encap = _find(r"encap type espinudp sport (\d+) dport (\d+)", block)
        cipher = aead or enc or (None, None)
        states.append(
            XfrmState(
                src=src,
                dst=dst,
                proto=proto,
                spi=int(spi, 16),
                reqid=int(reqid),
                mode=mode,
                auth=auth[0] if auth else None,
                auth_key=auth[1] if auth else None,
                auth_bits=int(auth[2]) if auth and auth[2] else None,
                enc=cipher[0],
                enc_key=cipher[1],
                aead_bits=int(aead[2]) if aead else None,
                encap=(int(encap[0]), int(encap[1])) if encap else None,
                if_id=_number(r"if_id (0x\w+)", block),
                replay_window=_number(r"replay-window (\d+)", block),
                bytes=_number(r"lifetime current:\s+(\d+)\(bytes\)", block),
                packets=_number(r"lifetime current:\s+\d+\(bytes\), (\d+)\(packets\)", block),
                text=block,
            )
        )
    return states


def parse_policies(text: str) -> list[XfrmPolicy]:
    """Parse `ip -s xfrm policy`."""
    policies = []
    for block in _blocks(text):
        found = _find(r"^\s+dir (\w+)", block)
        if found is None:
            continue  # a socket's own policy
        src, dst, selector = _need(r"^src (\S+) dst (\S+)[ \t]*(.*)", block)
        head, *tails = re.split(r"^\s+tmpl ", block, flags=re.MULTILINE)
        templates = []
        for tail in tails:
            outer = _need(r"^src (\S+) dst (\S+)", tail)
            proto, spi, reqid, mode = _need(r"proto (\S+)(?: spi (0x\w+)\S*)? reqid (\d+)\S* mode (\w+)", tail)
            number = int(spi or "0", 16)  # no SPI: any
            templates.append(XfrmTemplate(outer[0], outer[1], proto, number, int(reqid), mode))
        policies.append(
            XfrmPolicy(
                src=src,
                dst=dst,
                direction=found[0],
                action=(_find(r"action (\w+)", head) or ("allow",))[0],
                priority=_number(r"priority (\d+)", head),
                selector=re.sub(r"\s*uid \d+", "", selector).strip(),
                templates=tuple(templates),
                if_id=_number(r"if_id (0x\w+)", block),
                text=block,
            )
        )
    return policies


# --- nodes -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Node:
    """One machine: a network namespace with its addresses ("" where it has none)."""

    name: str
    """Of the namespace, as in `ip -n NAME`."""
    address: str
    """Of a gateway on the wide side; of a host."""
    address6: str = ""
    outside: str = ""
    """The address that the other gateway sees: differs from `address` behind a NAT."""
    net: str = ""
    """Of a gateway: the private network behind it."""
    net6: str = ""

    def run(self, *command: str, check: bool = True, timeout: float = 30, text: str | None = None) -> str:
        """Run a command here; its stdout. Raises CommandFailed unless `check` is off."""
        return run(*self.command(*command), check=check, timeout=timeout, text=text)

    def command(self, *command: str) -> list[str]:
        """The command that runs `command` here, for Popen and the like."""
        return ["nsenter", f"--net=/run/netns/{self.name}", *command]

    def call(self, function: Callable[[], T]) -> T:
        """Call a function here (in a thread): a socket that it opens belongs to this node."""
        return call_in_netns(self.name, function)

    def ip(self, *arguments: str) -> str:
        return run("ip", "-n", self.name, *arguments)

    def xfrm_state(self) -> list[XfrmState]:
        return parse_states(self.ip("-s", "xfrm", "state"))

    def xfrm_policy(self) -> list[XfrmPolicy]:
        return parse_policies(self.ip("-s", "xfrm", "policy"))

    def ping(
        self,
        address: str,
        count: int = 3,
        *,
        interval: float = 0.02,
        wait: float = 3,
        size: int = 56,
        source: str = "",
    ) -> int:
        """Ping; return how many answers came. `wait`: seconds for all of it."""
        options = ["-I", source] if source else []
        numbers = ["-c", str(count), "-i", str(interval), "-w", str(max(1, round(wait))), "-s", str(size)]
        text = self.run("ping", "-n", "-q", *numbers, *options, address, check=False, timeout=wait + 10)
        received = _find(r"(\d+) received", text)
        assert received is not None, f"ping {address}: {text}"
        return int(received[0])

    def set_sysctl(self, **values: int) -> None:
        """Set values below /proc/sys/net: `ipv4__ip_forward=1`, two underscores for a dot."""

        def write() -> None:
            for key, value in values.items():
                Path("/proc/sys/net", *key.split("__")).write_text(str(value))

        self.call(write)


# --- the wire ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """Packets that reached the router."""

    esp: int = 0  # IP protocol 50
    udp_esp: int = 0  # ESP in UDP, port 4500
    ike: int = 0  # UDP 500, or 4500 behind the non-ESP marker
    keepalive: int = 0  # NAT keep-alives
    clear: int = 0  # from or to a private net, unprotected: must be 0
    other: int = 0  # ARP, ND, ...

    def __sub__(self, earlier: "Seen") -> "Seen":
        return Seen(*(getattr(self, f) - getattr(earlier, f) for f in self.__dataclass_fields__))


@dataclass(frozen=True)
class Frame:
    """One packet that reached the router: when (time.time()), whether it was IPv4 or IPv6, and the packet."""

    time: float
    packet: bytes

    @property
    def kind(self) -> str:
        """A field name of Seen."""
        data = self.packet
        version = data[0] >> 4 if data else 0
        if version == 4 and len(data) >= 20:
            protocol, body = data[9], data[(data[0] & 15) * 4 :]
            private = data[12] == 10 or data[16] == 10
            if struct.unpack_from("!H", data, 6)[0] & 0x1FFF:
                body = b""  # a later fragment has no ports
        elif version == 6 and len(data) >= 40:
            protocol, body = data[6], data[40:]
            private = data[8] == 0xFD or data[24] == 0xFD
        else:
            return "other"
        if private:
            return "clear"
        if protocol == 50:
            return "esp"
        if protocol == 17 and len(body) >= 8:
            ports = struct.unpack_from("!HH", body)
            if 500 in ports:
                return "ike"
            if 4500 in ports:
                if len(body) == 9:
                    return "keepalive"
                return "ike" if body[8:12] == bytes(4) else "udp_esp"
        return "other"


class Wire:
    """A socket in the router that holds every packet that reached it, until somebody looks.

    No process, no thread: the kernel keeps the packets. If it had to drop one, `look` says so.
    """

    def __init__(self, router: Node) -> None:
        self._socket = router.call(self._open)
        self._frames: list[Frame] = []

    @staticmethod
    def _open() -> socket.socket:
        # SOCK_DGRAM: without the link layer's header. 3 = ETH_P_ALL.
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        sock.setsockopt(socket.SOL_SOCKET, 33, 256 << 20)  # SO_RCVBUFFORCE
        sock.setblocking(False)
        return sock

    def frames(self) -> list[Frame]:
        """All frames since the start."""
        self._look()
        return self._frames

    def seen(self) -> Seen:
        """Count all frames since the start; subtract two counts for what was between."""
        counts: dict[str, int] = {}
        for frame in self.frames():
            counts[frame.kind] = counts.get(frame.kind, 0) + 1
        return Seen(**counts)

    def wait_for(self, kind: str, count: int = 1, timeout: float = 5) -> None:
        """Wait until `count` packets of a kind have been seen since the start."""
        deadline = time.monotonic() + timeout
        while (have := getattr(self.seen(), kind)) < count:
            left = deadline - time.monotonic()
            assert left > 0, f"the router saw {have} {kind} packets in {timeout} s, not {count}"
            select.select([self._socket], [], [], left)

    def save(self, path: Path) -> None:
        """Write a pcap file, link type raw IP."""
        with path.open("wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
            for frame in self.frames():
                if frame.packet[:1] and frame.packet[0] >> 4 in (4, 6):
                    seconds, micro = divmod(round(frame.time * 1e6), 1_000_000)
                    size = len(frame.packet)
                    file.write(struct.pack("<IIII", seconds, micro, size, size) + frame.packet)

    def close(self) -> None:
        self._socket.close()

    def _look(self) -> None:
        now = time.time()
        while True:
            try:
                packet, address = self._socket.recvfrom(65536)
            except BlockingIOError:
                break
            if address[2] != 4 and address[0] != "lo":  # 4 = PACKET_OUTGOING
                self._frames.append(Frame(now, packet))
        received, dropped = struct.unpack("II", self._socket.getsockopt(263, 6, 8))  # PACKET_STATISTICS
        assert dropped == 0, f"the router's socket dropped {dropped} of {received} packets"


# --- the topology ------------------------------------------------------------------------


class Topology:
    """Host A, gateway A, router, gateway B, host B; a context manager. Names are unique per instance.

    Attributes: host_a, gw_a, router, gw_b, host_b, nat_a, nat_b (the last two only with nat=), wire.
    """

    def __init__(self, *, ipv6: bool = False, nat: str = "") -> None:
        self._ipv6 = ipv6
        self._nat = nat
        prefix = f"t{os.getpid()}-{next(_counter)}-"
        six = ipv6
        self.host_a = Node(prefix + "hostA", "10.1.0.10", "fd00:1::10" if six else "")
        self.host_b = Node(prefix + "hostB", "10.2.0.10", "fd00:2::10" if six else "")
        self.router = Node(prefix + "router", "192.0.2.254", "2001:db8:a::fe" if six else "")
        self.gw_a = Node(
            prefix + "gwA",
            "192.168.1.2" if "a" in nat else "192.0.2.1",
            "2001:db8:a::1" if six else "",
            "192.0.2.1",
            "10.1.0.0/24",
            "fd00:1::/64" if six else "",
        )
        self.gw_b = Node(
            prefix + "gwB",
            "192.168.2.2" if "b" in nat else "198.51.100.1",
            "2001:db8:b::1" if six else "",
            "198.51.100.1",
            "10.2.0.0/24",
            "fd00:2::/64" if six else "",
        )
        self.nat_a = Node(prefix + "natA", "192.0.2.1")
        self.nat_b = Node(prefix + "natB", "198.51.100.1")
        self.nodes = [self.host_a, self.gw_a, self.router, self.gw_b, self.host_b]
        self.nodes += [self.nat_a] if "a" in nat else []
        self.nodes += [self.nat_b] if "b" in nat else []
        assert not (ipv6 and nat), "NAT is for IPv4 only"

    def __enter__(self) -> Self:
        try:
            self._build()
            self.wire = Wire(self.router)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wire.close()
        self._remove()

    def _remove(self) -> None:
        ip_batch(f"netns del {node.name}" for node in self.nodes if Path("/run/netns", node.name).exists())

    def _build(self) -> None:
        ip_batch(f"netns add {node.name}" for node in self.nodes)
        for node in self.nodes:
            node.set_sysctl(
                ipv4__ip_forward=1,
                ipv4__conf__all__rp_filter=0,
                ipv4__conf__default__rp_filter=0,
                ipv4__conf__all__send_redirects=0,
                ipv4__conf__default__send_redirects=0,
                ipv6__conf__all__forwarding=1,
                ipv6__conf__all__disable_ipv6=0 if self._ipv6 else 1,
                ipv6__conf__default__disable_ipv6=0 if self._ipv6 else 1,
                ipv6__conf__default__accept_dad=0,
                # No router solicitations, no listener reports for link-local addresses: quiet wires.
                ipv6__conf__default__router_solicitations=0,
            )
        links: list[str] = []
        settings: dict[str, list[str]] = {node.name: ["link set dev lo up"] for node in self.nodes}

        def address(node: Node, device: str, *addresses: str) -> None:
            for each in addresses:
                if ":" not in each:
                    settings[node.name].append(f"addr add {each} dev {device}")
                elif self._ipv6:
                    settings[node.name].append(f"addr add {each} dev {device} nodad")
            settings[node.name].append(f"link set dev {device} up")

        def link(
            left: Node, device: str, addresses: Sequence[str], right: Node, far: str, others: Sequence[str]
        ) -> None:
            links.append(f"link add {device} netns {left.name} type veth peer name {far} netns {right.name}")
            address(left, device, *addresses)
            address(right, far, *others)

        def default(node: Node, *gateways: str) -> None:
            for gateway in gateways:
                if ":" not in gateway or self._ipv6:
                    settings[node.name].append(f"route add default via {gateway}")

        link(
            self.host_a,
            "eth0",
            ["10.1.0.10/24", "fd00:1::10/64"],
            self.gw_a,
            "lan",
            ["10.1.0.1/24", "fd00:1::1/64"],
        )
        link(
            self.host_b,
            "eth0",
            ["10.2.0.10/24", "fd00:2::10/64"],
            self.gw_b,
            "lan",
            ["10.2.0.1/24", "fd00:2::1/64"],
        )
        default(self.host_a, "10.1.0.1", "fd00:1::1")
        default(self.host_b, "10.2.0.1", "fd00:2::1")
        for gateway, nat, device, wan, inner in (
            (self.gw_a, self.nat_a, "a", ("192.0.2", "2001:db8:a:"), "192.168.1"),
            (self.gw_b, self.nat_b, "b", ("198.51.100", "2001:db8:b:"), "192.168.2"),
        ):
            edge = gateway
            if device in self._nat:
                link(gateway, "wan", [f"{inner}.2/24"], nat, "lan", [f"{inner}.1/24"])
                default(gateway, f"{inner}.1")
                edge = nat
            link(
                edge,
                "wan",
                [f"{wan[0]}.1/24", f"{wan[1]}:1/64"],
                self.router,
                device,
                [f"{wan[0]}.254/24", f"{wan[1]}:fe/64"],
            )
            default(edge, f"{wan[0]}.254", f"{wan[1]}:fe")
        ip_batch(links)
        for name, lines in settings.items():
            ip_batch(lines, name)
        for node in self.nodes[5:]:
            node.run("iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-o", "wan", "-j", "MASQUERADE")

    def impair(
        self,
        *,
        loss: float = 0,
        delay_ms: float = 0,
        duplicate: float = 0,
        reorder: float = 0,
        limit: int = 1000,
    ) -> None:
        """Make the router a bad network, in both directions; without arguments: cure it.

        `loss`, `duplicate` and `reorder` are per cent. The wire counts what reaches the router,
        before it is lost.
        """
        words = f"limit {limit}"
        if delay_ms or reorder:
            words += f" delay {delay_ms or 10}ms"
        for name, value in (("loss", loss), ("duplicate", duplicate), ("reorder", reorder)):
            words += f" {name} {value}%" if value else ""
        # Replacing is no good: netem keeps what the new line leaves out.
        run("tc", "-n", self.router.name, "qdisc", "del", "dev", "a", "root", check=False)
        run("tc", "-n", self.router.name, "qdisc", "del", "dev", "b", "root", check=False)
        if loss or delay_ms or duplicate or reorder:
            lines = "".join(f"qdisc add dev {device} root netem {words}\n" for device in "ab")
            run("tc", "-n", self.router.name, "-batch", "-", text=lines)
