"""The SA payload with its proposals and transforms: lengths, counts and lists that lie."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikevd import frozen
from ikevd.errors import Malformed
from ikevd.wire.registry import PayloadType, Protocol
from ikevd.wire.sa import MAX_SA, MAX_TRANSFORMS, Proposal, SaPayload, Transform, _sub_header
from tests.hostile.observed import calls_of
from tests.wire.test_attributes import ATTRIBUTES

OCTET = st.integers(0, 255)
TRANSFORMS = st.builds(Transform, OCTET, OCTET, st.lists(ATTRIBUTES, max_size=4).map(tuple))
PROPOSALS = st.builds(
    Proposal,
    OCTET,
    OCTET.map(Protocol),
    st.binary(max_size=16),
    st.lists(TRANSFORMS, max_size=4).map(tuple),
)
OFFERS = st.lists(PROPOSALS, min_size=1, max_size=3).map(lambda found: SaPayload(tuple(found)))

HEAD = bytes.fromhex("00000001 00000001")
TRANSFORM = bytes.fromhex("0101 0000 80010007")
PROPOSAL = bytes.fromhex("01 01 00 01") + bytes.fromhex("0000 000c") + TRANSFORM
"""Number 1, ISAKMP, no SPI, one transform."""


def listed(*bodies: bytes, kind: PayloadType) -> bytes:
    """Bodies behind their sub-headers, the last one saying that nothing follows."""
    following = [kind] * (len(bodies) - 1) + [PayloadType.NONE]
    return b"".join(
        bytes([more, 0]) + (len(body) + 4).to_bytes(2, "big") + body
        for more, body in zip(following, bodies, strict=True)
    )


def offer(*proposals: bytes) -> bytes:
    return HEAD + listed(*proposals, kind=PayloadType.PROPOSAL)


@given(OFFERS)
def test_an_offer_survives_encoding(sa: SaPayload) -> None:
    assert SaPayload.decode(sa.encode()) == sa


def test_the_body_stays_as_received_even_where_encoding_would_differ() -> None:
    reserved_set = offer(PROPOSAL.replace(b"\1\1\0\0\x80", b"\1\1\xab\xcd\x80"))
    sa = SaPayload.decode(reserved_set)
    assert sa.body == reserved_set
    assert sa.encode() == offer(PROPOSAL)


@pytest.mark.parametrize("replace", [frozen.replace, dataclasses.replace], ids=["ours", "of dataclasses"])
def test_a_transform_that_is_made_of_a_received_one_is_sent_as_it_is(replace: Callable[..., Transform]) -> None:
    received = SaPayload.decode(HEAD + listed(PROPOSAL, kind=PayloadType.PROPOSAL)).proposals[0].transforms[0]
    assert received.encode() == TRANSFORM
    assert replace(received, attributes=()).encode() == TRANSFORM[:4]


@pytest.mark.parametrize("count", [0, 2, 255])
def test_a_transform_count_that_lies_is_malformed(count: int) -> None:
    with pytest.raises(Malformed, match=f"proposal 1 announces {count} transforms and holds 1"):
        SaPayload.decode(offer(PROPOSAL[:3] + bytes([count]) + PROPOSAL[4:]))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "8 octets wanted, 0 left"),
        (bytes.fromhex("00000002 00000001"), "DOI 2; IPsec"),
        (bytes.fromhex("00000001 ffffffff"), "situation 0xffffffff; identity only"),
        (HEAD, "4 octets wanted, 0 left"),
        (offer(PROPOSAL) + b"\0", "1 octets after the last proposal"),
        (HEAD + b"\3\0" + offer(PROPOSAL)[10:], "TRANSFORM follows inside a list of PROPOSAL"),
        (HEAD + b"\0\1" + offer(PROPOSAL)[10:], "reserved octet of a PROPOSAL payload is 1"),
        (HEAD + bytes.fromhex("0000 0003"), "PROPOSAL payload with length 3"),
        (HEAD + bytes.fromhex("0000 0000"), "PROPOSAL payload with length 0"),
        (HEAD + bytes.fromhex("0000 0100") + PROPOSAL, "proposal 1: length 252"),
        (offer(b"\1\1\xff\1" + PROPOSAL[4:]), "255 octets wanted"),
        (offer(PROPOSAL[:6] + b"\0\x0b" + PROPOSAL[8:]), "transform 1: 4 octets wanted, 3 left"),
        (offer(PROPOSAL[:6] + b"\0\x0d" + PROPOSAL[8:]), "proposal 1: 9 octets wanted"),
        (offer(PROPOSAL[:4] + b"\3" + PROPOSAL[5:]), "4 octets wanted, 0 left"),
        (offer(PROPOSAL[:4] + b"\0\1" + PROPOSAL[6:]), "reserved octet of a TRANSFORM"),
        (offer(PROPOSAL + b"\0"), "proposal 1: 1 octets too many"),
    ],
)
def test_what_does_not_add_up_is_malformed(body: bytes, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        SaPayload.decode(body)


def test_a_payload_holds_no_more_transforms_than_anyone_offers() -> None:
    most = bytes([1, 1, 0, 48]) + listed(*[TRANSFORM] * 48, kind=PayloadType.TRANSFORM)
    assert sum(len(p.transforms) for p in SaPayload.decode(offer(most, most)).proposals) == MAX_TRANSFORMS
    with pytest.raises(Malformed, match="more than 96 transforms"):
        SaPayload.decode(offer(most, most, PROPOSAL))


@pytest.mark.parametrize(
    "body",
    [
        offer(bytes([1, 1, 0, 227]) + listed(*[TRANSFORM] * 227, kind=PayloadType.TRANSFORM)),
        offer(*[PROPOSAL] * 180),
        offer(*[bytes([1, 1, 0, 0])] * 500),
    ],
    ids=["in one proposal", "one in each", "none in each"],
)
def test_what_goes_beyond_is_not_read(body: bytes) -> None:
    with calls_of(_sub_header) as read, pytest.raises(Malformed, match="more than 96 transforms"):
        SaPayload.decode(body)
    assert len(read) <= 2 * (MAX_TRANSFORMS + 1)


def test_an_sa_payload_that_is_longer_than_any_offer_is_not_read() -> None:
    transform = TRANSFORM + bytes.fromhex("400000e8") + bytes(232)
    longest = bytes([1, 1, 0, 16]) + listed(*[transform] * 16, kind=PayloadType.TRANSFORM)
    assert len(SaPayload.decode(offer(longest)).body) <= MAX_SA
    with calls_of(_sub_header) as read, pytest.raises(Malformed, match="at most 4096 are wanted"):
        SaPayload.decode(offer(longest, longest))
    assert read == []


def test_a_proposal_without_transforms_is_read() -> None:
    (proposal,) = SaPayload.decode(offer(bytes.fromhex("01 03 04 00 deadbeef"))).proposals
    assert proposal == Proposal(1, Protocol.ESP, bytes.fromhex("deadbeef"), ())
