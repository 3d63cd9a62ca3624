"""What `ikevd check` wants to know of this machine: addresses, connected networks, forwarding, swap, and what is
`needed`. Changes nothing.

Addresses by one RTM_GETADDR dump (rtnetlink(7)), forwarding from /proc/sys/net. Needs no privilege.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from struct import Struct

from ikevd.config.surroundings import InterfaceAddress, Surroundings
from ikevd.kernel import needed, network_namespaces
from ikevd.kernel.first_hop import first_hop
from ikevd.kernel.netlink import (
    NETLINK_ROUTE,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    RECEIVE_OCTETS,
    attributes,
    pack,
    split,
)
from ikevd.kernel.swap import plain_swaps
from ikevd.vrf import driver_of

RTM_NEWADDR, RTM_GETADDR = 20, 22
IFA_ADDRESS, IFA_LOCAL = 1, 2
IFADDRMSG = Struct("=BBBBI")  # family prefixlen flags scope index
SECONDS = 1.0
SYSCTL = Path("/proc/sys/net")
STRICT = 1
"""Of rp_filter; 2 is loose: any way back will do."""
NO_INTERFACES = ("all", "default", "lo")


def read() -> Surroundings | None:
    """Of the network namespace of this process; None where they cannot be read."""
    try:
        found = tuple(addresses())
    except OSError:
        return None
    switches = {version: _forwards(SYSCTL / f"ipv{version}" / "conf") for version in (4, 6)}
    forwards = {version: value for version, value in switches.items() if value is not None}
    return Surroundings(
        found,
        forwards,
        _drops_waiting(),
        plain_swaps(),
        needed.resolvers(),
        needed.session(),
        first_hop,
        frozenset(_strict({own.interface for own in found})),
        links={name: driver_of(name) for _, name in socket.if_nameindex()},
        namespaces=network_namespaces.names(),
    )


def addresses() -> Iterator[InterfaceAddress]:
    """Of all interfaces. Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_ROUTE) as netlink:
        netlink.settimeout(SECONDS)
        netlink.send(pack(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0, bytes(IFADDRMSG.size)))
        while True:
            for message in split(netlink.recv(RECEIVE_OCTETS)):
                if message.kind in (NLMSG_DONE, NLMSG_ERROR):
                    return
                if message.kind == RTM_NEWADDR and (found := _address(message.body)):
                    yield found


def _address(body: bytes) -> InterfaceAddress | None:
    family, prefix, _, _, index = IFADDRMSG.unpack_from(body)
    found = dict(attributes(body[IFADDRMSG.size :]))
    own, connected = found.get(IFA_LOCAL, found.get(IFA_ADDRESS)), found.get(IFA_ADDRESS)
    if family not in (socket.AF_INET, socket.AF_INET6) or own is None or connected is None:
        return None
    # On a link between two, IFA_ADDRESS is the other end.
    network = ip_network((ip_address(connected), prefix), strict=False)
    return InterfaceAddress(socket.if_indextoname(index), ip_address(own), network)


def _drops_waiting() -> bool | None:
    try:
        return (SYSCTL / "core/xfrm_larval_drop").read_text().strip() != "0"
    except OSError:
        return None


def _strict(interfaces: Iterable[str]) -> Iterator[str]:
    """The larger value of the interface and of all counts (ip-sysctl.rst)."""
    folder = SYSCTL / "ipv4/conf"
    for name in interfaces:
        try:
            values = [int((folder / each / "rp_filter").read_text()) for each in ("all", name)]
        except (OSError, ValueError):
            continue
        if max(values) == STRICT:
            yield name


def _forwards(folder: Path) -> bool | None:
    """Does any interface forward? None where that cannot be read."""
    try:
        switches = [each / "forwarding" for each in folder.iterdir() if each.name not in NO_INTERFACES]
        return any(switch.read_text().strip() != "0" for switch in switches)
    except OSError:
        return None
