"""Lifetimes, what an initiator takes for an answer, and the nearest miss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ikevd.errors import Malformed, NoProposalChosen
from ikevd.observe.words import say_error
from ikevd.policy.choose import Phase1Offer, accept_phase1, accept_phase2, choose_phase2
from ikevd.policy.lives import Lifetime, shorter
from ikevd.policy.suites import IkeSuite
from ikevd.wire.attributes import Attribute
from ikevd.wire.registry import (
    AuthMethod,
    Encapsulation,
    EspTransform,
    Group,
    Hash,
    IkeAttribute,
    Integrity,
    IpsecAttribute,
    LifeType,
    Protocol,
)
from ikevd.wire.sa import Proposal, SaPayload, Transform
from tests.builders import AES128_SHA256_X25519, AES256_SHA1_MODP2048, ESP_AES128_SHA256, ESP_AES256_SHA1
from tests.policy.offers import HOUR, PFS, altered, esp, ike, several, with_attributes, without
from tests.sayings import raises_saying

# -- lifetimes --------------------------------------------------------------------------------------------------------


def life(kind: int, value: bytes, names: type[IkeAttribute] | type[IpsecAttribute]) -> tuple[Attribute, Attribute]:
    return Attribute.number(names.LIFE_TYPE, kind), Attribute(names.LIFE_DURATION, value, basic=len(value) == 2)


@pytest.mark.parametrize("value", ["0708", "000708", "00000708", "0000000000000708"])
def test_a_lifetime_is_read_in_every_width(value: str) -> None:
    bare = altered(ike(AES128_SHA256_X25519), without(IkeAttribute.LIFE_TYPE, IkeAttribute.LIFE_DURATION))
    sa = altered(bare, with_attributes(*life(LifeType.SECONDS, bytes.fromhex(value), IkeAttribute)))
    assert Phase1Offer(sa).choose((AES128_SHA256_X25519,)).lifetime == Lifetime(1800)


@pytest.mark.parametrize(
    ("attributes", "lifetime"),
    [
        ((), Lifetime(28800)),
        ((Attribute.number(IpsecAttribute.LIFE_TYPE, 1),), Lifetime(28800)),
        ((Attribute.number(IpsecAttribute.LIFE_DURATION, 60),), Lifetime(28800)),
        (life(LifeType.SECONDS, b"\0\0", IpsecAttribute), Lifetime(28800)),
        (life(LifeType.KILOBYTES, b"\0\x46\x50\0", IpsecAttribute), Lifetime(28800, 4608000)),
        (
            (*life(1, b"\x07\x08", IpsecAttribute), *life(2, b"\x10\x00", IpsecAttribute)),
            Lifetime(1800, 4096),
        ),
        (
            (*life(1, b"\x07\x08", IpsecAttribute), *life(1, b"\x00\x01", IpsecAttribute)),
            Lifetime(1800),
        ),
        (life(7, b"\x00\x01", IpsecAttribute), Lifetime(28800)),
        (life(1, b"\xff" * 8, IpsecAttribute), Lifetime(50000)),
    ],
    ids=["none", "type alone", "duration alone", "zero", "volume", "both", "twice", "unknown type", "endless"],
)
def test_what_a_life_says(attributes: tuple[Attribute, ...], lifetime: Lifetime) -> None:
    bare = altered(esp(ESP_AES128_SHA256), without(IpsecAttribute.LIFE_TYPE, IpsecAttribute.LIFE_DURATION))
    choice = choose_phase2(altered(bare, with_attributes(*attributes)), (ESP_AES128_SHA256,), Lifetime(50000))
    assert choice.lifetime == lifetime


def test_a_duration_of_no_octets_makes_the_transform_unreadable() -> None:
    sa = altered(esp(ESP_AES128_SHA256), with_attributes(*life(1, b"", IpsecAttribute)))
    with raises_saying(NoProposalChosen, "a transform whose LIFE_DURATION is no number"):
        choose_phase2(sa, (ESP_AES128_SHA256,), HOUR)


@pytest.mark.parametrize(
    ("ours", "theirs", "kept"),
    [
        (Lifetime(60), Lifetime(90), Lifetime(60)),
        (Lifetime(90, 7000), Lifetime(60), Lifetime(60, 7000)),
        (Lifetime(90), Lifetime(90, 8000), Lifetime(90, 8000)),
        (Lifetime(90, 7000), Lifetime(90, 8000), Lifetime(90, 7000)),
    ],
)
def test_of_each_life_the_shorter_is_kept(ours: Lifetime, theirs: Lifetime, kept: Lifetime) -> None:
    assert shorter(ours, theirs) == shorter(theirs, ours) == kept


# -- the initiator judges the answer ----------------------------------------------------------------------------------

IKE_SUITES = (AES128_SHA256_X25519, AES256_SHA1_MODP2048)
ESP_SUITES = (ESP_AES128_SHA256, ESP_AES256_SHA1)
IKE_OFFER, ESP_OFFER = ike(*IKE_SUITES), esp(*ESP_SUITES)


def only(sa: SaPayload, number: int, **changes: object) -> SaPayload:
    """The answer that chooses transform `number`."""
    (proposal,) = sa.proposals
    return SaPayload((replace(proposal, transforms=(proposal.transforms[number - 1],), **changes),))  # type: ignore[arg-type]


def test_what_was_offered_may_be_chosen() -> None:
    assert accept_phase1(IKE_SUITES, only(IKE_OFFER, 2)).suite == AES256_SHA1_MODP2048
    choice = accept_phase2(ESP_SUITES, only(ESP_OFFER, 2, spi=b"\0\0\xb0\0"), HOUR)
    assert (choice.suite, choice.peer_spi) == (ESP_AES256_SHA1, b"\0\0\xb0\0")


def test_a_peer_may_shorten_the_life_in_its_answer() -> None:
    answer = altered(only(IKE_OFFER, 1), without(IkeAttribute.LIFE_TYPE, IkeAttribute.LIFE_DURATION))
    answer = altered(answer, with_attributes(*life(LifeType.SECONDS, b"\x00\x00\x07\x08", IkeAttribute)))
    assert accept_phase1(IKE_SUITES, answer).lifetime == Lifetime(1800)


@pytest.mark.parametrize(
    "answer",
    [
        only(ike(replace(AES128_SHA256_X25519, key_bits=256)), 1),
        only(ike(replace(AES128_SHA256_X25519, hash=Hash.MD5)), 1),
        only(ike(replace(AES128_SHA256_X25519, auth=AuthMethod.XAUTH_INIT_PSK)), 1),
        altered(only(IKE_OFFER, 1), without(IkeAttribute.GROUP)),
        altered(only(IKE_OFFER, 1), with_attributes(Attribute.number(IkeAttribute.HASH, Hash.SHA1))),
    ],
)
def test_a_phase_1_choice_that_was_not_offered_is_refused(answer: SaPayload) -> None:
    with raises_saying(NoProposalChosen, "which we did not offer"):
        accept_phase1(IKE_SUITES, answer)


@pytest.mark.parametrize(
    "answer",
    [
        only(esp(replace(ESP_AES128_SHA256, integrity=Integrity.HMAC_MD5)), 1),
        only(esp(replace(ESP_AES128_SHA256, transform=EspTransform.NULL)), 1),
        only(esp(replace(ESP_AES128_SHA256, mode=Encapsulation.TRANSPORT)), 1),
        only(esp(PFS), 1),
        altered(only(ESP_OFFER, 1), with_attributes(Attribute.number(IpsecAttribute.GROUP, 99))),
    ],
)
def test_a_phase_2_choice_that_was_not_offered_is_refused(answer: SaPayload) -> None:
    with raises_saying(NoProposalChosen, "which we did not offer"):
        accept_phase2(ESP_SUITES, answer, HOUR)


def test_an_answer_holds_one_proposal_with_one_transform_of_the_protocol_offered() -> None:
    one = only(ESP_OFFER, 1)
    none = SaPayload((replace(one.proposals[0], transforms=()),))
    held = ("1 proposal and 2 transforms", "2 proposals and 2 transforms", "1 proposal and no transforms")
    for answer, words in zip((ESP_OFFER, several(one, one), none), held, strict=True):
        with raises_saying(NoProposalChosen, words):
            accept_phase2(ESP_SUITES, answer, HOUR)
    with raises_saying(NoProposalChosen, "the peer chose AH, we offered ESP"):
        accept_phase2(ESP_SUITES, only(ESP_OFFER, 1, protocol=Protocol.AH), HOUR)
    with pytest.raises(Malformed, match="SPI has 8 octets, not 4"):
        accept_phase2(ESP_SUITES, only(ESP_OFFER, 1, spi=bytes(8)), HOUR)


# -- the nearest miss -------------------------------------------------------------------------------------------------


def phase1_miss(offered: Sequence[IkeSuite], ours: Sequence[IkeSuite]) -> str:
    with pytest.raises(NoProposalChosen) as refusal:
        Phase1Offer(ike(*offered)).choose(ours)
    return say_error(refusal.value)


def test_the_nearest_miss_is_the_pair_that_differs_least() -> None:
    far = IkeSuite(AES256_SHA1_MODP2048.cipher, 192, Hash.MD5, Group.MODP_768)
    near = replace(AES128_SHA256_X25519, hash=Hash.SHA1)
    assert phase1_miss((far, near), (AES256_SHA1_MODP2048, AES128_SHA256_X25519)) == (
        "no acceptable phase 1 proposal: nearest offer of the peer aes128-sha1-curve25519, "
        "ours aes128-sha256-curve25519; they differ in the hash (theirs sha1, ours sha256)"
    )


def test_pfs_on_one_side_only_is_named() -> None:
    with raises_saying(NoProposalChosen, r"differ in the PFS group \(theirs none, ours modp2048\)"):
        choose_phase2(esp(ESP_AES128_SHA256), (PFS,), HOUR)


def test_numbers_without_a_name_are_named_by_their_number() -> None:
    assert "group_99" in phase1_miss((replace(AES128_SHA256_X25519, group=Group(99)),), (AES128_SHA256_X25519,))


def test_an_offer_of_nothing_is_called_so() -> None:
    empty = SaPayload((Proposal(1, Protocol.ISAKMP, b"", ()),))
    with raises_saying(NoProposalChosen, "no acceptable phase 1 proposal: the peer offers no proposal at all"):
        Phase1Offer(empty).choose((AES128_SHA256_X25519,))


def test_many_unreadable_transforms_are_named_once() -> None:
    (proposal,) = ike(AES128_SHA256_X25519).proposals
    odd = Transform(1, 1, ())
    sa = SaPayload((replace(proposal, transforms=(odd,) * 200),))
    with pytest.raises(NoProposalChosen) as refusal:
        Phase1Offer(sa).choose((AES128_SHA256_X25519,))
    assert say_error(refusal.value).endswith("the peer offers a transform without ENCRYPTION")


def test_no_peer_can_make_a_lifetime_so_short_that_it_is_a_storm() -> None:
    assert shorter(Lifetime(3600, 4_608_000), Lifetime(1, 1)) == Lifetime(60, 1024)
