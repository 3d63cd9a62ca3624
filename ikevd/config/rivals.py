"""Connections against each other: can a responder tell whom a peer means, and is every pair of networks one child's?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, product

from ikevd.addresses import Address
from ikevd.config import backups, marks
from ikevd.config.build import has_group_key
from ikevd.config.problems import Problems
from ikevd.config.schema import FileSection
from ikevd.config.schema_addresses import Places
from ikevd.config.schema_child import ChildSection
from ikevd.config.schema_connection import ConnectionSection
from ikevd.config.yaml_locations import YamlPath
from ikevd.crypto.secret import Secret
from ikevd.frozen import frozen
from ikevd.policy.connection import AddressRange
from ikevd.policy.identity import Identity
from ikevd.policy.marks import OwnMark
from ikevd.policy.reqids import LEASABLE
from ikevd.policy.selectors import Dynamic


def check_rivals(problems: Problems, file: FileSection) -> None:
    """Every check of this module but those which need the keys."""
    _check_distinguishable(problems, file)
    _warn_of_mixed_nat(problems, file)
    _check_pairs(problems, file)


# -- whom a peer means --------------------------------------------------------------------------------------------


def _check_distinguishable(problems: Problems, file: FileSection) -> None:
    """A responder tells connections apart by addresses (one before a range before any), then by the identity that the
    peer claims; a secret that verifies is no third mark, since the identity decides in the end."""
    seen: dict[object, dict[Address | None, list[str]]] = {}
    for name, connection in file.connections.items():
        rivals, local = seen.setdefault(_group(connection), {}), connection.local
        alike = [*rivals.get(local, ()), *rivals.get(None, ())] if local else chain.from_iterable(rivals.values())
        for rival in alike:
            if _overlap(connection, file.connections[rival]):
                problems.error(("connections", name), _sameness(problems, connection, rival), at_key=True)
                break
        rivals.setdefault(local, []).append(name)


def _warn_of_mixed_nat(problems: Problems, file: FileSection) -> None:
    """Which connection a peer from anywhere means shows only in message 5 of Main Mode; NAT traversal comes before."""
    anywhere = [(name, c) for name, c in file.connections.items() if _anywhere(c)]
    for name, connection in anywhere[1:]:
        for key in ("encap", "nat_method"):
            if getattr(connection, key) != getattr(anywhere[0][1], key):
                problems.warn(
                    ("connections", name, key),
                    f"differs from that of {anywhere[0][0]}, whose peers come from anywhere too: which of them a peer "
                    "means shows only later, so it gets what any of them needs",
                )


def _group(connection: ConnectionSection) -> object:
    """Connections of different groups are told apart."""
    remote, remote_id = connection.remote, connection.remote_id
    if isinstance(remote, AddressRange):
        return "range", remote_id
    if remote is None or isinstance(remote, Places):
        return None, remote_id
    return remote, remote_id or Identity.of_address(remote)


def _anywhere(connection: ConnectionSection) -> bool:
    """May its peer come from any address?"""
    return connection.remote is None or isinstance(connection.remote, Places)


def _overlap(one: ConnectionSection, other: ConnectionSection) -> bool:
    """Of one group and without different local addresses: may one pair of addresses be that of both?"""
    a, b = one.remote, other.remote
    if isinstance(a, AddressRange) and isinstance(b, AddressRange):
        return a.first in b or b.first in a
    return True


def _sameness(problems: Problems, connection: ConnectionSection, rival: str) -> str:
    remote = connection.remote
    identity = connection.remote_id or (remote if not isinstance(remote, AddressRange) else None)
    line = problems.mark(("connections", rival), at_key=True).line
    what = "an overlapping remote" if isinstance(remote, AddressRange) else "the same remote"
    return (
        f"has {what} ({remote or 'any'}) and remote_id ({identity or 'any address'}) as {rival} on line "
        f"{line}, so nobody could tell which of them a peer means; wanted another remote_id, or both in one connection"
    )


# -- how many keys message 5 may be tried with --------------------------------------------------------------------


@frozen
class _Candidate:
    name: str
    section: ConnectionSection
    key: Secret


def warn_of_many_secrets(problems: Problems, file: FileSection, keys: Mapping[str, Secret]) -> None:
    """In Main Mode a responder tries the keys of all connections that fit the addresses, up to `limits.secrets`."""
    candidates = [_Candidate(name, c, keys[name]) for name, c in file.connections.items() if name in keys]
    untried: dict[str, str] = {}
    for place, fitting in _places(candidates):
        for here in _by_local(fitting):
            for candidate in _beyond(here, file.limits.secrets):
                untried.setdefault(candidate.name, place)
    for name, place in untried.items():
        problems.warn(
            ("connections", name, "psk"),
            f"comes after {file.limits.secrets} other keys for a peer that calls from {place}, and limits.secrets is "
            f"{file.limits.secrets}: in Main Mode this one would never be tried there; wanted a larger limits.secrets, "
            "or fewer connections for the same addresses",
        )


def warn_of_group_keys(problems: Problems, file: FileSection, keys: Mapping[str, Secret]) -> None:
    """Whoever has the key of a group can be each peer that has the same one."""
    groups: dict[Secret, str] = {}
    read = [(name, connection) for name, connection in file.connections.items() if name in keys]
    for name, connection in read:
        if has_group_key(connection):
            groups.setdefault(keys[name], name)
    for name, connection in read:
        if keys[name] in groups and not has_group_key(connection):
            problems.warn(
                ("connections", name, "psk"),
                f"is the key of {groups[keys[name]]}, too, which is one of many peers (group_key): each can say "
                f"that it is the peer of {name}, and take its place; wanted a key of its own",
            )


def _by_local(fitting: list[_Candidate]) -> Iterator[list[_Candidate]]:
    """Those that fit at each local address, in the order in which they are tried."""
    order: dict[Address | None, list[int]] = {}
    for at, candidate in enumerate(fitting):
        order.setdefault(candidate.section.local, []).append(at)
    everywhere = order.pop(None, [])
    for own in order.values() or [[]]:
        yield [fitting[at] for at in sorted([*own, *everywhere])]


def _beyond(candidates: list[_Candidate], limit: int) -> list[_Candidate]:
    """Those whose key is not among the first `limit` different ones."""
    tried: set[Secret] = set()
    beyond = []
    for candidate in candidates:
        if candidate.key not in tried and len(tried) >= limit:
            beyond.append(candidate)
        else:
            tried.add(candidate.key)
    return beyond


def _places(candidates: list[_Candidate]) -> Iterator[tuple[str, list[_Candidate]]]:
    """Every place where another set of candidates begins, with that set in the order in which it is tried."""
    exact: dict[Address, list[_Candidate]] = {}
    ranges: list[tuple[AddressRange, _Candidate]] = []
    anywhere: list[_Candidate] = []
    for candidate in candidates:
        remote = candidate.section.remote
        if remote is None or isinstance(remote, Places):
            anywhere.append(candidate)
        elif isinstance(remote, AddressRange):
            ranges.append((remote, candidate))
        else:
            exact.setdefault(remote, []).append(candidate)
    for address in {**exact, **{addresses.first: () for addresses, _ in ranges}}:
        within = [candidate for addresses, candidate in ranges if address in addresses]
        yield str(address), exact.get(address, []) + within + anywhere
    yield "anywhere", anywhere


# -- whose networks -----------------------------------------------------------------------------------------------


def _check_pairs(problems: Problems, file: FileSection) -> None:
    """The kernel holds one policy for a pair of selectors, an interface and a mark, whoever the peer is."""
    count = 0
    seen: dict[object, YamlPath] = {}
    for path, child, interface in _children(file):
        count += len(child.local) * len(child.remote)
        if count > LEASABLE:
            problems.error(path, f"here the file reaches more than {LEASABLE} pairs of local and remote networks")
            return
        for pair in product(child.local, child.remote):
            # of ends that no connection names, those of one connection are as one
            open_ends = any(isinstance(side, Dynamic) for side in pair)
            where = (pair, path[1] if open_ends else None, interface)
            others = [seen.setdefault((where, *kind), path) for kind in _kinds(path, child)]
            if other := next((other for other in others if not _may_be_both(file, path, other)), None):
                line = problems.mark(other, at_key=True).line
                problems.error(
                    path,
                    f"the pair {pair[0]} to {pair[1]} is also that of {other[1]}, child {other[3]}, on line {line}"
                    + _by_marks(path, others),
                    at_key=True,
                )


def _kinds(path: YamlPath, child: ChildSection) -> Iterator[tuple[object, ...]]:
    """By what its policies are told apart, in each direction; and by what a peer does it: its connection."""
    for way, mark in zip(("in", "out"), marks.wanted(child), strict=True):
        yield way, child.if_id, path if isinstance(mark, OwnMark) else mark
    yield (path[1],)


def _may_be_both(file: FileSection, path: YamlPath, other: YamlPath) -> bool:
    return other == path or (other[1] != path[1] and backups.are_couple(file, str(path[1]), str(other[1])))


def _by_marks(path: YamlPath, others: Sequence[YamlPath]) -> str:
    """Does the kernel tell them apart, though no peer does?"""
    *ways, _ = others
    if any(way != path for way in ways):
        return ""
    return (
        "; a peer asks for networks and not for marks, so nobody could tell which of them it means; wanted another "
        "connection for one of them"
    )


def _children(file: FileSection) -> Iterator[tuple[YamlPath, ChildSection, str | None]]:
    """Each with the interface to which its policies belong."""
    for name, connection in file.connections.items():
        for child_name, child in connection.children.items():
            interface = connection.interface if child.interface is not False else None
            # A space is in no name: each namespace has names of its own.
            where = f"{interface.namespace or ''} {interface.name}" if interface else None
            yield ("connections", name, "children", child_name), child, where
