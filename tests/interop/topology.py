"""The reference topology in network namespaces.

    host_a 10.1.0.10 -- 10.1.0.1 gw_a 192.0.2.1 -- router -- 198.51.100.1 gw_b 10.2.0.1 -- 10.2.0.10 host_b
    fd00:1::10 -- fd00:1::1 gw_a 2001:db8:a::1 -- router -- 2001:db8:b::1 gw_b fd00:2::1 -- fd00:2::10

The second line only with ipv6=True.

With nat="a" (or "b", or "ab") a masquerading router stands in front of that gateway, which is then 192.168.1.2
(192.168.2.2) itself and seen as 192.0.2.1 (198.51.100.1). The NAT changes source ports too (to 20000 and above), and
forwards what comes unasked for UDP 500 and 4500 to its gateway, so that this one can be responder.

With carrier=True (and nat="a") that NAT has 100.64.0.2 and stands behind the NAT of its provider, seen as 192.0.2.1:

    gw_a 192.168.1.2 -- nat_a 100.64.0.2 -- carrier 192.0.2.1 -- router

With neighbour=True (and nat="a") a second client stands behind the same NAT:

    host_c 10.3.0.10 -- 10.3.0.1 gw_c 192.168.11.2 -- nat_a
"""

import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.interop.node import Node, ip_batch, run
from tests.interop.plan import Plan
from tests.interop.wire import Wire

NAT_PORTS = range(20_000, 30_000)
"""Where the source ports of UDP go that leaves a NAT."""

_counter = itertools.count()


@dataclass(frozen=True)
class _Side:
    """The numbers of one side of the topology."""

    letter: str
    number: int
    wide: str
    wide6: str

    def host(self, prefix: str, *, ipv6: bool) -> Node:
        return Node(
            f"{prefix}host{self.letter.upper()}", f"10.{self.number}.0.10", f"fd00:{self.number}::10" if ipv6 else ""
        )

    def gateway(self, prefix: str, *, ipv6: bool, nat: bool) -> Node:
        outside = f"{self.wide}.1"
        return Node(
            f"{prefix}gw{self.letter.upper()}",
            f"192.168.{self.number}.2" if nat else outside,
            f"{self.wide6}::1" if ipv6 else "",
            outside,
            f"10.{self.number}.0.0/24",
            f"fd00:{self.number}::/64" if ipv6 else "",
        )


A = _Side("a", 1, "192.0.2", "2001:db8:a")
B = _Side("b", 2, "198.51.100", "2001:db8:b")


