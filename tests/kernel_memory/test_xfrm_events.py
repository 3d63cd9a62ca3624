"""What XFRM says unasked, read from its octets."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.addresses import Address, Endpoint
from ikevd.host.events import (
    KernelEvent,
    Packet,
    PoliciesFlushed,
    PolicyChanged,
    PolicyRemoved,
    SaAsked,
    SaExpired,
    SaMapped,
    SaRemoved,
    SasFlushed,
)
from ikevd.host.policies import Direction
from ikevd.host.sas import SaId
from ikevd.kernel import xfrm_layout as layout
from ikevd.kernel.netlink import Message, attribute
from ikevd.kernel.xfrm_events import OCTETS, read_event
from ikevd.kernel.xfrm_layout import Attr, Msg
from ikevd.kernel.xfrm_policies import build_policy, build_policy_id
from ikevd.kernel.xfrm_sas import build_sa, build_sa_id
from ikevd.policy.marks import Mark
from tests.kernel.samples import (
    AES_SHA256,
    BEARINGS,
    FOREIGN_REQID,
    HERE6,
    PEER,
    PEER6,
    REQID,
    keys_of,
    policy_of,
    sa_of,
)

POLICY = policy_of(ports=(17, 53, 0), direction=Direction.FWD)
SA = sa_of()
FURTHER = ip_address("203.0.113.9")
NO_FLAGS = slice(216, 217)
PROTOCOL = slice(76, 77)


def read(kind: Msg, body: bytes) -> KernelEvent | None:
    return read_event(Message(kind, 0, 0, body))


def info(reqid: int = REQID) -> bytes:
    """The fixed part of an SA."""
    return build_sa(sa_of(reqid=reqid), keys_of(AES_SHA256))[: layout.USERSA_INFO.size]


def removed(info: bytes) -> bytes:
    return build_sa_id(SA.id) + attribute(Attr.SA, info)


def mapping(sa: SaId, before: Address, now: Address, reqid: int = REQID) -> bytes:
    """From port 40001 before to 40002 now."""
    ports = ((40001).to_bytes(2, "big"), (40002).to_bytes(2, "big"))
    return layout.USER_MAPPING.pack(build_sa_id(sa), reqid, before.packed, now.packed, *ports)


@pytest.mark.parametrize("hard", [True, False])
def test_an_sa_expires(hard: bool) -> None:
    assert read(Msg.EXPIRE, layout.USER_EXPIRE.pack(info(), hard)) == SaExpired(SA.id, REQID, hard)


def test_an_sa_is_removed_and_nothing_behind_its_fixed_part_is_needed() -> None:
    assert len(removed(info())) + 16 == OCTETS
    assert read(Msg.DELSA, removed(info())) == SaRemoved(SA.id, REQID)
    assert read(Msg.DELSA, removed(info()) + attribute(Attr.ALG_AEAD, bytes(100))[:40]) == SaRemoved(SA.id, REQID)


@pytest.mark.parametrize(("where", "what"), [(NO_FLAGS, b"\0"), (PROTOCOL, b"\x04")], ids=["larval", "IP in IP"])
def test_a_larval_sa_and_one_of_another_protocol_are_passed_over(where: slice, what: bytes) -> None:
    changed = bytearray(info())
    changed[where] = what
    assert read(Msg.EXPIRE, layout.USER_EXPIRE.pack(bytes(changed), 1)) is None
    assert read(Msg.DELSA, removed(bytes(changed))) is None


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_the_peer_of_an_sa_in_udp_has_another_port(family: str) -> None:
    sa, (before, now) = (SA, (PEER, FURTHER)) if family == "ipv4" else (sa_of(destination=HERE6), (PEER6, PEER6))
    assert read(Msg.MAPPING, mapping(sa.id, before, now)) == SaMapped(sa.id, REQID, Endpoint(now, 40002))
    assert read(Msg.MAPPING, mapping(sa.id, before, now, FOREIGN_REQID)) is None


def test_anothers_sa_is_passed_over() -> None:
    assert read(Msg.EXPIRE, layout.USER_EXPIRE.pack(info(FOREIGN_REQID), 1)) is None
    assert read(Msg.DELSA, removed(info(FOREIGN_REQID))) is None
    assert read(Msg.NEWSA, info()) is None


def asked(*reqids: int) -> bytes:
    templates = b"".join(build_policy(policy_of(reqid=reqid))[layout.USERPOLICY_INFO.size + 4 :] for reqid in reqids)
    packet = policy_of("10.1.0.10/32", "10.2.0.10/32", ports=(6, 40000, 443)).id
    flow = layout.pack_selector(packet)[:-8] + bytes((0, 0, 0, 7)) + bytes(4)  # it leaves by an interface
    body = layout.USER_ACQUIRE.pack(bytes(24), bytes(16), flow, bytes(168))
    return body + attribute(Attr.TMPL, templates)


PACKET = Packet(ip_address("10.1.0.10"), ip_address("10.2.0.10"), 6, 443)


def test_a_packet_asks_for_an_sa() -> None:
    assert read(Msg.ACQUIRE, asked(REQID)) == SaAsked(REQID, PACKET)
    assert read(Msg.ACQUIRE, asked(REQID, FOREIGN_REQID)) == SaAsked(REQID, PACKET)


def test_what_icmp_has_in_place_of_a_port_is_none() -> None:
    body = bytearray(asked(REQID))
    body[40 + 44] = 1  # the protocol in the selector
    found = read(Msg.ACQUIRE, bytes(body))
    assert isinstance(found, SaAsked)
    assert found.packet == replace(PACKET, protocol=1, port=0)


def test_what_a_packet_asks_of_another_program_is_passed_over() -> None:
    assert read(Msg.ACQUIRE, asked(FOREIGN_REQID)) is None
    assert read(Msg.ACQUIRE, bytes(layout.USER_ACQUIRE.size)) is None


@pytest.mark.parametrize(
    ("protocol", "event"), [*((number, SasFlushed()) for number in (0, 255, 50, 51, 108)), (43, None)]
)
def test_a_flush_of_sas_is_told_where_ours_may_be_among_them(protocol: int, event: KernelEvent | None) -> None:
    assert read(Msg.FLUSHSA, bytes([protocol])) == event


@pytest.mark.parametrize(("if_id", "mark"), BEARINGS)
def test_changes_of_policies(if_id: int, mark: Mark | None) -> None:
    policy = policy_of(if_id=if_id, mark=mark)
    assert read(Msg.NEWPOLICY, build_policy(policy)) == PolicyChanged(policy.id)
    assert read(Msg.UPDPOLICY, build_policy(policy)) == PolicyChanged(policy.id)
    assert read(Msg.DELPOLICY, build_policy_id(policy.id, 7)) == PolicyRemoved(policy.id)


def test_a_flush_of_policies() -> None:
    assert read(Msg.FLUSHPOLICY, b"") == PoliciesFlushed()


@pytest.mark.parametrize(("hard", "event"), [(True, PolicyRemoved(POLICY.id)), (False, None)])
def test_a_policy_with_a_time_limit_that_somebody_gave_it(hard: bool, event: KernelEvent | None) -> None:
    body = build_policy(POLICY)[: layout.USERPOLICY_INFO.size]
    assert read(Msg.POLEXPIRE, layout.USER_POLEXPIRE.pack(body, hard)) == event


def test_a_policy_that_no_policy_id_names_is_passed_over() -> None:
    of_a_user = bytearray(build_policy(POLICY))
    of_a_user[52] = 5
    assert read(Msg.NEWPOLICY, bytes(of_a_user)) is None
    assert read(Msg.DELPOLICY, bytes(of_a_user[:56]) + bytes(8)) is None
    of_a_socket = bytearray(build_policy_id(POLICY.id))
    of_a_socket[60] = 4  # the direction
    assert read(Msg.DELPOLICY, bytes(of_a_socket)) is None
