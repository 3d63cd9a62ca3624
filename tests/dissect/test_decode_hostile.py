"""What the tree of a message shows of secrets, and of octets that are no message."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ikevd.dissect.decode import decoded
from ikevd.dissect.outline import outline
from ikevd.wire.attributes import Attribute
from ikevd.wire.message import Header, encode_chain
from ikevd.wire.modecfg import ConfigAttribute, ConfigType
from ikevd.wire.payloads import (
    AttributesPayload,
    HashPayload,
    IdPayload,
    NatOaPayload,
    NotifyPayload,
    Payload,
    SigPayload,
)
from ikevd.wire.registry import (
    ExchangeType,
    Flags,
    IdType,
    NotifyType,
    PayloadType,
    Protocol,
)
from ikevd.wire.sa import Proposal, SaPayload
from tests.dissect.test_decode import IKE_TRANSFORM, INITIATOR, RESPONDER, datagram

SECRET = b"hush hush"


# -- secrets ----------------------------------------------------------------------------------------------------------


def password(kind: ConfigAttribute) -> Payload:
    return AttributesPayload(ConfigType.REPLY, 1, (Attribute(kind, SECRET, basic=False),))


@pytest.mark.parametrize(
    "payload",
    [
        HashPayload(SECRET),
        SigPayload(SECRET),
        password(ConfigAttribute.XAUTH_USER_PASSWORD),
        password(ConfigAttribute.XAUTH_PASSCODE),
        password(ConfigAttribute.XAUTH_NEXT_PIN),
        password(ConfigAttribute.XAUTH_ANSWER),
        NotifyPayload(Protocol.ISAKMP, NotifyType.CISCO_PRESHARED_KEY_HASH, b"", SECRET),
    ],
    ids=repr,
)
def test_a_proof_and_a_password_are_told_by_their_length_only(payload: Payload) -> None:
    clear = encode_chain([payload])
    header = Header(INITIATOR, RESPONDER, payload.TYPE, ExchangeType.TRANSACTION, Flags.ENCRYPTION, 7)
    view = decoded(header.encode(32) + bytes(32), clear)
    shown = json.dumps(view) + outline(view)
    assert SECRET.hex() not in shown
    assert SECRET.decode() not in shown
    assert f"{len(SECRET)} octets, not shown" in shown


# -- whatever comes ---------------------------------------------------------------------------------------------------


def alter(octets: bytes, at: int, value: int) -> bytes:
    return octets[: at % len(octets)] + bytes([value]) + octets[at % len(octets) + 1 :]


GENUINE = datagram(
    SaPayload((Proposal(1, Protocol.ISAKMP, b"", (IKE_TRANSFORM,)),)),
    IdPayload(IdType.FQDN, 0, 0, b"gw\x1b[2J"),
    NotifyPayload(Protocol.ESP, NotifyType.RESPONDER_LIFETIME, b"", bytes.fromhex("80010001 80020e10")),
    NatOaPayload(PayloadType.NAT_OA, IdType.IPV4_ADDR, b"\x0a\0\0\1"),
    AttributesPayload(ConfigType.REPLY, 9, (Attribute(ConfigAttribute.INTERNAL_IP4_DNS, bytes(4), basic=False),)),
)


@pytest.mark.parametrize("make", [lambda octets: octets, lambda octets: GENUINE[:24] + octets, lambda o: GENUINE + o])
@settings(deadline=None)
@given(octets=st.binary(max_size=80))
def test_any_octets_give_a_tree_that_is_safe_to_print(make: Callable[[bytes], bytes], octets: bytes) -> None:
    check(make(octets))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 255)), max_size=4))
def test_altered_octets_give_a_tree_that_is_safe_to_print(changes: list[tuple[int, int]]) -> None:
    octets = GENUINE
    for at, value in changes:
        octets = alter(octets, at, value)
    check(octets)


def check(octets: bytes) -> None:
    for chain in (b"", octets[28:]):
        view = decoded(octets, chain)
        assert json.loads(json.dumps(view)) == view
        assert all(line.isprintable() for line in outline(view).split("\n"))
