"""What takes more than one key of the file to judge: the parts of a section against each other."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence

from ikevd.addresses import Address
from ikevd.config import (
    advice,
    backups,
    blocked,
    child_routes,
    elsewhere,
    interfaces,
    marks,
    networks,
    overlaps,
    own_addresses,
    protocols,
    route_doubts,
    selections,
    shunts,
    translations,
    ways_to_peers,
)
from ikevd.config.problems import Problems
from ikevd.config.rivals import check_rivals
from ikevd.config.schema import FileSection, ShuntSection
from ikevd.config.schema_addresses import Places, Within
from ikevd.config.schema_child import ChildSection
from ikevd.config.schema_connection import ConnectionSection
from ikevd.config.schema_settings import ControlSection
from ikevd.config.surroundings import Surroundings
from ikevd.config.yaml_locations import YamlPath
from ikevd.policy.connection import AddressRange
from ikevd.policy.identity import ANYONE

NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def check_names(problems: Problems, data: dict[str, object]) -> None:
    """Names go into commands, labels and file names: letters, digits and `_.-`."""
    for what in ("bypass", "drop"):
        shunts = data.get(what)
        for name in shunts if isinstance(shunts, dict) else ():
            _check_name(problems, (what, name))
    connections = data.get("connections")
    for name, section in connections.items() if isinstance(connections, dict) else ():
        _check_name(problems, ("connections", name))
        children = section.get("children") if isinstance(section, dict) else None
        for child in children if isinstance(children, dict) else ():
            _check_name(problems, ("connections", name, "children", child))


def _check_name(problems: Problems, path: YamlPath) -> None:
    if not NAME.fullmatch(str(path[-1])):
        problems.error(path, "this name is not usable; wanted 1 to 64 letters, digits, '_', '.' or '-'", at_key=True)


def check(problems: Problems, file: FileSection, known: Surroundings | None) -> None:
    """Every check of this module but `check_names`. `known`: of this machine; None where it does not matter."""
    _check_listen(problems, file)
    _check_control(problems, file.control)
    advice.on_control(problems, file.control)
    _check_limits(problems, file)
    if not file.connections and not problems.errors:
        problems.warn(("connections",), "there are no connections: nothing to do")
    for name, connection in file.connections.items():
        _check_connection(problems, ("connections", name), connection, file)
        for child_name, child in connection.children.items():
            _check_child(problems, ("connections", name, "children", child_name), child, connection)
    shunts.check(problems, file)
    for what, sections in shunts.kinds(file):
        for name, shunt in sections.items():
            _check_shunt(problems, (what, name), shunt, what)
    backups.check(problems, file)
    selections.check(problems, file)
    interfaces.check(problems, file)
    marks.check(problems, file)
    child_routes.check(problems, file, known)
    check_rivals(problems, file)
    networks.doubt(problems, file, known)
    here = (known or Surroundings()).in_vrf(file.listen.vrf)
    blocked.doubt(problems, file, here)
    ways_to_peers.doubt(problems, file, here)
    elsewhere.doubt(problems, file, here)
    translations.doubt(problems, file, here)
    overlaps.doubt(problems, file)
    route_doubts.doubt(problems, file)
    if known is not None and known.plain_swaps:
        _doubt_swap(problems, file, known.plain_swaps)


def _check_control(problems: Problems, control: ControlSection) -> None:
    if control.read_only == control.socket:
        problems.error(("control", "read_only"), f"is also control.socket ({control.socket}); wanted another path")
    for key in ("read_only_owner", "read_only_mode"):
        if control.read_only is None and key in control.model_fields_set:
            problems.warn(("control", key), "has no effect: control.read_only names no socket")


def _doubt_swap(problems: Problems, file: FileSection, swaps: tuple[str, ...]) -> None:
    problems.warn(
        ("runtime_directory",),
        f"what is in memory, the keys of ISAKMP SAs in {file.runtime_directory} too, may be swapped to "
        f"{', '.join(swaps)}, which is not encrypted; wanted encrypted swap, or none",
    )


def _check_listen(problems: Problems, file: FileSection) -> None:
    if file.listen.port == file.listen.nat_port:
        at = ("listen", "nat_port") if "nat_port" in file.listen.model_fields_set else ("listen", "port")
        problems.error(at, f"port and nat_port are both {file.listen.port}; wanted two different ports")
    _refuse_repeats(problems, ("listen", "addresses"), file.listen.addresses)


def _check_limits(problems: Problems, file: FileSection) -> None:
    for key, total in (("half_open_per_address", "half_open"), ("first_messages_per_address", "first_messages")):
        share, of = getattr(file.limits, key), getattr(file.limits, total)
        if share > of and key in file.limits.model_fields_set:
            problems.error(("limits", key), f"{key} ({share}) is larger than {total} ({of})")


def _check_connection(problems: Problems, path: YamlPath, connection: ConnectionSection, file: FileSection) -> None:
    local, remote, listening = connection.local, connection.remote, file.listen.addresses
    for first in _addresses(remote):
        if local and local.version != first.version:
            problems.error((*path, "local"), f"is IPv{local.version}, but the remote {remote} is IPv{first.version}")
    if isinstance(remote, Places) and connection.remote_id is None:
        problems.error(
            (*path, "remote"),
            f"is {remote}, and neither a name nor one of several addresses proves who answers; wanted remote_id, "
            "what the peer calls itself",
        )
    if connection.remote_id == ANYONE and remote is not None and not isinstance(remote, AddressRange):
        problems.error(
            (*path, "remote_id"),
            f"is any, but the remote is {remote}, which is one peer; wanted what it calls itself (whose name is any: "
            "@any), or `remote: any`",
        )
    if local and local == remote:
        problems.error((*path, "remote"), f"is {remote}, as is local; wanted the address of the peer")
    if local and listening and local not in listening:
        problems.error((*path, "local"), f"{local} is not one of listen.addresses ({', '.join(map(str, listening))})")
    if connection.group_key and remote is not None and not isinstance(remote, AddressRange):
        problems.error(
            (*path, "group_key"),
            f"is true, but the remote is {remote}, which is one peer; wanted `remote: any`, or the network that the "
            "clients call from",
        )
    if connection.remote_id == ANYONE and connection.group_key is False:
        problems.error(
            (*path, "group_key"),
            "is false, but with remote_id: any no name tells which peer has moved, and each would end the SAs of "
            "others; wanted true, or remote_id",
        )
    _refuse_repeats(problems, (*path, "ike_proposals"), connection.ike_proposals)
    _check_nat(problems, path, connection)
    advice.on_connection(problems, path, connection)


def _addresses(remote: Address | AddressRange | Places | None) -> Iterator[Address]:
    """As far as they stand in the file."""
    if isinstance(remote, Places):
        yield from (place for place in remote.all if not isinstance(place, str))
    elif isinstance(remote, AddressRange):
        yield remote.first
    elif remote is not None:
        yield remote


def _check_child(problems: Problems, path: YamlPath, child: ChildSection, connection: ConnectionSection) -> None:
    remote = connection.remote
    if child.start in ("always", "on-demand") and not advice.may_call(connection):
        problems.error(
            (*path, "start"),
            f"is {child.start}, but the remote is `{remote or 'any'}`, which cannot be called; wanted passive, or an "
            "address",
        )
    if child.start == "on-demand" and isinstance(connection.remote, Places):
        problems.error(
            (*path, "start"),
            f"is on-demand, but the remote is {connection.remote}, and the kernel holds packets only for one address; "
            "wanted always, manual or passive",
        )
    if child.start == "on-demand" and (connection.fail_open if child.fail_open is None else child.fail_open):
        problems.error(
            (*path, "start"),
            "is on-demand, but fail_open lets the first packet leave in the clear, so that none would ever ask for the "
            "tunnel; wanted fail_open: false, or start: always",
        )
    if child.inactivity is not None and (child.start or ("always" if advice.may_call(connection) else "")) == "always":
        problems.error(
            (*path, "inactivity"),
            "ends an idle child, but with start: always it would begin again at once; wanted start: on-demand, passive "
            "or manual",
        )
    _check_templates(problems, (*path, "remote"), child, connection)
    groups, key = {suite.group for suite in child.proposals}, child.proposals_key
    _check_pfs(problems, (*path, "pfs"), child)
    if len(groups) > 1 and None in groups:
        problems.error(
            (*path, key),
            "name a group in some items and none in others; wanted a group in each, and pfs: optional if a peer may do "
            "without perfect forward secrecy",
        )
    _refuse_repeats(problems, (*path, key), child.proposals)
    protocols.check(problems, path, child, connection)
    own_addresses.check(problems, path, child, connection)
    _refuse_repeats(problems, (*path, "local"), child.local)
    _refuse_repeats(problems, (*path, "remote"), child.remote)
    advice.on_child(problems, path, child, connection)
    _check_sides(problems, path, child, "child")


def _check_shunt(problems: Problems, path: YamlPath, shunt: ShuntSection, what: str) -> None:
    _refuse_repeats(problems, (*path, "local"), shunt.local)
    _refuse_repeats(problems, (*path, "remote"), shunt.remote)
    _check_sides(problems, path, shunt, what)


def _check_templates(problems: Problems, path: YamlPath, child: ChildSection, connection: ConnectionSection) -> None:
    """Of one peer it is known what it has."""
    remote = connection.remote
    if remote is None or isinstance(remote, AddressRange):
        return
    for index, selector in enumerate(child.remote):
        if isinstance(selector, Within):
            problems.error(
                (*path, index),
                f"is {selector}, which is for peers that may come from anywhere, and that of this connection is "
                f"{remote}; wanted its networks, or `remote: any` of the connection",
            )


EXAMPLES = {"esp_proposals": "aes256-sha256", "ah_proposals": "sha256"}


def _check_pfs(problems: Problems, path: YamlPath, child: ChildSection) -> None:
    groups, key = {suite.group for suite in child.proposals} - {None}, child.proposals_key
    if child.pfs == "off" and groups:
        problems.error(
            path,
            f"is off, but {key} name a group, which stands for perfect forward secrecy; wanted {key} "
            f"without group, for example {EXAMPLES[key]}, or pfs: required",
        )
    if child.pfs in ("required", "optional") and not groups:
        problems.error(
            path,
            f"is {child.pfs}, but {key} name no group to do it with; wanted for example {EXAMPLES[key]}-modp2048",
        )


def _check_nat(problems: Problems, path: YamlPath, connection: ConnectionSection) -> None:
    if connection.encap == "force" and connection.nat_method == "none":
        problems.error(
            (*path, "encap"),
            "is force, but nat_method is none, and ESP goes into UDP by NAT traversal; wanted nat_method: both, rfc "
            "or drafts",
        )


def _check_sides(problems: Problems, path: YamlPath, section: ChildSection | ShuntSection, what: str) -> None:
    """Each pair is of one address family and one protocol. `what` the section is."""
    first = section.local[0]
    for side, selectors in (("local", section.local), ("remote", section.remote)):
        for index, selector in enumerate(selectors):
            at = (*path, side, index)
            if selector.first.version != first.first.version:
                problems.error(
                    at,
                    f"{selector} is IPv{selector.first.version}, but {first} is IPv{first.first.version}; "
                    f"wanted a {what} of its own for each",
                )
            elif selector.protocol != first.protocol:
                problems.error(at, f"{selector} and {first} differ in protocol; wanted the same in all of one {what}")


def _refuse_repeats(problems: Problems, path: YamlPath, items: Sequence[Hashable]) -> None:
    first: dict[Hashable, int] = {}
    for index, item in enumerate(items):
        if first.setdefault(item, index) != index:
            problems.error((*path, index), f"says the same as item {first[item]} of this list")