class Topology:
    """Host A, gateway A, router, gateway B, host B; a context manager. Names are unique per instance.

    Attributes: host_a, gw_a, router, gw_b, host_b, wire; nat_a, nat_b (only with nat=); carrier (only with
    carrier=); host_c, gw_c (only with neighbour=).
    """

    def __init__(self, *, ipv6: bool = False, nat: str = "", neighbour: bool = False, carrier: bool = False) -> None:
        assert not (ipv6 and nat), "NAT is for IPv4 only"
        assert nat == "a" or not neighbour, "the neighbour shares the NAT of gateway A"
        assert nat == "a" or not carrier, "the carrier's NAT stands before the NAT of gateway A"
        self._ipv6 = ipv6
        self._neighbour = neighbour
        self._blocks_esp = False
        prefix = f"t{os.getpid()}-{next(_counter)}-"
        self.host_a, self.host_b = (side.host(prefix, ipv6=ipv6) for side in (A, B))
        self.gw_a, self.gw_b = (side.gateway(prefix, ipv6=ipv6, nat=side.letter in nat) for side in (A, B))
        self.router = Node(prefix + "router", "192.0.2.254", "2001:db8:a::fe" if ipv6 else "")
        self.nat_a = Node(prefix + "natA", "100.64.0.2" if carrier else "192.0.2.1")
        self.nat_b = Node(prefix + "natB", "198.51.100.1")
        self.carrier = Node(prefix + "carrier", "192.0.2.1")
        self.host_c = Node(prefix + "hostC", "10.3.0.10")
        self.gw_c = Node(prefix + "gwC", "192.168.11.2", outside="192.0.2.1", net="10.3.0.0/24")
        nats = {"a": (self.nat_a, self.gw_a), "b": (self.nat_b, self.gw_b)}
        self._nats = [pair for letter, pair in nats.items() if letter in nat]
        self._nats += [(self.carrier, self.nat_a)] if carrier else []
        self.nodes = [self.host_a, self.gw_a, self.router, self.gw_b, self.host_b, *(nat for nat, _ in self._nats)]
        self.nodes += [self.host_c, self.gw_c] if neighbour else []

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
            _forward(node, ipv6=self._ipv6)
        plan = Plan(self.nodes, ipv6=self._ipv6)
        self._connect(plan, A, self.host_a, self.gw_a)
        self._connect(plan, B, self.host_b, self.gw_b)
        if self._neighbour:
            self._connect_neighbour(plan)
        plan.carry_out()
        for nat, gateway in self._nats:
            _masquerade(nat, gateway)

    def _connect(self, plan: Plan, side: _Side, host: Node, gateway: Node) -> None:
        """Host, gateway, where there are some the NATs, and the router's end."""
        lan, lan6 = f"10.{side.number}.0", f"fd00:{side.number}:"
        plan.link(host, "eth0", [f"{lan}.10/24", f"{lan6}:10/64"], gateway, "lan", [f"{lan}.1/24", f"{lan6}:1/64"])
        plan.default(host, f"{lan}.1", f"{lan6}:1")
        edge = gateway
        for nat, behind in self._nats:
            if behind is edge:
                inner = behind.address.rpartition(".")[0]
                plan.link(edge, "wan", [f"{behind.address}/24"], nat, "lan", [f"{inner}.1/24"])
                plan.default(edge, f"{inner}.1")
                edge = nat
        wide, wide6 = side.wide, f"{side.wide6}:"
        plan.link(
            edge,
            "wan",
            [f"{wide}.1/24", f"{wide6}:1/64"],
            self.router,
            side.letter,
            [f"{wide}.254/24", f"{wide6}:fe/64"],
        )
        plan.default(edge, f"{wide}.254", f"{wide6}:fe")

    def _connect_neighbour(self, plan: Plan) -> None:
        """Beside gateway A, on another port of the NAT."""
        plan.link(self.host_c, "eth0", ["10.3.0.10/24"], self.gw_c, "lan", ["10.3.0.1/24"])
        plan.default(self.host_c, "10.3.0.1")
        plan.link(self.gw_c, "wan", ["192.168.11.2/24"], self.nat_a, "lan2", ["192.168.11.1/24"])
        plan.default(self.gw_c, "192.168.11.1")

    def forget_mappings(self) -> None:
        """Make every NAT forget what it translated so far."""
        for nat, _ in self._nats:
            nat.run("conntrack", "-F")

    def block_esp(self, blocked: bool) -> None:
        """Let the router drop ESP as its own IP protocol, as some providers do: only ESP in UDP passes.

        The wire counts what reaches the router, before it is dropped.
        """
        if blocked != self._blocks_esp:
            self.router.run("iptables-legacy", "-A" if blocked else "-D", "FORWARD", "-p", "esp", "-j", "DROP")
            self._blocks_esp = blocked

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


def _forward(node: Node, *, ipv6: bool) -> None:
    """A router that is quiet: no redirects, no router solicitations, no reports for link-local addresses."""
    node.set_sysctl(
        ipv4__ip_forward=1,
        ipv4__conf__all__rp_filter=0,
        ipv4__conf__default__rp_filter=0,
        ipv4__conf__all__send_redirects=0,
        ipv4__conf__default__send_redirects=0,
        ipv6__conf__all__forwarding=1,
        ipv6__conf__all__disable_ipv6=0 if ipv6 else 1,
        ipv6__conf__default__disable_ipv6=0 if ipv6 else 1,
        ipv6__conf__default__accept_dad=0,
        ipv6__conf__default__router_solicitations=0,
    )


def _masquerade(nat: Node, gateway: Node) -> None:
    """One address for all behind it, other source ports, and a way in to the gateway for IKE."""
    ports = f"{NAT_PORTS.start}-{NAT_PORTS.stop - 1}"
    rules = [
        "*nat",
        f"-A POSTROUTING -o wan -p udp -j MASQUERADE --to-ports {ports}",
        "-A POSTROUTING -o wan -j MASQUERADE",
        f"-A PREROUTING -i wan -p udp -m multiport --dports 500,4500 -j DNAT --to-destination {gateway.address}",
        "COMMIT",
    ]
    nat.run("iptables-legacy-restore", text="".join(f"{rule}\n" for rule in rules))
