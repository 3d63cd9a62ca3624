"""What of this machine's own traffic a child would hold back while it is down, and a drop for ever: doubts of `ikevd
check`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from ikevd.addresses import Address
from ikevd.config import marks
from ikevd.config.interfaces import is_routed
from ikevd.config.problems import Problems
from ikevd.config.schema import FileSection, ShuntSection
from ikevd.config.schema_addresses import Places
from ikevd.config.schema_child import ChildSection
from ikevd.config.schema_connection import ConnectionSection
from ikevd.config.surroundings import Surroundings
from ikevd.config.yaml_locations import YamlPath
from ikevd.policy.connection import AddressRange
from ikevd.policy.selectors import TrafficSelector

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
DOMAIN = 53


def doubt(problems: Problems, file: FileSection, machine: Surroundings) -> None:
    """At the network that covers them; nothing of a child that blocks nothing."""
    remotes = ((name, connection.remote) for name, connection in file.connections.items())
    named = next((name for name, remote in remotes if isinstance(remote, Places) and remote.names), None)
    for name, connection in file.connections.items():
        needed = [*_needed(file, machine), *_outside(_way(connection, machine), file, machine)]
        for child_name, child in connection.children.items():
            if _blocks(connection, child) and not is_routed(connection, child) and not marks.are_rare(child):
                path = ("connections", name, "children", child_name)
                _on_child(problems, path, child, needed, named)
    for name, drop in file.drop.items():
        _on_drop(problems, ("drop", name), drop, file, _needed(file, machine))


def _blocks(connection: ConnectionSection, child: ChildSection) -> bool:
    fails_open = connection.fail_open if child.fail_open is None else child.fail_open
    return not fails_open and connection.remote is not None and not isinstance(connection.remote, AddressRange)


Packet = tuple[TrafficSelector, TrafficSelector]
"""Ours and theirs, with the ports of one conversation."""


def _needed(file: FileSection, machine: Surroundings) -> list[tuple[Packet, str]]:
    """What shall not be blocked, and what it is; without what stays outside of every tunnel."""
    return _outside(_own(machine), file, machine)


def _outside(
    needed: Iterator[tuple[Packet, str]], file: FileSection, machine: Surroundings
) -> list[tuple[Packet, str]]:
    """Without what stays outside already."""
    return [(packet, what) for packet, what in needed if not _is_outside(packet, file, machine)]


def _way(connection: ConnectionSection, machine: Surroundings) -> Iterator[tuple[Packet, str]]:
    """To the peer: what is asked of it, and of the gateway before it, when something is wrong."""
    for peer in _addresses(connection.remote):
        hop = machine.first_hop(peer)
        own = connection.local or (hop.source if hop else None)
        if own is None or own.version != peer.version:
            continue
        icmp = ICMP if peer.version == 4 else ICMPV6
        yield (_one(own, icmp, 0), _one(peer, icmp, 0)), f"{peer}, the peer itself, whose IKE and ESP pass by"
        if hop is not None and hop.gateway is not None and hop.gateway.version == peer.version:
            packet = _one(hop.source or own, icmp, 0), _one(hop.gateway, icmp, 0)
            yield packet, f"{hop.gateway}, by which the peer is reached"


def _addresses(remote: Address | AddressRange | Places | None) -> Iterator[Address]:
    if isinstance(remote, Places):
        yield from (place for place in remote.all if not isinstance(place, str))
    elif remote is not None and not isinstance(remote, AddressRange):
        yield remote


def _own(machine: Surroundings) -> Iterator[tuple[Packet, str]]:
    for resolver in machine.resolvers:
        for own in machine.addresses:
            if own.address.version == resolver.version and not own.address.is_loopback and own.address != resolver:
                packet = _one(own.address, UDP, 0), _one(resolver, UDP, DOMAIN)
                yield packet, f"{resolver}, a resolver of this machine"
    if machine.session:
        ours, theirs = machine.session.local, machine.session.remote
        packet = _one(ours.address, TCP, ours.port), _one(theirs.address, TCP, theirs.port)
        yield packet, f"{theirs.address}, from where this session came"


def _one(address: Address, protocol: int, port: int) -> TrafficSelector:
    return TrafficSelector(address, address, protocol, port)


def _is_outside(packet: Packet, file: FileSection, machine: Surroundings) -> bool:
    if any(_covered(packet, bypass) is not None for bypass in file.bypass.values()):
        return True
    ends = [end.first for end in packet]
    return file.bypass_connected and any(all(end in own.network for end in ends) for own in machine.addresses)


def _on_child(
    problems: Problems, path: YamlPath, child: ChildSection, needed: list[tuple[Packet, str]], named: str | None
) -> None:
    """`named`: a connection whose peer has a name, which nobody would resolve."""
    told: set[str] = set()
    for packet, what in needed:
        index = _covered(packet, child)
        if index is not None and what not in told and not _is_host(child.remote[index], packet[1]):
            told.add(what)
            asks = named is not None and packet[1].port == DOMAIN
            say, why = (problems.error, f", and the remote of {named} is a name") if asks else (problems.warn, "")
            say(
                (*path, "remote", index),
                f"{child.remote[index]} covers {what}: while the child is down, what goes there from "
                f"{packet[0].first} is blocked{why}; wanted a `bypass` for it, or fail_open: true",
            )


def _is_host(remote: TrafficSelector, end: TrafficSelector) -> bool:
    """Is a tunnel for just that host?"""
    return end.protocol in (ICMP, ICMPV6) and remote.first == remote.last


def _on_drop(
    problems: Problems, path: YamlPath, drop: ShuntSection, file: FileSection, needed: list[tuple[Packet, str]]
) -> None:
    """Once for each that it covers, where no child is for it."""
    children = [child for connection in file.connections.values() for child in connection.children.values()]
    told: set[str] = set()
    for packet, what in needed:
        index = _covered(packet, drop)
        carried = any(_covered(packet, child) is not None for child in children)
        if index is not None and what not in told and not carried:
            told.add(what)
            problems.warn(
                (*path, "remote", index),
                f"{drop.remote[index]} covers {what}: what goes there from {packet[0].first} is always dropped; wanted "
                "a `bypass` for it, or a narrower drop",
            )


def _covered(packet: Packet, section: ChildSection | ShuntSection) -> int | None:
    """By which item of `remote`."""
    ours, theirs = packet
    for (index, remote), local in product(enumerate(section.remote), section.local):
        if _covers(local, ours) and _covers(remote, theirs):
            return index
    return None


def _covers(selector: TrafficSelector, one: TrafficSelector) -> bool:
    return (
        selector.first.version == one.first.version
        and int(selector.first) <= int(one.first) <= int(selector.last)
        and selector.protocol in (0, one.protocol)
        and selector.port in (0, one.port)
    )
