"""What takes more than one key of the file to judge: a connection's parts, and connections against each other."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from itertools import product

from ikevd.policy import proposals
from ikevd.policy.identity import Identity
from ikevd.policy.model import EspSuite, IkeSuite
from ikevd.policy.problems import Problems
from ikevd.policy.reqids import REQID_FIRST, REQID_LAST
from ikevd.policy.schema import ChildSection, ConnectionSection, FileSection
from ikevd.policy.selectors import TrafficSelector
from ikevd.policy.yaml_locations import YamlPath

NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
MAX_PAIRS = REQID_LAST - REQID_FIRST + 1
LONG_LIFETIME = 7 * 86_400

Pair = tuple[TrafficSelector, TrafficSelector]


def check_names(problems: Problems, data: dict[str, object]) -> None:
    """Names go into commands, labels and file names: letters, digits and `_.-`."""
    connections = data.get("connections")
    for name, section in connections.items() if isinstance(connections, dict) else ():
        _check_name(problems, ("connections", name))
        children = section.get("children") if isinstance(section, dict) else None
        for child in children if isinstance(children, dict) else ():
            _check_name(problems, ("connections", name, "children", child))


def _check_name(problems: Problems, path: YamlPath) -> None:
    if not NAME.fullmatch(str(path[-1])):
        problems.error(path, "this name is not usable; wanted 1 to 64 letters, digits, '_', '.' or '-'", at_key=True)


def check(problems: Problems, file: FileSection) -> None:
    """Every check of this module but `check_names`."""
    _check_listen(problems, file)
    _check_limits(problems, file)
    if not file.connections and not problems.errors:
        problems.warn(("connections",), "there are no connections: nothing to do")
    for name, connection in file.connections.items():
        _check_connection(problems, ("connections", name), connection, file)
        for child_name, child in connection.children.items():
            _check_child(problems, ("connections", name, "children", child_name), child, connection)
    _check_distinguishable(problems, file)
    _check_pairs(problems, file)


def _check_listen(problems: Problems, file: FileSection) -> None:
    if file.listen.port == file.listen.nat_port:
        at = ("listen", "nat_port") if "nat_port" in file.listen.model_fields_set else ("listen", "port")
        problems.error(at, f"port and nat_port are both {file.listen.port}; wanted two different ports")
    _refuse_repeats(problems, ("listen", "addresses"), file.listen.addresses)


def _check_limits(problems: Problems, file: FileSection) -> None:
    limits = file.limits
    for key in ("half_open_per_address", "reserved_for_static"):
        if getattr(limits, key) > limits.half_open:
            at = ("limits", key if key in limits.model_fields_set else "half_open")
            problems.error(at, f"{key} ({getattr(limits, key)}) is larger than half_open ({limits.half_open})")


def _check_connection(problems: Problems, path: YamlPath, connection: ConnectionSection, file: FileSection) -> None:
    local, remote, listening = connection.local, connection.remote, file.listen.addresses
    if local and remote and local.version != remote.version:
        problems.error((*path, "local"), f"is IPv{local.version}, but the remote {remote} is IPv{remote.version}")
    if local and local == remote:
        problems.error((*path, "remote"), f"is {remote}, as is local; wanted the address of the peer")
    if local and listening and local not in listening:
        problems.error((*path, "local"), f"{local} is not one of listen.addresses ({', '.join(map(str, listening))})")
    _refuse_repeats(problems, (*path, "ike_proposals"), connection.ike_proposals)
    _warn_of_weakness(problems, (*path, "ike_proposals"), connection.ike_proposals)
    _warn_of_lifetime(problems, (*path, "ike_lifetime"), connection.ike_lifetime)


def _check_child(problems: Problems, path: YamlPath, child: ChildSection, connection: ConnectionSection) -> None:
    if connection.remote is None and child.start == "auto":
        problems.error(
            (*path, "start"), "is auto, but the remote is `any`, which cannot be called; wanted manual, or an address"
        )
    groups = {suite.group for suite in child.esp_proposals}
    if len(groups) > 1:
        problems.error(
            (*path, "esp_proposals"),
            "names different groups; wanted one and the same in all, or none in any, since one Quick Mode makes one "
            "Diffie-Hellman exchange (RFC 2409 section 5.5)",
        )
    _refuse_repeats(problems, (*path, "esp_proposals"), child.esp_proposals)
    _refuse_repeats(problems, (*path, "local"), child.local)
    _refuse_repeats(problems, (*path, "remote"), child.remote)
    _warn_of_weakness(problems, (*path, "esp_proposals"), child.esp_proposals)
    _warn_of_lifetime(problems, (*path, "lifetime"), child.lifetime)
    _check_sides(problems, path, child)


def _check_sides(problems: Problems, path: YamlPath, child: ChildSection) -> None:
    """Each pair is of one address family and one protocol."""
    first = child.local[0]
    for side, selectors in (("local", child.local), ("remote", child.remote)):
        for index, selector in enumerate(selectors):
            at = (*path, side, index)
            if selector.first.version != first.first.version:
                problems.error(
                    at,
                    f"{selector} is IPv{selector.first.version}, but {first} is IPv{first.first.version}; "
                    "wanted a child of its own for each",
                )
            elif selector.protocol != first.protocol:
                problems.error(at, f"{selector} and {first} differ in protocol; wanted the same in all of one child")


def _check_distinguishable(problems: Problems, file: FileSection) -> None:
    """A responder tells connections apart by addresses, then by the identity that the peer claims."""
    seen: dict[object, list[str]] = {}
    for name, connection in file.connections.items():
        remote, remote_id = connection.remote, connection.remote_id
        identity = Identity.of_address(remote) if remote and not remote_id else remote_id
        rivals = seen.setdefault((remote, identity), [])
        for rival in rivals:
            other = file.connections[rival].local
            if connection.local is None or other is None or connection.local == other:
                line = problems.mark(("connections", rival), at_key=True).line
                problems.error(
                    ("connections", name),
                    f"has the same remote ({remote or 'any'}) and remote_id ({identity or 'any address'}) as {rival} "
                    f"on line {line}, so nobody could tell which of them a peer means; wanted another remote_id, "
                    "or both in one connection",
                    at_key=True,
                )
                break
        rivals.append(name)


def _check_pairs(problems: Problems, file: FileSection) -> None:
    """The kernel holds one policy for a pair of selectors, whoever the peer is."""
    count = 0
    seen: dict[Pair, YamlPath] = {}
    for path, child in _children(file):
        count += len(child.local) * len(child.remote)
        if count > MAX_PAIRS:
            problems.error(path, f"here the file reaches more than {MAX_PAIRS} pairs of local and remote networks")
            return
        for pair in product(child.local, child.remote):
            other = seen.setdefault(pair, path)
            if other != path:
                line = problems.mark(other, at_key=True).line
                problems.error(
                    path,
                    f"the pair {pair[0]} to {pair[1]} is also that of {other[1]}, child {other[3]}, on line {line}",
                    at_key=True,
                )


def _children(file: FileSection) -> Iterator[tuple[YamlPath, ChildSection]]:
    for name, connection in file.connections.items():
        for child_name, child in connection.children.items():
            yield ("connections", name, "children", child_name), child


def _refuse_repeats(problems: Problems, path: YamlPath, items: Sequence[Hashable]) -> None:
    first: dict[Hashable, int] = {}
    for index, item in enumerate(items):
        if first.setdefault(item, index) != index:
            problems.error((*path, index), f"says the same as item {first[item]} of this list")


def _warn_of_weakness(problems: Problems, path: YamlPath, suites: Sequence[IkeSuite | EspSuite]) -> None:
    for index, suite in enumerate(suites):
        weak = proposals.weaknesses(suite)
        if weak:
            text = proposals.format_ike(suite) if isinstance(suite, IkeSuite) else proposals.format_esp(suite)
            problems.warn((*path, index), f"{text!r} is weak: {'; '.join(weak)}")


def _warn_of_lifetime(problems: Problems, path: YamlPath, seconds: int) -> None:
    if seconds > LONG_LIFETIME:
        problems.warn(path, f"is more than 7 days ({seconds} s); keys should not live that long")
