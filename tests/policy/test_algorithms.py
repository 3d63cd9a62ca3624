"""The table of algorithms against what can be computed, what the kernel wants, and the page of the documentation."""

from pathlib import Path

import pytest

from ikevd.config.schema_child import DEFAULT_ESP_PROPOSALS
from ikevd.config.schema_connection import DEFAULT_IKE_PROPOSALS
from ikevd.crypto import groups
from ikevd.crypto.ciphers import key_length, key_lengths
from ikevd.crypto.primitives import hash_size
from ikevd.policy.algorithms import (
    ESP_CIPHERS,
    GROUPS,
    IKE_CIPHERS,
    IKE_HASHES,
    INTEGRITIES,
    CipherRow,
    HashRow,
    default_key_bits,
    esp_key_octets,
)
from ikevd.policy.proposals import parse_esp, parse_ike, weaknesses
from ikevd.wire.registry import EspTransform, Group, Integrity
from tests.policy.algorithms_page import page

PAGE = Path(__file__).parent.parent.parent / "docs" / "algorithms.md"


@pytest.mark.parametrize("row", IKE_CIPHERS.values(), ids=lambda row: row.template)
def test_every_cipher_of_ike_can_be_computed_with_every_key_length(row: CipherRow) -> None:
    assert row.ike is not None
    assert [bits for _, bits in row.words()] == list(key_lengths(row.ike))
    assert all(key_length(row.ike, bits) == row.key_octets(bits) for _, bits in row.words())


@pytest.mark.parametrize("row", IKE_HASHES.values(), ids=lambda row: row.word)
def test_every_hash_of_ike_can_be_computed(row: HashRow) -> None:
    assert row.ike is not None
    assert hash_size(row.ike) == row.key_octets


def test_every_group_can_be_computed_and_every_computable_one_has_a_word() -> None:
    assert set(GROUPS) == groups.SUPPORTED


def test_no_word_stands_for_two_things() -> None:
    words = [word for row in {*IKE_CIPHERS.values(), *ESP_CIPHERS.values()} for word, _ in row.words()]
    words += [row.word for row in INTEGRITIES.values()]
    words += [row.word for row in GROUPS.values()]
    assert len(words) == len(set(words))


def test_a_missing_key_length_is_128_only_where_there_could_be_one() -> None:
    found = {row.template: default_key_bits(row) for row in ESP_CIPHERS.values()}
    assert {word for word, bits in found.items() if bits == 0} == {"3des", "des", "null"}
    assert set(found.values()) == {0, 128}
    assert default_key_bits(None) == 0


@pytest.mark.parametrize(
    ("suite", "octets"),
    [
        ("aes256-sha256", (32, 32)),
        ("3des-md5", (24, 16)),
        ("des-sha1", (8, 20)),
        ("null-sha512", (0, 64)),
        ("cast128-sha384", (16, 48)),
        ("blowfish448-aesxcbc", (56, 16)),
        ("aes192ctr-sha1", (24 + 4, 20)),
        ("aes128gcm8", (16 + 4, 0)),
        ("aes256ccm16", (32 + 3, 0)),
        ("aes128gmac", (16 + 4, 0)),
    ],
)
def test_keymat_is_as_long_as_key_salt_and_integrity_key(suite: str, octets: tuple[int, int]) -> None:
    """RFC 3686 section 5.1, RFC 4106 section 8.1, RFC 4309 section 7.1, RFC 4543 section 5.3."""
    found = parse_esp(suite)
    assert esp_key_octets(found.transform, found.key_bits, found.integrity) == octets


def test_an_algorithm_without_a_row_has_no_key() -> None:
    with pytest.raises(KeyError):
        esp_key_octets(EspTransform.RC5, 128, Integrity.HMAC_SHA1)


def test_the_defaults_are_what_old_peers_have_and_nothing_worse() -> None:
    weak = {text for default in DEFAULT_IKE_PROPOSALS for text in weaknesses(parse_ike(default))}
    weak |= {text for default in DEFAULT_ESP_PROPOSALS for text in weaknesses(parse_esp(default))}
    assert weak == {"sha1 is deprecated", "modp1536 is too short for the years to come (RFC 8247)"}


def test_the_defaults_begin_with_a_group_that_aggressive_mode_can_offer_to_anybody() -> None:
    assert parse_ike(DEFAULT_IKE_PROPOSALS[0]).group == Group.MODP_2048


def test_the_page_of_the_documentation_is_the_table() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.policy.algorithms_page > docs/algorithms.md"
