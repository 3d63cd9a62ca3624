"""Which transform of an offer is chosen, and how it is answered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.errors import NoProposalChosen
from ikevd.exchanges.phase1 import Candidates
from ikevd.policy import choose
from ikevd.policy.algorithms import ESP_CIPHERS, CipherRow
from ikevd.policy.child import Pfs
from ikevd.policy.choose import Phase1Offer, choose_phase2
from ikevd.policy.lives import Lifetime
from ikevd.policy.proposals import parse_esp, parse_ike
from ikevd.policy.suites import IpsecSuite
from ikevd.wire.attributes import Attribute
from ikevd.wire.registry import (
    Encapsulation,
    Group,
    Hash,
    IkeAttribute,
    IpsecAttribute,
    Protocol,
)
from ikevd.wire.sa import Proposal, SaPayload
from tests.builders import AES128_SHA256_X25519, AES256_SHA1_MODP2048, ESP_AES128_SHA256, ESP_AES256_SHA1, connection
from tests.hostile.observed import calls_of
from tests.policy.offers import DAY, HOUR, PFS, SPI, Alter, altered, esp, ike, several, with_attributes, without
from tests.sayings import raises_saying

# -- which transform --------------------------------------------------------------------------------------------------


def test_the_responders_order_decides_not_the_initiators() -> None:
    ours = (AES256_SHA1_MODP2048, AES128_SHA256_X25519)
    choice = Phase1Offer(ike(AES128_SHA256_X25519, AES256_SHA1_MODP2048)).choose(ours)
    assert choice.suite == AES256_SHA1_MODP2048


def test_a_later_transform_of_a_later_proposal_can_be_chosen() -> None:
    weak = replace(AES128_SHA256_X25519, hash=Hash.MD5)
    sa = several(ike(weak), ike(weak, AES256_SHA1_MODP2048))
    (proposal,) = Phase1Offer(sa).choose((AES256_SHA1_MODP2048,)).answer.proposals
    assert (proposal.number, [transform.number for transform in proposal.transforms]) == (2, [2])


def test_of_two_equal_transforms_the_first_is_chosen() -> None:
    sa = ike(AES128_SHA256_X25519, AES128_SHA256_X25519)
    (proposal,) = Phase1Offer(sa).choose((AES128_SHA256_X25519,)).answer.proposals
    assert proposal.transforms[0].number == 1


def test_an_offer_is_read_and_compared_once_for_all_connections_that_accept_the_same() -> None:
    sa = ike(*[replace(AES128_SHA256_X25519, group=Group(100 + n)) for n in range(96)])
    candidates = Candidates(tuple(connection(name=f"peer{n}") for n in range(1000)))
    with calls_of(choose._miss) as compared, raises_saying(NoProposalChosen, "nearest offer"):
        candidates.choose(sa)
    assert len(compared) == 1


def test_attributes_are_read_from_the_chosen_transform_only() -> None:
    """The lifetime and key length of a refused transform say nothing about the chosen one."""
    refused = ike(replace(AES256_SHA1_MODP2048, hash=Hash.MD5), lifetime=Lifetime(60))
    choice = Phase1Offer(several(refused, ike(AES128_SHA256_X25519))).choose((AES128_SHA256_X25519,))
    assert (choice.suite.key_bits, choice.lifetime) == (128, DAY)


def test_the_chosen_transform_is_answered_octet_by_octet() -> None:
    """Odd widths, unusual order and transform numbers come back as they were."""
    kind = Attribute(IkeAttribute.LIFE_TYPE, b"\0\0\0\1", basic=False)
    life = Attribute(IkeAttribute.LIFE_DURATION, b"\0\x70\x80", basic=False)
    shuffled = altered(ike(AES128_SHA256_X25519), lambda attributes: (kind, life, *reversed(attributes[:5])))
    sent = replace(shuffled.proposals[0].transforms[0], number=77)
    sa = SaPayload.decode(SaPayload((replace(shuffled.proposals[0], number=9, transforms=(sent,)),)).encode())

    choice = Phase1Offer(sa).choose((AES128_SHA256_X25519,))
    assert choice.lifetime == Lifetime(28800)
    assert choice.answer.encode() == sa.body


def test_the_proposal_of_a_quick_mode_keeps_its_number_and_transform_but_not_the_peers_spi() -> None:
    sa = several(esp(PFS), esp(ESP_AES256_SHA1, ESP_AES128_SHA256))
    choice = choose_phase2(sa, (ESP_AES128_SHA256,), HOUR)
    assert choice.peer_spi == SPI
    assert choice.proposal == Proposal(2, Protocol.ESP, b"", (sa.proposals[1].transforms[1],))


def test_proposals_that_belong_together_are_passed_over() -> None:
    """AH and ESP under one number is an AND: both or nothing."""
    (proposal,) = esp(ESP_AES128_SHA256).proposals
    ah = replace(proposal, protocol=Protocol.AH)
    both = SaPayload((ah, proposal))
    with raises_saying(NoProposalChosen, "the peer offers AH with ESP"):
        choose_phase2(both, (ESP_AES128_SHA256,), HOUR)
    third = replace(proposal, number=2)
    assert choose_phase2(SaPayload((ah, proposal, third)), (ESP_AES128_SHA256,), HOUR).proposal.number == 2


@pytest.mark.parametrize("spi", [b"", b"\1", bytes(8)])
def test_an_esp_proposal_without_a_four_octet_spi_is_passed_over(spi: bytes) -> None:
    with pytest.raises(NoProposalChosen):
        choose_phase2(esp(ESP_AES128_SHA256, spi=spi), (ESP_AES128_SHA256,), HOUR)


def test_a_phase_1_proposal_may_hold_an_spi_which_is_not_repeated() -> None:
    """RFC 2408 section 3.5: it may be the cookie or zeros, and is ignored."""
    sa = ike(AES128_SHA256_X25519)
    sa = SaPayload((replace(sa.proposals[0], spi=bytes(8)),))
    assert Phase1Offer(sa).choose((AES128_SHA256_X25519,)).answer.proposals[0].spi == b""


def test_another_protocol_in_phase_1_is_passed_over() -> None:
    sa = ike(AES128_SHA256_X25519)
    with pytest.raises(NoProposalChosen):
        Phase1Offer(SaPayload((replace(sa.proposals[0], protocol=Protocol.ESP),))).choose((AES128_SHA256_X25519,))


def test_no_key_length_means_128_bits_for_aes() -> None:
    sa = altered(ike(AES128_SHA256_X25519), without(IkeAttribute.KEY_LENGTH))
    assert Phase1Offer(sa).choose((AES128_SHA256_X25519,)).suite.key_bits == 128
    sa = altered(esp(ESP_AES128_SHA256), without(IpsecAttribute.KEY_LENGTH))
    assert choose_phase2(sa, (ESP_AES128_SHA256,), HOUR).suite.key_bits == 128


@pytest.mark.parametrize("text", ["cast128-sha1-modp1024", "blowfish128-md5-modp1024", "camellia128-sha256-ecp256"])
def test_no_key_length_means_128_bits_wherever_there_could_be_one(text: str) -> None:
    sa = altered(ike(parse_ike(text)), without(IkeAttribute.KEY_LENGTH))
    assert Phase1Offer(sa).choose((parse_ike(text),)).suite.key_bits == 128


@pytest.mark.parametrize("text", ["3des-md5-modp1024", "des-sha1-modp768"])
def test_a_cipher_with_one_key_length_says_nothing_of_it(text: str) -> None:
    """RFC 2409 appendix A: the attribute must not be used with a fixed length key."""
    (proposal,) = ike(parse_ike(text)).proposals
    assert IkeAttribute.KEY_LENGTH not in [attribute.type for attribute in proposal.transforms[0].attributes]
    assert Phase1Offer(ike(parse_ike(text))).choose((parse_ike(text),)).suite == parse_ike(text)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("aes256-sha256", {IpsecAttribute.AUTHENTICATION, IpsecAttribute.KEY_LENGTH}),
        ("3des-sha1", {IpsecAttribute.AUTHENTICATION}),
        ("null-md5", {IpsecAttribute.AUTHENTICATION}),
        ("aes128gcm16", {IpsecAttribute.KEY_LENGTH}),
        ("aes128gmac", {IpsecAttribute.KEY_LENGTH}),
    ],
)
def test_an_esp_transform_holds_what_its_algorithms_need(text: str, kinds: set[int]) -> None:
    (proposal,) = esp(parse_esp(text)).proposals
    found = {attribute.type for attribute in proposal.transforms[0].attributes}
    assert found - {IpsecAttribute.LIFE_TYPE, IpsecAttribute.LIFE_DURATION, IpsecAttribute.ENCAPSULATION} == kinds


@pytest.mark.parametrize("row", ESP_CIPHERS.values(), ids=lambda row: row.template)
def test_every_esp_cipher_is_chosen_from_its_own_offer(row: CipherRow) -> None:
    for word, _ in row.words():
        suite = parse_esp(word if row.icv_bits else f"{word}-sha256")
        assert choose_phase2(esp(suite), (suite,), HOUR).suite == suite


@pytest.mark.parametrize("bits", [0, 1, 127, 257, 65535])
def test_a_key_length_out_of_the_table_is_never_chosen(bits: int) -> None:
    """CVE-2024-3652: AES-GMAC with a key of 0 bits."""
    odd = replace(parse_esp("aes128gmac"), key_bits=bits)
    sa = altered(esp(odd), with_attributes(*([Attribute.number(IpsecAttribute.KEY_LENGTH, 0)] if not bits else [])))
    with raises_saying(NoProposalChosen, "nearest offer of the peer aes"):
        choose_phase2(sa, (parse_esp("aes128gmac"), parse_esp("aes256gmac")), HOUR)


# -- perfect forward secrecy ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [None, Group.ECP_256, Group.MODP_2048, Group.CURVE448], ids=str)
def test_optional_pfs_takes_the_peers_group_or_none(group: Group | None) -> None:
    theirs = replace(PFS, group=group)
    assert choose_phase2(esp(theirs), (PFS,), HOUR, Pfs.OPTIONAL).suite == theirs


def test_optional_pfs_takes_our_own_group_first() -> None:
    offer = esp(replace(PFS, group=None), replace(PFS, group=Group.MODP_1024), PFS)
    assert choose_phase2(offer, (PFS,), HOUR, Pfs.OPTIONAL).suite == PFS


@pytest.mark.parametrize("group", [Group.MODP_768, Group.MODP_1024_160, Group.MODP_8192])
def test_optional_pfs_takes_no_group_that_is_weak_or_dear_unless_it_is_ours(group: Group) -> None:
    with pytest.raises(NoProposalChosen):
        choose_phase2(esp(replace(PFS, group=group)), (PFS,), HOUR, Pfs.OPTIONAL)
    ours = replace(PFS, group=group)
    assert choose_phase2(esp(ours), (ours,), HOUR, Pfs.OPTIONAL).suite == ours


@pytest.mark.parametrize("theirs", [replace(PFS, group=Group(99)), replace(PFS, key_bits=256), ESP_AES256_SHA1])
def test_optional_pfs_takes_no_group_that_cannot_be_computed_and_no_other_suite(theirs: IpsecSuite) -> None:
    with pytest.raises(NoProposalChosen):
        choose_phase2(esp(theirs), (PFS,), HOUR, Pfs.OPTIONAL)


@pytest.mark.parametrize("pfs", [Pfs.REQUIRED, Pfs.OFF])
@pytest.mark.parametrize(("ours", "theirs"), [(PFS, ESP_AES128_SHA256), (ESP_AES128_SHA256, PFS)])
def test_else_the_group_must_be_the_same(pfs: Pfs, ours: IpsecSuite, theirs: IpsecSuite) -> None:
    with raises_saying(NoProposalChosen, "they differ in the PFS group"):
        choose_phase2(esp(theirs), (ours,), HOUR, pfs)


def test_no_encapsulation_mode_means_tunnel() -> None:
    sa = altered(esp(ESP_AES128_SHA256), without(IpsecAttribute.ENCAPSULATION))
    assert choose_phase2(sa, (ESP_AES128_SHA256,), HOUR).suite.mode == Encapsulation.TUNNEL


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (with_attributes(Attribute.number(IkeAttribute.HASH, Hash.SHA2_256)), "a transform with HASH twice"),
        (with_attributes(Attribute.number(IkeAttribute.PRF, 1)), "a transform with attribute PRF"),
        (with_attributes(Attribute.number(99, 1)), "a transform with attribute IKEATTRIBUTE_99"),
        (
            with_attributes(Attribute(IkeAttribute.PRIME, bytes(128), basic=False)),
            "whose PRIME is no number",
        ),
        (without(IkeAttribute.GROUP), "a transform without GROUP"),
        (without(IkeAttribute.AUTH_METHOD, IkeAttribute.HASH), "a transform without HASH"),
    ],
)
def test_a_phase_1_transform_that_cannot_be_read_for_certain_is_passed_over(change: Alter, said: str) -> None:
    sa = altered(ike(AES128_SHA256_X25519), change)
    with raises_saying(NoProposalChosen, said):
        Phase1Offer(sa).choose((AES128_SHA256_X25519,))
    good = several(sa, ike(AES128_SHA256_X25519))
    assert Phase1Offer(good).choose((AES128_SHA256_X25519,)).answer.proposals[0].number == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (with_attributes(Attribute.number(IpsecAttribute.AUTHENTICATION, 5)), "a transform with AUTHENTICATION twice"),
        (with_attributes(Attribute.number(IpsecAttribute.KEY_ROUNDS, 8)), "a transform with attribute KEY_ROUNDS"),
        (
            with_attributes(Attribute.number(IpsecAttribute.EXTENDED_SEQUENCE, 2)),
            "a transform with EXTENDED_SEQUENCE 2",
        ),
        (without(IpsecAttribute.AUTHENTICATION), r"differ in the integrity \(theirs none, ours sha256\)"),
    ],
)
def test_an_esp_transform_that_cannot_be_read_for_certain_is_passed_over(change: Alter, said: str) -> None:
    with raises_saying(NoProposalChosen, said):
        choose_phase2(altered(esp(ESP_AES128_SHA256), change), (ESP_AES128_SHA256,), HOUR)


def test_a_transform_id_other_than_key_ike_is_named() -> None:
    (proposal,) = ike(AES128_SHA256_X25519).proposals
    transform = replace(proposal.transforms[0], id=2)
    with raises_saying(NoProposalChosen, "a transform with the ID 2"):
        Phase1Offer(SaPayload((replace(proposal, transforms=(transform,)),))).choose((AES128_SHA256_X25519,))
