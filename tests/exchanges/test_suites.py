"""Main Mode and Quick Mode with every algorithm, and every way of PFS."""

from dataclasses import replace
from typing import Any

import pytest

from ikevd.crypto.secret import Secret
from ikevd.errors import InvalidKey, NoProposalChosen
from ikevd.exchanges import quick_mode
from ikevd.exchanges.ipsec import split_keymat
from ikevd.observe.words import say_error
from ikevd.policy.algorithms import ESP_CIPHERS, GROUPS, IKE_CIPHERS, IKE_HASHES, INTEGRITIES
from ikevd.policy.child import Child, Pfs
from ikevd.policy.proposals import parse_esp, parse_ike
from ikevd.sa.model import Spi
from ikevd.wire.registry import ExchangeType, Group
from tests.builders import SeededEntropy, child, connection
from tests.duet import Duet
from tests.exchanges.phase1_pair import main_mode_between, under_isakmp_sa
from tests.sayings import raises_saying

IKE = [
    *(f"{word}-sha256-curve25519" for row in IKE_CIPHERS.values() for word, _ in row.words()),
    *(f"aes128-{row.word}-curve25519" for row in IKE_HASHES.values()),
    *(f"{cipher}-{hash}-curve25519" for cipher in ("des", "3des", "aes256", "blowfish448") for hash in ("md5", "sha1")),
    *(f"aes128-sha256-{row.word}" for row in GROUPS.values()),
]
ESP = [
    *(word if row.icv_bits else f"{word}-sha256" for row in ESP_CIPHERS.values() for word, _ in row.words()),
    *(f"aes128-{row.word}" for row in INTEGRITIES.values()),
    *(f"aes128gcm16-{row.word}" for row in GROUPS.values()),
]


def phase_1(text: str) -> Duet:
    return main_mode_between(connection(suites=(parse_ike(text),)))


def phase_2(alice: Child, bob: Child, **options: Any) -> Duet:
    theirs = replace(bob, local=bob.remote, remote=bob.local)
    return under_isakmp_sa(
        ExchangeType.QUICK_MODE,
        lambda sa: lambda link, host: quick_mode.initiate(link, host, sa, alice, SeededEntropy(3)),
        lambda sa: lambda link, host: quick_mode.respond(link, host, sa, (theirs,), SeededEntropy(4)),
        **options,
    ).run()


@pytest.mark.parametrize("text", IKE)
def test_main_mode_with_every_cipher_hash_and_group(text: str) -> None:
    duet = phase_1(text)
    alice, bob = duet.initiator.result, duet.responder.result
    assert alice.suite == bob.suite == parse_ike(text)
    assert (alice.keys, alice.cipher_key) == (bob.keys, bob.cipher_key)
    assert phase_2(child(), child(), sas=(alice, bob)).agreed()


@pytest.mark.parametrize("text", ESP)
def test_quick_mode_with_every_suite(text: str) -> None:
    ours = child(suites=(parse_esp(text),))
    duet = phase_2(ours, ours)
    alice, bob = duet.initiator.result, duet.responder.result
    assert alice.suite == bob.suite == parse_esp(text)
    assert duet.agreed()
    inbound, outbound = (duet.initiator.host.keys[spi].encryption for spi in (alice.inbound, alice.outbound))
    assert inbound != outbound or "null" in text


@pytest.mark.parametrize(("text", "bits"), [("aes128-sha256", 96), ("aes128-sha1", None), ("aes128gcm16", None)])
def test_old_sha256_shortens_the_check_of_that_hash_alone(text: str, bits: int | None) -> None:
    ours = child(suites=(parse_esp(text),), sha256_96=True)
    duet = phase_2(ours, ours)
    assert (duet.initiator.result.icv_bits, duet.responder.result.icv_bits) == (bits, bits)


@pytest.mark.parametrize("suite", ["des-sha1", "3des-sha1"])
def test_a_weak_key_of_esp_is_refused(suite: str) -> None:
    """One KEYMAT in 2^52 begins so."""
    with raises_saying(InvalidKey, "KEYMAT for the ESP SA 0000abcd begins with a weak key"):
        split_keymat(Spi(0xABCD), parse_esp(suite), Secret(b"\1" * 44))


def test_keymat_is_key_and_salt_then_the_integrity_key() -> None:
    keys = split_keymat(Spi(0xABCD), parse_esp("aes128ctr-sha1"), Secret(bytes(range(40))))
    assert (keys.encryption.reveal(), keys.integrity.reveal()) == (bytes(range(20)), bytes(range(20, 40)))


# -- PFS --------------------------------------------------------------------------------------------------------------

NAMED = child(suites=(parse_esp("aes128-sha256-curve25519"),))
PLAIN = child(suites=(parse_esp("aes128-sha256"),), pfs=Pfs.OFF)


@pytest.mark.parametrize(
    ("alice", "bob", "group"),
    [
        (NAMED, NAMED, Group.CURVE25519),
        (NAMED, replace(NAMED, pfs=Pfs.OPTIONAL), Group.CURVE25519),
        (PLAIN, replace(NAMED, pfs=Pfs.OPTIONAL), None),
        (child(suites=(parse_esp("aes128-sha256-ecp384"),)), replace(NAMED, pfs=Pfs.OPTIONAL), Group.ECP_384),
        (replace(NAMED, pfs=Pfs.OPTIONAL), NAMED, Group.CURVE25519),
        (PLAIN, PLAIN, None),
        (replace(NAMED, pfs=Pfs.OFF), PLAIN, None),
        (PLAIN, replace(NAMED, pfs=Pfs.OFF), None),
    ],
    ids=[
        "both",
        "optional",
        "optional without",
        "optional other",
        "optional initiator",
        "off",
        "off as initiator",
        "off as responder",
    ],
)
def test_pfs_is_agreed(alice: Child, bob: Child, group: Group | None) -> None:
    duet = phase_2(alice, bob)
    assert duet.initiator.result.suite.group == duet.responder.result.suite.group == group
    assert duet.agreed()


@pytest.mark.parametrize(
    ("alice", "bob"),
    [(PLAIN, NAMED), (NAMED, PLAIN), (NAMED, replace(NAMED, pfs=Pfs.OFF)), (replace(NAMED, pfs=Pfs.OPTIONAL), PLAIN)],
    ids=["required", "off", "off though named", "optional initiator against off"],
)
def test_pfs_is_not_agreed(alice: Child, bob: Child) -> None:
    error = phase_2(alice, bob).responder.error
    assert isinstance(error, NoProposalChosen)
    assert "they differ in the PFS group" in say_error(error)
