"""The bodies of XFRM netlink messages about policies, built and read; pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from ikevd.frozen import frozen, replace
from ikevd.host.events import Packet
from ikevd.host.policies import Action, Direction, FoundPolicy, KernelPolicy, PolicyId, Template
from ikevd.kernel.netlink import attribute, attributes
from ikevd.kernel.xfrm_layout import (
    ACTION_ALLOW,
    ACTION_BLOCK,
    ANY_ALGORITHM,
    DIRECTION_OF,
    DIRECTIONS,
    LIFETIME_CUR,
    MARK,
    MODE_TRANSPORT,
    MODE_TUNNEL,
    NUMBER,
    PROTOCOLS,
    SELECTOR,
    UNLIMITED,
    USER_ACQUIRE,
    USER_TMPL,
    USERPOLICY_ID,
    USERPOLICY_INFO,
    XFRM_ID,
    Attr,
    family_of,
    number_of,
    pack_address,
    pack_selector,
    unpack_address,
    unpack_selector,
)
from ikevd.policy.marks import Mark
from ikevd.sa.model import Spi
from ikevd.wire.registry import Protocol

TEMPLATE_REQID = 3
"""Where it stands in a template."""
BEARING = {Attr.MARK, Attr.IF_ID}
WITH_PORTS = (6, 17, 132)
"""TCP, UDP, SCTP. Of others the kernel puts something else there, such as the type of ICMP."""


@frozen
class IndexedPolicy:
    """A policy with the kernel's own number for it, by which exactly this one can be removed."""

    policy: FoundPolicy
    index: int
    used: int
    """Unix seconds of the last packet that it let pass; 0 where there was none. Of an SA the kernel keeps the first
    use only (`use_time`), and the last one (XFRMA_LASTUSED) not before Linux 6.2."""


def build_policy(policy: KernelPolicy) -> bytes:
    """The body of NEWPOLICY and UPDPOLICY."""
    body = USERPOLICY_INFO.pack(
        pack_selector(policy.id),
        UNLIMITED,
        bytes(LIFETIME_CUR.size),
        policy.priority,
        0,
        DIRECTIONS[policy.id.direction],
        ACTION_BLOCK if policy.action is Action.BLOCK else ACTION_ALLOW,
        0,
        0,
    )
    arrives = policy.id.direction is not Direction.OUT
    templates = attribute(Attr.TMPL, _pack_template(policy.template, arrives=arrives)) if policy.template else b""
    return body + templates + _pack_bearing(policy.id)


def build_policy_id(policy: PolicyId, index: int = 0) -> bytes:
    """The body of GETPOLICY and DELPOLICY: by selector, or where `index` is given by that."""
    return USERPOLICY_ID.pack(pack_selector(policy), index, DIRECTIONS[policy.direction]) + _pack_bearing(policy)


def read_policy(body: bytes) -> IndexedPolicy | None:
    """The body of an answered NEWPOLICY; None for one that a `PolicyId` does not name."""
    selector, _, current, priority, index, direction, action, _, _ = USERPOLICY_INFO.unpack_from(body)
    present = dict(attributes(body[USERPOLICY_INFO.size :]))
    name = read_name(selector, direction, present)
    if name is None:
        return None
    templates = present.get(Attr.TMPL, b"")
    policy = _as_put(name, action, priority, templates)
    reqid = _reqid_of(templates) if policy is None else policy.reqid
    used = LIFETIME_CUR.unpack(current)[3]
    return IndexedPolicy(FoundPolicy(name, reqid, priority, policy), index, used)


def read_name(selector: bytes, direction: int, present: Mapping[int, bytes]) -> PolicyId | None:
    """A policy's, from its selector, direction and attributes; None for one that a `PolicyId` does not name."""
    name = unpack_selector(selector, DIRECTION_OF[direction]) if direction in DIRECTION_OF else None
    if name is None or not present.keys() & BEARING:
        return name
    if_id = NUMBER.unpack_from(present[Attr.IF_ID])[0] if Attr.IF_ID in present else 0
    mark = Mark(*MARK.unpack_from(present[Attr.MARK])) if any(present.get(Attr.MARK, b"")) else None
    return replace(name, if_id=if_id, mark=mark)


