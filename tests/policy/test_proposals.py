"""The language of proposals, both ways."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikevd.policy.model import EspSuite, IkeSuite
from ikevd.policy.proposals import format_esp, format_ike, parse_esp, parse_ike, weaknesses
from ikevd.wire.registry import Cipher, EspTransform, Group, Hash, Integrity

CIPHERS = ("aes128", "aes192", "aes256")
HASHES = ("sha1", "sha256")
GROUPS = ("modp1024", "modp2048", "curve25519")


def test_ike() -> None:
    assert parse_ike("aes256-sha256-modp2048") == IkeSuite(Cipher.AES_CBC, 256, Hash.SHA2_256, Group.MODP_2048)
    assert parse_ike("aes128-sha1-x25519") == IkeSuite(Cipher.AES_CBC, 128, Hash.SHA1, Group.CURVE25519)


def test_esp() -> None:
    assert parse_esp("aes256-sha256") == EspSuite(EspTransform.AES_CBC, 256, Integrity.HMAC_SHA2_256)
    with_pfs = EspSuite(EspTransform.AES_CBC, 192, Integrity.HMAC_SHA1, Group.MODP_1024)
    assert parse_esp("aes192-sha1-modp1024") == with_pfs


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("hash_", HASHES)
@pytest.mark.parametrize("group", GROUPS)
def test_round_trip(cipher: str, hash_: str, group: str) -> None:
    text = f"{cipher}-{hash_}-{group}"
    assert format_ike(parse_ike(text)) == text
    assert format_esp(parse_esp(text)) == text
    assert format_esp(parse_esp(f"{cipher}-{hash_}")) == f"{cipher}-{hash_}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "aes256-sha265-modp2048",
            "'aes256-sha265-modp2048' has an unknown word 'sha265' (word 2, the hash); did you mean 'sha256'?",
        ),
        ("AES256-sha256-modp2048", "did you mean 'aes256'?"),
        ("aes256-sha256-modp2048!", "did you mean 'modp2048'?"),
        ("aes256-sha256", "has no group; wanted cipher-hash-group, for example aes256-sha256-modp2048"),
        ("aes256", "has no hash"),
        ("", "'' is no proposal; wanted cipher-hash-group"),
        ("sha256-aes256-modp2048", "word 1 is 'sha256', where the cipher is wanted: aes128, aes192 or aes256"),
        ("3des-sha1-modp1024", "word 1, '3des', is not supported by this version; wanted aes128, aes192 or aes256"),
        ("aes256-md5-modp1024", "word 2, 'md5', is not supported by this version; wanted sha1 or sha256"),
        ("aes256gcm16-sha256-modp2048", "'aes256gcm16', is not supported"),
        ("aes256-sha256-ecp256", "'ecp256', is not supported by this version; wanted modp1024, modp2048 or curve25519"),
        ("aes256-sha256-modp2048-sha1", "has more than 3 words"),
        ("aes256-sha256-", "unknown word ''"),
        ("blowzz-sha256-modp2048", "wanted aes128, aes192 or aes256"),
    ],
)
def test_ike_errors(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_ike(text)
    assert message in str(caught.value)


def test_esp_error_shows_both_shapes() -> None:
    with pytest.raises(ValueError, match=r"has no integrity; wanted cipher-integrity\[-group\]"):
        parse_esp("aes256")


def test_foreign_suites_are_shown_in_the_same_words() -> None:
    """What a peer offers is shown with these functions, whatever it is; the numbers of different registries repeat."""
    assert format_ike(IkeSuite(Cipher.TRIPLE_DES_CBC, 0, Hash.MD5, Group.MODP_768)) == "3des-md5-modp768"
    assert format_ike(IkeSuite(Cipher(99), 128, Hash(98), Group(97))) == "cipher_99128-hash_98-group_97"
    assert format_esp(EspSuite(EspTransform.AES_GCM_16, 256, Integrity.NONE)) == "aesgcm16256-none"
    assert format_esp(EspSuite(EspTransform.TRIPLE_DES, 0, Integrity.HMAC_MD5)) == "3des-md5"


def test_weaknesses() -> None:
    assert weaknesses(parse_ike("aes256-sha256-modp2048")) == ()
    assert weaknesses(parse_esp("aes256-sha256")) == ()
    assert len(weaknesses(parse_ike("aes256-sha1-modp1024"))) == 2
    (only,) = weaknesses(parse_esp("aes256-sha1"))
    assert "sha1" in only


@given(st.text() | st.lists(st.sampled_from([*CIPHERS, *HASHES, *GROUPS, "3des", ""])).map("-".join))
def test_any_text_parses_or_raises_value_error(text: str) -> None:
    for parse in (parse_ike, parse_esp):
        with suppress(ValueError):
            parse(text)
