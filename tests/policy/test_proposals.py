"""The language of proposals, both ways."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikevd.policy.algorithms import ESP_CIPHERS, GROUPS, IKE_CIPHERS, IKE_HASHES, INTEGRITIES
from ikevd.policy.proposals import (
    ALIASES,
    GROUP_ALIASES,
    NOT_SUPPORTED,
    format_esp,
    format_ike,
    parse_ah,
    parse_esp,
    parse_ike,
    weaknesses,
)
from ikevd.policy.suites import IkeSuite, IpsecSuite
from ikevd.wire.registry import Cipher, EspTransform, Group, Hash, Integrity, Protocol

IKE_WORDS = [word for row in IKE_CIPHERS.values() for word, _ in row.words()]
ESP_WORDS = [
    f"{word}-{integrity.word}" if not row.icv_bits else word
    for row in ESP_CIPHERS.values()
    for word, _ in row.words()
    for integrity in INTEGRITIES.values()
]
HASH_WORDS = [row.word for row in IKE_HASHES.values()]
GROUP_WORDS = [row.word for row in GROUPS.values()]


def test_ike() -> None:
    assert parse_ike("aes256-sha256-modp2048") == IkeSuite(Cipher.AES_CBC, 256, Hash.SHA2_256, Group.MODP_2048)
    assert parse_ike("aes128-sha1-x25519") == IkeSuite(Cipher.AES_CBC, 128, Hash.SHA1, Group.CURVE25519)


def test_esp() -> None:
    assert parse_esp("aes256-sha256") == IpsecSuite(EspTransform.AES_CBC, 256, Integrity.HMAC_SHA2_256)
    with_pfs = IpsecSuite(EspTransform.AES_CBC, 192, Integrity.HMAC_SHA1, Group.MODP_1024)
    assert parse_esp("aes192-sha1-modp1024") == with_pfs


@pytest.mark.parametrize(
    ("text", "suite"),
    [
        ("3des-md5-modp1024", IkeSuite(Cipher.TRIPLE_DES_CBC, 0, Hash.MD5, Group.MODP_1024)),
        ("des-sha1-modp768", IkeSuite(Cipher.DES_CBC, 0, Hash.SHA1, Group.MODP_768)),
        ("camellia256-sha512-ecp521", IkeSuite(Cipher.CAMELLIA_CBC, 256, Hash.SHA2_512, Group.ECP_521)),
        ("cast128-sha384-x448", IkeSuite(Cipher.CAST_CBC, 128, Hash.SHA2_384, Group.CURVE448)),
        ("blowfish256-sha1-modp1024s160", IkeSuite(Cipher.BLOWFISH_CBC, 256, Hash.SHA1, Group.MODP_1024_160)),
        ("aes-sha2_256-ecp384bp", IkeSuite(Cipher.AES_CBC, 128, Hash.SHA2_256, Group.BRAINPOOL_384)),
        ("camellia-sha-modp1536", IkeSuite(Cipher.CAMELLIA_CBC, 128, Hash.SHA1, Group.MODP_1536)),
    ],
)
def test_words_of_ike(text: str, suite: IkeSuite) -> None:
    assert parse_ike(text) == suite


@pytest.mark.parametrize(
    ("text", "suite"),
    [
        ("null-sha1", IpsecSuite(EspTransform.NULL, 0, Integrity.HMAC_SHA1)),
        ("3des-aesxcbc", IpsecSuite(EspTransform.TRIPLE_DES, 0, Integrity.AES_XCBC)),
        ("aes128ctr-sha384", IpsecSuite(EspTransform.AES_CTR, 128, Integrity.HMAC_SHA2_384)),
        ("aes256gcm16", IpsecSuite(EspTransform.AES_GCM_16, 256, Integrity.NONE)),
        ("aes256gcm16-modp2048", IpsecSuite(EspTransform.AES_GCM_16, 256, Integrity.NONE, Group.MODP_2048)),
        ("aes192gcm64", IpsecSuite(EspTransform.AES_GCM_8, 192, Integrity.NONE)),
        ("aes128ccm96-x25519", IpsecSuite(EspTransform.AES_CCM_12, 128, Integrity.NONE, Group.CURVE25519)),
        ("aes128gmac", IpsecSuite(EspTransform.NULL_AES_GMAC, 128, Integrity.NONE)),
    ],
)
def test_words_of_esp(text: str, suite: IpsecSuite) -> None:
    assert parse_esp(text) == suite


@given(st.tuples(*map(st.sampled_from, (IKE_WORDS, HASH_WORDS, GROUP_WORDS))))
def test_every_ike_suite_is_written_as_it_is_read(words: tuple[str, str, str]) -> None:
    assert format_ike(parse_ike("-".join(words))) == "-".join(words)


@given(st.sampled_from(ESP_WORDS), st.sampled_from(["", *GROUP_WORDS]))
def test_every_esp_suite_is_written_as_it_is_read(suite: str, group: str) -> None:
    text = f"{suite}-{group}" if group else suite
    assert format_esp(parse_esp(text)) == text


@pytest.mark.parametrize(("other", "word"), [*ALIASES.items(), *GROUP_ALIASES.items()])
def test_every_alias_stands_for_a_word(other: str, word: str) -> None:
    assert word in {*IKE_WORDS, *HASH_WORDS, *GROUP_WORDS, *(suite.split("-")[0] for suite in ESP_WORDS)}
    assert other not in {*IKE_WORDS, *HASH_WORDS, *GROUP_WORDS}


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("aes256-sha2-dh14", "aes256-sha256-modp2048"),
        ("aes256-sha2_512-group19", "aes256-sha512-ecp256"),
        ("3des-sha-group2", "3des-sha1-modp1024"),
        ("aes128-md5-dh5", "aes128-md5-modp1536"),
        ("aes128-sha1-group24", "aes128-sha1-modp2048s256"),
        ("aes128-sha2-dh31", "aes128-sha256-curve25519"),
    ],
)
def test_words_of_cisco_and_libreswan_are_read_and_printed_in_ours(text: str, canonical: str) -> None:
    assert format_ike(parse_ike(text)) == format_esp(parse_esp(text)) == canonical


def test_every_group_has_its_number_as_a_word() -> None:
    assert len(GROUP_ALIASES) == 2 * len(GROUPS)
    for number, row in GROUPS.items():
        assert GROUP_ALIASES[f"group{int(number)}"] == GROUP_ALIASES[f"dh{int(number)}"] == row.word


@pytest.mark.parametrize("text", ["des-md5-group1", "3des-sha-dh2"])
def test_a_weak_word_of_others_is_named_in_ours(text: str) -> None:
    suite = parse_ike(text)
    assert [word in " ".join(weaknesses(suite)) for word in format_ike(suite).split("-")] == [True, True, True]


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
        (
            "sha256-aes256-modp2048",
            "word 1 is 'sha256', where the cipher is wanted; wanted one such as aes128, aes192, aes256 or camellia256",
        ),
        ("serpent-sha1-modp1024", "word 1, 'serpent', is not supported by this version; wanted one such as aes128"),
        ("aes256-sha256-ecp224bp", "word 3, 'ecp224bp', is not supported by this version; wanted one such as modp2048"),
        ("aes256-sha256-prfsha1-modp2048", "word 3, 'prfsha1', is not supported"),
        ("aes256gcm16-sha256-modp2048", "word 1, 'aes256gcm16', is for ESP, not for IKE; wanted one such as aes128"),
        ("null-sha256-modp2048", "word 1, 'null', is for ESP, not for IKE"),
        ("aes256-aesxcbc-modp2048", "word 2, 'aesxcbc', is for ESP, not for IKE; wanted one such as sha256, sha384"),
        ("aes256-sha256-modp1025", "did you mean 'modp1024'?"),
        ("aes257-sha256-modp2048", "unknown word 'aes257' (word 1, the cipher); did you mean 'aes25"),
        ("aes256-sha256-modp2048-sha1", "has more than 3 words"),
        ("aes256-sha256-", "unknown word ''"),
        ("aes-256-sha256-modp2048", "unknown word '256' (word 2, the hash); did you mean 'aes256'?"),
        ("aes256-sha-256-modp2048", "unknown word '256' (word 3, the group); did you mean 'sha256'?"),
        ("aes256-sha256-group-14", "unknown word 'group' (word 3, the group); did you mean 'group14'?"),
        ("aes256-sha256-dh99", "unknown word 'dh99' (word 3, the group); wanted one such as modp2048"),
        (
            "aes256-sha256-modp2048, aes128-sha1-modp1536",
            "holds a comma; wanted a list, one proposal an item: '[aes256-sha256-modp2048, aes128-sha1-modp1536]'",
        ),
        ("aes256-sha2;dh14", "is not joined by '-' alone; wanted cipher-hash-group"),
        ("qqqq-sha256-modp2048", "unknown word 'qqqq' (word 1, the cipher); wanted one such as aes128, aes192"),
    ],
)
def test_ike_errors(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_ike(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "aes256gcm16-sha256",
            "'aes256gcm16-sha256': aes256gcm16 authenticates by itself, so there is no place for 'sha256' (word 2); "
            "wanted aes256gcm16 or, with PFS, aes256gcm16-modp2048",
        ),
        ("aes256gcm16-modp2048-sha1", "has more than 2 words; wanted cipher-integrity[-group]"),
        ("null", "'null' has no integrity"),
        ("chacha20poly1305", "'chacha20poly1305', is not supported by this version; it has no number in IKEv1"),
        ("aes256-sha256_96", "write sha256, and sha256_96: true in the connection"),
        ("aes256-modp2048", "word 2 is 'modp2048', where the integrity is wanted"),
        ("esp-aes256-sha256", "word 1, 'esp', is not supported by this version; every hash"),
        ("esp-aes 256 esp-sha-hmac", "is not joined by '-' alone; wanted cipher-integrity[-group]"),
        ("aes256gcm15", "did you mean 'aes256gcm1"),
    ],
)
def test_esp_errors(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_esp(text)
    assert message in str(caught.value)


def test_esp_error_shows_both_shapes() -> None:
    with pytest.raises(ValueError, match=r"has no integrity; wanted cipher-integrity\[-group\]"):
        parse_esp("aes256")


def test_foreign_suites_are_shown_in_the_same_words() -> None:
    """What a peer offers is shown with these functions, whatever it is; the numbers of different registries repeat."""
    assert format_ike(IkeSuite(Cipher.TRIPLE_DES_CBC, 0, Hash.MD5, Group.MODP_768)) == "3des-md5-modp768"
    assert format_ike(IkeSuite(Cipher(99), 128, Hash(98), Group(97))) == "cipher_99128-hash_98-group_97"
    assert format_ike(IkeSuite(Cipher.IDEA_CBC, 0, Hash.TIGER, Group(3))) == "idea_cbc-tiger-group_3"
    assert format_ike(IkeSuite(Cipher.AES_CBC, 0, Hash.SHA1, Group.MODP_1024)) == "aes-sha1-modp1024"
    assert format_ike(IkeSuite(Cipher.TRIPLE_DES_CBC, 64, Hash.SHA1, Group.MODP_1024)) == "3des64-sha1-modp1024"
    assert format_esp(IpsecSuite(EspTransform.AES_CBC, 256, Integrity.NONE)) == "aes256-none"
    assert format_esp(IpsecSuite(EspTransform.AES_GCM_16, 256, Integrity.HMAC_SHA1)) == "aes256gcm16-sha1"
    assert format_esp(IpsecSuite(EspTransform(99), 0, Integrity.KPDK, Group(99))) == "esptransform_99-kpdk-group_99"


@pytest.mark.parametrize("text", ["aes256-sha256-modp2048", "camellia128-sha512-ecp256bp", "aes192-sha384-curve448"])
def test_a_strong_suite_has_no_weakness(text: str) -> None:
    assert weaknesses(parse_ike(text)) == ()


@pytest.mark.parametrize("text", ["aes256-sha256", "aes128gcm16-ecp256", "aes128ctr-aesxcbc", "camellia256-sha512"])
def test_a_strong_esp_suite_has_no_weakness(text: str) -> None:
    assert weaknesses(parse_esp(text)) == ()


@pytest.mark.parametrize(
    ("text", "weak"),
    [
        ("aes256-sha1-modp1024", ["sha1 is deprecated", "modp1024 is too short"]),
        ("des-md5-modp768", ["des: its key", "md5 is broken", "modp768 gives no security"]),
        ("3des-sha256-modp1536", ["3des: blocks of 64 bits", "modp1536 is too short"]),
        ("cast40-sha256-ecp192", ["cast: blocks of 64 bits", "a key of 40 bits", "ecp192"]),
        ("blowfish128-sha256-modp1024s160", ["blowfish: blocks of 64 bits", "modp1024s160 is too short"]),
        ("aes128-sha256-modp2048s256", ["modp2048s256 rests on a prime of unknown origin"]),
    ],
)
def test_every_weak_part_is_named(text: str, weak: list[str]) -> None:
    found = weaknesses(parse_ike(text))
    assert len(found) == len(weak)
    assert all(told.startswith(wanted) for told, wanted in zip(found, weak, strict=True))


@pytest.mark.parametrize("text", ["null-sha256", "aes128gmac"])
def test_esp_in_the_clear_is_weak(text: str) -> None:
    (only,) = weaknesses(parse_esp(text))
    assert "nothing is encrypted" in only


@given(
    st.text()
    | st.lists(
        st.sampled_from([*IKE_WORDS, *HASH_WORDS, *GROUP_WORDS, *ALIASES, *GROUP_ALIASES, *NOT_SUPPORTED, ""])
    ).map("-".join)
)
def test_any_text_parses_or_raises_value_error(text: str) -> None:
    for parse in (parse_ike, parse_esp):
        with suppress(ValueError):
            parse(text)


@pytest.mark.parametrize("words", ["sha256", "sha1-modp2048", "aesxcbc", "sha512-curve25519-esn", "md5-esn"])
def test_a_proposal_of_ah_is_read_and_written(words: str) -> None:
    suite = parse_ah(words)
    assert suite.protocol == Protocol.AH
    assert suite.transform == EspTransform.NULL
    assert format_esp(suite) == words


@pytest.mark.parametrize("words", ["aes256-sha256-esn", "aes128gcm16-esn", "aes256-sha256-modp2048-esn"])
def test_sequence_numbers_of_64_bits_are_read_and_written(words: str) -> None:
    assert parse_esp(words).esn
    assert format_esp(parse_esp(words)) == words
    assert parse_esp(words.replace("-esn", "-noesn")) == parse_esp(words.removesuffix("-esn"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("aes256-sha256", "an unknown word 'aes256'|is 'aes256', where the integrity is wanted"),
        ("sha256-esn-modp2048", "one of the two stands at the end"),
        ("sha256-modp2048-modp3072", "has more than 2 words"),
        ("sha256-esn-noesn", "one of the two stands at the end"),
    ],
)
def test_ah_errors(words: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_ah(words)


def test_esn_is_for_no_ike_proposal() -> None:
    with pytest.raises(ValueError, match="has more than 3 words"):
        parse_ike("aes256-sha256-modp2048-esn")


def test_nothing_is_wrong_with_ah_for_it_encrypts_nothing() -> None:
    assert weaknesses(parse_ah("sha256")) == ()
    assert weaknesses(parse_ah("md5")) == ("md5 is broken (RFC 6151)",)
