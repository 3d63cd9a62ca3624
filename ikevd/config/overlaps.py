"""Children against each other: pairs of networks that overlap, or that become one and the same policy of the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Literal

from ikevd.config import marks, shunts
from ikevd.config.interfaces import is_routed
from ikevd.config.problems import Problems
from ikevd.config.schema import FileSection
from ikevd.config.schema_child import ChildSection
from ikevd.config.yaml_locations import YamlPath
from ikevd.frozen import frozen
from ikevd.policy.marks import OwnMark
from ikevd.policy.reqids import LEASABLE
from ikevd.policy.selectors import Dynamic, Network, TrafficSelector

MAX_POLICIES = 4096
"""Of one pair; two ranges of IPv6 may make sixteen times as many, which are not compared."""

MANY_POLICIES = 256
"""Of one pair, in each direction: .1 to .254 at both ends makes 196."""

Side = Literal["local", "remote"]
SIDES: tuple[Side, Side] = ("local", "remote")
Pair = tuple[TrafficSelector, TrafficSelector]


def doubt(problems: Problems, file: FileSection) -> None:
    """Every doubt of this module. Equal pairs, and more than there are reqids, are refused elsewhere (`rivals`)."""
    children = [
        _Child(("connections", name, "children", child_name), child)
        for name, connection in file.connections.items()
        for child_name, child in connection.children.items()
        if not is_routed(connection, child)
    ]
    for child in children:
        for side in SIDES:
            _doubt_items(problems, (*child.path, side), child.side(side))
    if sum(len(child.side("local")) * len(child.side("remote")) for child in children) > LEASABLE:
        return
    for child in children:
        _doubt_number(problems, child)
    shared = _doubt_policies(problems, children)
    _doubt_shunts(problems, file, children)
    _doubt_overlaps(problems, children, shared)


@frozen
class _Child:
    path: YamlPath
    section: ChildSection

    def side(self, side: Side) -> tuple[TrafficSelector, ...]:
        return self.section.local if side == "local" else self.section.remote

    @property
    def kind(self) -> object:
        """Of another kind are policies that the kernel holds beside these."""
        chosen = marks.wanted(self.section)
        return self.section.if_id, chosen, self.path if any(isinstance(mark, OwnMark) for mark in chosen) else None

    def name(self, problems: Problems) -> str:
        return f"{self.path[1]}, child {self.path[3]}, on line {problems.mark(self.path, at_key=True).line}"


def _doubt_items(problems: Problems, path: YamlPath, selectors: tuple[TrafficSelector, ...]) -> None:
    """Items of one list that overlap; equal ones are refused elsewhere."""
    if len(selectors) == 1:
        return
    order = sorted(range(len(selectors)), key=lambda index: int(selectors[index].first))
    widest = order[0]
    for index in order[1:]:
        one, other = sorted((widest, index))
        if selectors[one] != selectors[other] and _meet(selectors[one], selectors[other]):
            problems.warn((*path, other), f"{selectors[other]} overlaps item {one} of this list, {selectors[one]}")
        if int(selectors[index].last) > int(selectors[widest].last):
            widest = index


# -- one policy of the kernel -------------------------------------------------------------------------------------


def _doubt_number(problems: Problems, child: _Child) -> None:
    """One doubt for each child."""
    for local, remote in product(child.section.local, child.section.remote):
        number = len(local.networks) * len(remote.networks)
        if number > MANY_POLICIES:
            problems.warn(
                child.path,
                f"{_text((local, remote))} becomes {number} policies of the kernel in each direction, one for each "
                "pair of their subnets; wanted subnets, or ranges that begin and end at borders of subnets",
            )
            return


def _doubt_policies(problems: Problems, children: list[_Child]) -> set[YamlPath]:
    """A range becomes several policies. Returns the children that were told of."""
    holders: dict[object, tuple[_Child, Pair]] = {}
    told: set[YamlPath] = set()
    for child in children:
        for pair in product(child.section.local, child.section.remote):
            for policy in _policies(pair):
                holder, theirs = holders.setdefault((policy, child.kind), (child, pair))
                if theirs == pair or child.path in told:
                    continue
                told.add(child.path)
                problems.warn(
                    child.path,
                    f"{_text(pair)} and {_text(theirs)} ({holder.name(problems)}) share {policy[0]} === {policy[1]}, "
                    "and the kernel holds one policy for that; only one of the two can be up at a time",
                )
    return told


def _policies(pair: Pair) -> Iterator[tuple[Network, Network, int, int, int]]:
    local, remote = pair
    if isinstance(local, Dynamic) or isinstance(remote, Dynamic):
        return
    if len(local.networks) * len(remote.networks) <= MAX_POLICIES:
        for one, other in product(local.networks, remote.networks):
            yield one, other, local.protocol, local.port, remote.port


def _doubt_shunts(problems: Problems, file: FileSection, children: list[_Child]) -> None:
    """A range of a drop or bypass that holds a policy of a child, too; whole pairs are refused elsewhere (`shunts`)."""
    taken = {
        policy: (what, name)
        for what, sections in shunts.kinds(file)
        for name, section in sections.items()
        for pair in shunts.pairs(section)
        for policy in _policies(pair)
    }
    if not taken:
        return
    for child in children:
        pairs = product(child.section.local, child.section.remote)
        found = ((policy, taken[policy]) for pair in pairs for policy in _policies(pair) if policy in taken)
        if first := next(found, None):
            policy, (what, name) = first
            problems.warn(
                child.path,
                f"shares {policy[0]} === {policy[1]} with the {what} {name}, and the kernel holds one policy for that: "
                "the child cannot be up",
            )


# -- overlapping pairs --------------------------------------------------------------------------------------------


def _doubt_overlaps(problems: Problems, children: list[_Child], told: set[YamlPath]) -> None:
    """One doubt for each child: the first that it overlaps."""
    told = set(told)
    for child, other in _neighbours(children):
        if child.path in told or marks.apart(child.section, other.section):
            continue
        pairs = _overlapping(child, other)
        if pairs and pairs[0] != pairs[1]:  # equal ones are refused elsewhere, or those of a backup
            told.add(child.path)
            ours, theirs = pairs
            problems.warn(
                child.path,
                f"{_text(ours)} overlaps {_text(theirs)} ({other.name(problems)}): what fits both takes the narrower",
            )


def _neighbours(children: list[_Child]) -> Iterator[tuple[_Child, _Child]]:
    """Each two children that have addresses in common on that side on which they differ more, the later one first."""
    side = max(SIDES, key=lambda each: len({selector for child in children for selector in child.side(each)}))
    place = {child.path: number for number, child in enumerate(children)}
    spans = sorted(
        (selector.first.version, int(selector.first), int(selector.last), place[child.path])
        for child in children
        for selector in child.side(side)
    )
    met: set[tuple[int, int]] = set()
    open_spans: list[tuple[int, int, int, int]] = []
    for span in spans:
        open_spans = [before for before in open_spans if before[0] == span[0] and before[2] >= span[1]]
        for before in open_spans:
            first, second = sorted((before[3], span[3]))
            if first != second and (first, second) not in met:
                met.add((first, second))
                yield children[second], children[first]
        open_spans.append(span)


def _overlapping(child: _Child, other: _Child) -> tuple[Pair, Pair] | None:
    """A pair of each; two pairs overlap where both sides do."""
    local = _meeting(child.section.local, other.section.local)
    remote = _meeting(child.section.remote, other.section.remote) if local else None
    return ((local[0], remote[0]), (local[1], remote[1])) if local and remote else None


def _meeting(
    ours: tuple[TrafficSelector, ...], theirs: tuple[TrafficSelector, ...]
) -> tuple[TrafficSelector, TrafficSelector] | None:
    return next(((one, other) for one, other in product(ours, theirs) if _meet(one, other)), None)


def _meet(one: TrafficSelector, other: TrafficSelector) -> bool:
    if one.first.version != other.first.version or isinstance(one, Dynamic) or isinstance(other, Dynamic):
        return False
    addresses = int(one.first) <= int(other.last) and int(other.first) <= int(one.last)
    return addresses and _fits(one.protocol, other.protocol) and _fits(one.port, other.port)


def _fits(one: int, other: int) -> bool:
    """0 is any."""
    return one == other or 0 in (one, other)


def _text(pair: Pair) -> str:
    return f"{pair[0]} === {pair[1]}"
