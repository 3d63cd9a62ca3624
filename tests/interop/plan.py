"""Links, addresses and routes, collected for few calls of `ip -batch`."""

from collections.abc import Sequence

from tests.interop.node import Node, ip_batch


class Plan:
    """What the namespaces shall hold. Without `ipv6`, IPv6 addresses and routes are left out."""

    def __init__(self, nodes: Sequence[Node], *, ipv6: bool) -> None:
        self._ipv6 = ipv6
        self._links: list[str] = []
        self._settings: dict[str, list[str]] = {node.name: ["link set dev lo up"] for node in nodes}

    def link(
        self, left: Node, device: str, addresses: Sequence[str], right: Node, far: str, others: Sequence[str]
    ) -> None:
        """A cable between two nodes: at each end the device, and its addresses with prefix."""
        self._links.append(f"link add {device} netns {left.name} type veth peer name {far} netns {right.name}")
        self._address(left, device, addresses)
        self._address(right, far, others)

    def default(self, node: Node, *gateways: str) -> None:
        """The default route, for each family one."""
        for gateway in gateways:
            if ":" not in gateway or self._ipv6:
                self._settings[node.name].append(f"route add default via {gateway}")

    def carry_out(self) -> None:
        """Make all of it; the namespaces exist."""
        ip_batch(self._links)
        for name, lines in self._settings.items():
            ip_batch(lines, name)

    def _address(self, node: Node, device: str, addresses: Sequence[str]) -> None:
        lines = self._settings[node.name]
        for each in addresses:
            if ":" not in each:
                lines.append(f"addr add {each} dev {device}")
            elif self._ipv6:
                lines.append(f"addr add {each} dev {device} nodad")
        lines.append(f"link set dev {device} up")