def _pack_bearing(policy: PolicyId) -> bytes:
    """What its packets bear inside this machine."""
    mark = attribute(Attr.MARK, MARK.pack(policy.mark.value, policy.mark.mask)) if policy.mark is not None else b""
    return mark + attribute(Attr.IF_ID, NUMBER.pack(policy.if_id)) if policy.if_id else mark


def read_acquire(body: bytes) -> tuple[int, Packet]:
    """The reqid for which ACQUIRE asks, 0 where it names none, and the packet."""
    reqid = _reqid_of(dict(attributes(body[USER_ACQUIRE.size :])).get(Attr.TMPL, b""))
    selector = USER_ACQUIRE.unpack_from(body)[2]
    destination, source, port, _, _, _, family, _, _, protocol, _, _ = SELECTOR.unpack(selector)
    ends = unpack_address(source, family), unpack_address(destination, family)
    return reqid, Packet(*ends, protocol, int.from_bytes(port, "big") if protocol in WITH_PORTS else 0)


def _reqid_of(templates: bytes) -> int:
    """Of the first one; 0 where there is none."""
    return USER_TMPL.unpack_from(templates)[TEMPLATE_REQID] if len(templates) >= USER_TMPL.size else 0


def _as_put(name: PolicyId, action: int, priority: int, templates: bytes) -> KernelPolicy | None:
    template = _unpack_template(templates, arrives=name.direction is not Direction.OUT) if templates else None
    if templates and template is None:
        return None
    if action == ACTION_BLOCK:
        return KernelPolicy(name, Action.BLOCK, priority, template)
    return KernelPolicy(name, Action.TUNNEL if template else Action.BYPASS, priority, template)


def _pack_template(template: Template, *, arrives: bool) -> bytes:
    """What comes in may not have been compressed."""
    return b"".join(
        [_pack_step(step, optional=arrives and step.protocol == Protocol.IPCOMP) for step in template.steps]
    )


def _pack_step(step: Template, *, optional: bool) -> bytes:
    return USER_TMPL.pack(
        XFRM_ID.pack(pack_address(step.destination), (step.spi or Spi(0)).octets, number_of(step.protocol)),
        family_of(step.destination),
        pack_address(step.source),
        step.reqid,
        MODE_TRANSPORT if step.transport else MODE_TUNNEL,
        0,
        optional,
        ANY_ALGORITHM,
        ANY_ALGORITHM,
        ANY_ALGORITHM,
    )


@lru_cache(maxsize=64)
def _unpack_template(octets: bytes, *, arrives: bool) -> Template | None:
    """None for one that is not built here. Of the policies in and fwd it is the same one."""
    if len(octets) < USER_TMPL.size:
        return None
    template = _unpack_step(octets[-USER_TMPL.size :])
    first = template if len(octets) == USER_TMPL.size else _unpack_step(octets)
    if first.protocol == Protocol.IPCOMP:
        template = replace(template, transport=first.transport, compressed=True, cpi=first.spi)
    return template if _pack_template(template, arrives=arrives) == octets else None


def _unpack_step(octets: bytes) -> Template:
    xfrm_id, family, source, reqid, mode, *_ = USER_TMPL.unpack_from(octets)
    destination, spi, number = XFRM_ID.unpack(xfrm_id)
    protocol = PROTOCOLS.get(number, Protocol.ESP)
    ends = unpack_address(source, family), unpack_address(destination, family)
    through = Spi.of(protocol, spi) if any(spi) else None
    return Template(*ends, reqid, through, protocol, mode == MODE_TRANSPORT)
