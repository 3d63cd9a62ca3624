"""Addresses and networks that can be used, but hardly as they were meant: doubts of `ikevd check`."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from ikevd.addresses import Address
from ikevd.config import marks
from ikevd.config.interfaces import is_routed
from ikevd.config.problems import Problems
from ikevd.config.schema import FileSection
from ikevd.config.schema_addresses import Places
from ikevd.config.schema_child import ChildSection
from ikevd.config.schema_connection import ConnectionSection
from ikevd.config.surroundings import InterfaceAddress, Surroundings
from ikevd.config.yaml_locations import YamlPath
from ikevd.policy.connection import AddressRange
from ikevd.policy.selectors import Network, TrafficSelector

SPECIAL: tuple[tuple[Network, str], ...] = (
    (ip_network("127.0.0.0/8"), "loopback, which never leaves a machine"),
    (ip_network("::1/128"), "loopback, which never leaves a machine"),
    (ip_network("224.0.0.0/4"), "multicast, of which a tunnel carries nothing but what routing sends into it"),
    (ip_network("ff00::/8"), "multicast, of which a tunnel carries nothing but what routing sends into it"),
    (ip_network("169.254.0.0/16"), "link-local, which no router forwards"),
    (ip_network("fe80::/10"), "link-local, which no router forwards"),
)
"""Networks of which no part makes sense behind a tunnel."""
LINK_LOCAL = (
    "link-local, which means nothing without an interface, and the kernel's SAs and policies name none for their ends: "
    "no ESP could be sent; wanted a global address"
)
SYSCTLS = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}


def doubt(problems: Problems, file: FileSection, known: Surroundings | None) -> None:
    """Every doubt of this module. `known`: of the machine that it runs on; None: nothing."""
    machine = known or Surroundings()
    for index, address in enumerate(file.listen.addresses):
        if told := _no_address_of(machine, address):
            problems.warn(("listen", "addresses", index), told)
    for name, connection in file.connections.items():
        _on_peer(problems, ("connections", name), connection, machine)
        for child_name, child in connection.children.items():
            at: YamlPath = ("connections", name, "children", child_name)
            routed = is_routed(connection, child)
            if not routed and not marks.are_rare(child):
                _on_all_traffic(problems, at, child, file)
            _on_child(problems, at, child, file, machine, routed=routed)
    _on_forwarding(problems, file, machine)
    _on_first_packets(problems, file, machine)


# -- the ends of the tunnel ---------------------------------------------------------------------------------------


def _on_peer(problems: Problems, path: YamlPath, connection: ConnectionSection, machine: Surroundings) -> None:
    for key, ends in (("local", [connection.local]), ("remote", [*_ends(connection.remote)])):
        for end in ends:
            if end is not None and end.version == 6 and end.is_link_local:
                problems.error((*path, key), f"{end} is {LINK_LOCAL}")
    for key, address in (("local", connection.local), ("remote", connection.remote)):
        if address is not None and not isinstance(address, AddressRange | Places):
            if told := _special_end(address):
                problems.warn((*path, key), f"{address} is {told}")
            elif told := _place_of_end(key, address, machine):
                problems.warn((*path, key), told)


def _special_end(address: Address) -> str | None:
    if address.is_loopback:
        return "loopback, which never leaves this machine; wanted an address that the other side can reach"
    if address.version == 4 and address.is_link_local:
        return "link-local, which no router forwards; wanted a global address"
    return None


def _ends(remote: Address | AddressRange | Places | None) -> Iterator[Address]:
    match remote:
        case None:
            return
        case Places():
            yield from (place for place in remote.all if not isinstance(place, str))
        case AddressRange():
            yield remote.first
        case _:
            yield remote


def _place_of_end(key: str, address: Address, machine: Surroundings) -> str | None:
    """Is it where it should be?"""
    interface = machine.interface_of(address)
    if key == "remote" and interface:
        return f"{address} is an address of this machine ({interface}); wanted that of the peer"
    return _no_address_of(machine, address) if key == "local" else None


def _no_address_of(machine: Surroundings, address: Address) -> str | None:
    own = [str(each.address) for each in _global(machine) if each.address.version == address.version]
    if not own or address.is_loopback or machine.interface_of(address):
        return None
    return f"{address} is no address of this machine, which has {', '.join(own[:4])}{' ...' if own[4:] else ''}"


# -- the networks behind it ---------------------------------------------------------------------------------------


def _on_all_traffic(problems: Problems, path: YamlPath, child: ChildSection, file: FileSection) -> None:
    """What locks an operator out of the machine has to be meant."""
    named = "local" in child.model_fields_set and not child.transport
    everything = [index for index, remote in enumerate(child.remote) if _is_everything(remote)]
    whole = everything if named and any(map(_is_everything, child.local)) else []
    for index in whole if not (child.all_traffic or file.bypass or file.bypass_connected) else ():
        problems.error(
            (*path, "remote", index),
            f"is {child.remote[index]}, as is local: every packet of this machine would go into the tunnel, also to "
            "networks beside it and of the session that you may sit in, and whatever comes otherwise is dropped; "
            "wanted a `bypass` for what stays outside, bypass_connected: true, an `interface` that routes lead to, or "
            "all_traffic: true, which says that this is meant",
        )
    if child.all_traffic and not whole:
        problems.warn((*path, "all_traffic"), "has no effect: local and remote are not both every address")


def _on_child(
    problems: Problems, path: YamlPath, child: ChildSection, file: FileSection, machine: Surroundings, *, routed: bool
) -> None:
    """`routed`: which packets are for it is told by routes alone."""
    for side, selectors in (("local", child.local), ("remote", child.remote)):
        for index, selector in enumerate(() if child.transport else selectors):
            if told := _special(selector):
                problems.warn((*path, side, index), f"{selector} {told}")
    for index, remote in enumerate(() if child.transport or routed else child.remote):
        if told := _against_locals(remote, child, file) or _against_machine(remote, child, file, machine):
            problems.warn((*path, "remote", index), told)


def _special(selector: TrafficSelector) -> str | None:
    if selector.first == selector.last and selector.first.is_unspecified:
        return f"is that one address, which no host has; for every address wanted {selector.first}/0"
    for network, told in SPECIAL:
        if selector.first in network and selector.last in network:
            return f"is {told}"
    return None


def _against_locals(remote: TrafficSelector, child: ChildSection, file: FileSection) -> str | None:
    """Against the networks on this side, the first that it has to do with."""
    for local in child.local:
        if _span(local) == _span(remote):
            if _is_everything(local):
                return None  # `all_traffic`
            return f"is {remote}, as is local; wanted the networks behind the peer"
        match _relation(remote, local):
            case None:
                pass
            case "lies within" if _is_everything(local):
                pass  # a hub through which the peer reaches all the world
            case _ if _stays_outside(local, file):
                pass
            case "lies within":
                return f"{remote} lies within local {local}, from the rest of which only the tunnel would lead there"
            case relation:
                return (
                    f"{remote} {relation} local {local}: what this machine sends or forwards within local would go "
                    "into the tunnel too"
                )
    return None


def _stays_outside(network: TrafficSelector, file: FileSection) -> bool:
    """Does what it has with itself go into no tunnel?"""
    if file.bypass_connected:
        return True
    sides = ((local, remote) for each in file.bypass.values() for local in each.local for remote in each.remote)
    return any(all(_relation(network, side) in ("is", "lies within") for side in pair) for pair in sides)


def _is_everything(selector: TrafficSelector) -> bool:
    return selector.networks[0].prefixlen == 0


def _against_machine(
    remote: TrafficSelector, child: ChildSection, file: FileSection, machine: Surroundings
) -> str | None:
    for own in _global(machine):
        connected = TrafficSelector.of(own.network)
        if _stays_outside(connected, file):
            continue
        if own.network.num_addresses == 1 and _relation(remote, connected):
            return f"{remote} covers {own.address}, an address of this machine ({own.interface})"
        if relation := _relation(remote, connected):
            what = "is a network" if relation == "is" else f"{relation} {own.network},"
            return (
                f"{remote} {what} to which this machine is connected ({own.interface}): from "
                f"{', '.join(map(str, child.local))} it would be reached through the tunnel alone"
            )
    return None


def _relation(one: TrafficSelector, other: TrafficSelector) -> str | None:
    """How the addresses of `one` lie to those of `other`; None where they have nothing in common."""
    (first, last), (low, high) = _span(one), _span(other)
    if one.first.version != other.first.version or last < low or high < first:
        return None
    if (first, last) == (low, high):
        return "is"
    if first <= low and high <= last:
        return "covers"
    return "lies within" if low <= first and last <= high else "overlaps"


def _span(selector: TrafficSelector) -> tuple[int, int]:
    return int(selector.first), int(selector.last)


def _global(machine: Surroundings) -> Iterator[InterfaceAddress]:
    for own in machine.addresses:
        if not own.address.is_loopback and not own.address.is_link_local:
            yield own


# -- forwarding ---------------------------------------------------------------------------------------------------


def _on_forwarding(problems: Problems, file: FileSection, machine: Surroundings) -> None:
    """Once for each IP version: at the first network that lies behind this machine."""
    told: set[int] = set()
    for name, connection in file.connections.items():
        for child_name, child in connection.children.items():
            for index, local in enumerate(() if child.transport else child.local):
                version = local.first.version
                if machine.forwards.get(version) is not False or version in told or _is_own(local, machine):
                    continue
                told.add(version)
                problems.warn(
                    ("connections", name, "children", child_name, "local", index),
                    f"{local} is no address of this machine, which forwards nothing: {SYSCTLS[version]} is 0; run: "
                    f"sysctl -w {SYSCTLS[version]}=1",
                )


def _on_first_packets(problems: Problems, file: FileSection, machine: Surroundings) -> None:
    """Once: at the first child that a packet brings up."""
    children = ((name, child, its) for name, one in file.connections.items() for child, its in one.children.items())
    first = next(((name, child) for name, child, its in children if its.start == "on-demand"), None)
    if first is not None and machine.drops_waiting:
        problems.warn(
            ("connections", first[0], "children", first[1], "start"),
            "is on-demand, and this machine drops the packets that come before the tunnel stands "
            "(net.core.xfrm_larval_drop is 1); to keep them, up to 100 for each child, run: "
            "sysctl -w net.core.xfrm_larval_drop=0",
        )


def _is_own(local: TrafficSelector, machine: Surroundings) -> bool:
    return local.first == local.last and machine.interface_of(local.first) is not None
