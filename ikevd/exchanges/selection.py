"""Which child a peer's Quick Mode is for, and with which selectors: its IDs are echoed whatever comes of them, since
IKEv1 has no narrowing (RFC 2409 section 5.5).

A peer may ask for all in one: 0.0.0.0/0 both ways, a supernet (Check Point), hosts .1 to .254. With `selection: narrow`
one pair then carries what of it our children have: the child that has most of it lends its pair to the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product

from ikevd.errors import Finding, InvalidId
from ikevd.findings import Traffic
from ikevd.frozen import frozen, replace
from ikevd.policy.child import Child, Selection
from ikevd.policy.selectors import Selectors, TrafficSelector
from ikevd.sa.model import AskedFor, Share
from ikevd.selector_findings import ChildTraffic, Narrowed, NoSuchChild

MAX_NAMED = 100
"""Children in one finding."""
MAX_SUBNETS = 256
"""Pairs of them that a request may make of one child: ranges at both ends make thousands of policies. The usual .1 to
.254 at both ends makes 196."""
MAX_SUBNETS_IN_ALL = 1024
MAX_LENT = 256
"""Children that one pair carries beside its own."""
MAX_COMPARED = 30
"""Children that are compared with one another: the peer chooses how often."""


@frozen
class Selected:
    """What is made of the request."""

    child: Child
    """With the selectors that are installed."""
    asked: AskedFor | None = None
    """None: for exactly these."""
    found: Finding | None = None


def select(children: Sequence[Child], local: TrafficSelector, remote: TrafficSelector) -> Selected:
    """The child with exactly that pair, or the template that it is a part of, with the peer's part as its remote, or
    those whose `selection` is narrow, as far as they go; else `InvalidId` with the nearest one."""
    for child in children:
        if (child.local, child.remote) == (local, remote) and not child.template:
            return Selected(child)
    for child in children:
        if child.template and child.local == local and child.remote.holds_part(remote):
            return Selected(replace(child, remote=remote))
    if meeting := [part for child in children if (part := _part(child, local, remote))]:
        return _narrowed(meeting, children, (local, remote))
    known = tuple(ChildTraffic(child.name, configured(child)) for child in children[:MAX_NAMED])
    swapped = any((child.remote, child.local) == (local, remote) for child in children)
    strict = [child for child in children if child.selection is Selection.STRICT]
    near = any(child.local.meet(local) and child.remote.meet(remote) for child in strict)
    raise InvalidId(NoSuchChild(traffic(local, remote), known, swapped, near))


def within(child: Child, answered: Selectors) -> Child | None:
    """A responder has answered with less than we asked for: the child with that, where it may be; else None."""
    part = _part(child, *answered)
    return part if part is not None and (part.local, part.remote) == answered else None


def traffic(local: TrafficSelector, remote: TrafficSelector) -> Traffic:
    """For a finding."""
    return Traffic(str(local), str(remote))


def configured(child: Child) -> Traffic:
    """Its selectors, for a finding."""
    return Traffic(str(child.local), f"within {child.remote}" if child.template else str(child.remote))


def _part(child: Child, local: TrafficSelector, remote: TrafficSelector) -> Child | None:
    """The child as far as the request goes. Not one that many peers have: another one may hold some of it. In transport
    mode there is nothing to choose."""
    if child.selection is Selection.STRICT or child.template or child.instance or child.transport:
        return None
    ours, theirs = child.local.meet(local), child.remote.meet(remote)
    if ours is None or theirs is None or _subnets(ours, theirs) > MAX_SUBNETS:
        return None
    return replace(child, local=ours, remote=theirs)


def _subnets(local: TrafficSelector, remote: TrafficSelector) -> int:
    return len(local.networks) * len(remote.networks)


def _narrowed(parts: Sequence[Child], children: Sequence[Child], asked: Selectors) -> Selected:
    """The largest part lends its pair to those that are negotiated alike: no child's traffic takes what its own entry
    does not allow."""
    lead = max(parts, key=_size)
    alike = [part for part in parts if part.name != lead.name and _is_alike(part, lead)]
    fitting = list(_bounded((lead, *alike)))
    installed = list(_apart(fitting))
    also = installed[1:]
    named = {part.name for part in alike[len(fitting) - 1 :]} | {part.name for part in installed}
    left = tuple(part.name for part in parts if part.name not in named)
    whole = {child.name: child for child in children}
    partly = tuple(part.name for part in installed if _size(part) < _size(whole[part.name]))
    found = Narrowed(
        traffic(*asked),
        tuple(ChildTraffic(part.name, traffic(part.local, part.remote)) for part in installed[:MAX_NAMED]),
        into_nothing=not _is_covered(installed, asked),
        partly=partly[:MAX_NAMED],
        left=left[:MAX_NAMED],
        beyond=len(alike) + 1 - len(fitting),
    )
    shares = tuple(Share(part.name, part.local, part.remote) for part in also)
    return Selected(lead, AskedFor(*asked, shares), found)


def _bounded(parts: Sequence[Child]) -> Iterator[Child]:
    """The first ones, of which the kernel has so many policies at most."""
    subnets = 0
    for part in parts[: MAX_LENT + 1]:
        subnets += _subnets(part.local, part.remote)
        if subnets > MAX_SUBNETS_IN_ALL:
            return
        yield part


def _apart(parts: Sequence[Child]) -> Iterator[Child]:
    """Without those that share a policy of the kernel with one before them, as overlapping ranges may."""
    taken: set[object] = set()
    for part in parts:
        policies = set(product(part.local.networks, part.remote.networks, [_packets(part)]))
        if not policies & taken:
            taken |= policies
            yield part


def _packets(child: Child) -> tuple[int, int, int]:
    return child.local.protocol or child.remote.protocol, child.local.port, child.remote.port


def _is_alike(one: Child, other: Child) -> bool:
    """But for names and selectors, and for what brings each up."""
    apart = {
        name: getattr(other, name)
        for name in ("name", "reqid", "local", "remote", "group", "start", "rekey", "inactivity", "fail_open", "updown")
    }
    return replace(one, **apart) == other


def _size(child: Child) -> int:
    """How many pairs of addresses it is for; of equal ones that for more protocols is the larger."""
    sides = (child.local, child.remote)
    addresses = [int(side.last) - int(side.first) + 1 for side in sides]
    wide = sum(not side.protocol for side in sides) + sum(not side.port for side in sides)
    return addresses[0] * addresses[1] << 3 | wide


def _is_covered(installed: Sequence[Child], asked: Selectors) -> bool:
    """Is nothing of the request left over? Where parts overlap this may say False."""
    if any(_other_packets(part, asked) for part in installed):
        return False
    whole, sizes = _addresses(replace(installed[0], local=asked[0], remote=asked[1])), sum(map(_addresses, installed))
    if sizes < whole or len(installed) > MAX_COMPARED:
        return sizes == whole
    kept = list[Child]()
    for part in sorted(installed, key=_size, reverse=True):
        if not any(_lies_within(part, one) for one in kept):
            kept.append(part)
    if any(one.local.meet(other.local) and one.remote.meet(other.remote) for one, other in combinations(kept, 2)):
        return False
    return sum(map(_addresses, kept)) == whole


def _lies_within(part: Child, other: Child) -> bool:
    return (part.local.meet(other.local), part.remote.meet(other.remote)) == (part.local, part.remote)


def _addresses(child: Child) -> int:
    return _size(child) >> 3


def _other_packets(part: Child, asked: Selectors) -> bool:
    """Is it for one protocol or port where the request is for more?"""
    return any(
        (ours.protocol, ours.port) != (theirs.protocol, theirs.port)
        for ours, theirs in zip((part.local, part.remote), asked, strict=True)
    )
