"""Payloads that are missing, doubled or wrong in themselves, at every stage, from somebody who knows the keys.

In phase 1 such a message is dropped and the exchange goes on; in phase 2 it is authentic, so the exchange ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.errors import IkeError, InvalidId, InvalidKey, Malformed, NoProposalChosen
from ikevd.observe.words import say_error
from ikevd.policy.lives import Lifetime
from ikevd.policy.transforms import offer_phase2
from ikevd.wire.message import encode_chain
from ikevd.wire.payloads import (
    HashPayload,
    IdPayload,
    KePayload,
    NatDPayload,
    NoncePayload,
    Opaque,
    Payload,
    VidPayload,
)
from ikevd.wire.registry import ExchangeType, IdType, PayloadType
from tests.builders import ESP_AES128_SHA256
from tests.fuzz.stage import Stage
from tests.fuzz.stages import STAGES
from tests.hostile.crafted import PHASE_1, crafted, crafted_octets, ended, facts_in, refused
from tests.sayings import said

PHASE_1_STAGES = [name for name, make in STAGES.items() if make().exchange in PHASE_1]
QUICK_MODE = [name for name, make in STAGES.items() if make().exchange == ExchangeType.QUICK_MODE]
ZEROS = bytes(32)


def without(stage: Stage, kind: type[Payload]) -> tuple[Payload, ...]:
    return tuple(payload for payload in stage.genuine if not isinstance(payload, kind))


def instead(stage: Stage, other: Payload) -> tuple[Payload, ...]:
    return tuple(other if isinstance(payload, type(other)) else payload for payload in stage.genuine)


def holding(kind: type[Payload], names: list[str]) -> list[str]:
    return [name for name in names if any(isinstance(payload, kind) for payload in STAGES[name]().genuine)]


OPTIONAL = (NatDPayload, VidPayload)

MISSING = [
    (name, kind)
    for name in [*PHASE_1_STAGES, *QUICK_MODE]
    for kind in dict.fromkeys(type(payload) for payload in STAGES[name]().genuine)
    if kind not in OPTIONAL and (kind is not IdPayload or name in PHASE_1_STAGES)
]


@pytest.mark.parametrize(("name", "kind"), MISSING)
def test_a_message_without_one_of_its_payloads_is_refused(name: str, kind: type[Payload]) -> None:
    stage = STAGES[name]()
    message = crafted(stage, *without(stage, kind)) if without(stage, kind) else _empty_but_proven(stage)
    if name in QUICK_MODE:
        assert isinstance(ended(stage, message), Malformed | NoProposalChosen)
    else:
        assert refused(stage, message).error in ("Malformed", "ProbablePskMismatch")


def _empty_but_proven(stage: Stage) -> bytes:
    filler = Opaque(PayloadType(200), b"nothing that is wanted")
    if stage.prove is None:
        return crafted(stage, filler)
    return crafted_octets(stage, PayloadType.HASH, b"\0\0" + (36).to_bytes(2, "big") + ZEROS, prove=False)


DOUBLED = [
    (name, kind)
    for name in [*PHASE_1_STAGES, *QUICK_MODE]
    for kind in dict.fromkeys(type(payload) for payload in STAGES[name]().genuine)
    if kind not in OPTIONAL
]


@pytest.mark.parametrize(("name", "kind"), DOUBLED)
def test_a_message_with_one_of_its_payloads_twice_is_refused(name: str, kind: type[Payload]) -> None:
    stage = STAGES[name]()
    (first, *_) = [payload for payload in stage.genuine if isinstance(payload, kind)]
    message = crafted(stage, *stage.genuine, first)
    if name in QUICK_MODE:
        assert isinstance(ended(stage, message), Malformed)
    else:
        assert refused(stage, message).error in ("Malformed", "ProbablePskMismatch", "InvalidHash")


NONCES = {"empty": 0, "one octet short": 7, "one octet long": 257}


@pytest.mark.parametrize("size", NONCES.values(), ids=NONCES)
@pytest.mark.parametrize("name", holding(NoncePayload, list(STAGES)))
def test_a_nonce_outside_8_to_256_octets_is_dropped(name: str, size: int) -> None:
    """RFC 2409 section 5."""
    stage = STAGES[name]()
    dropped = refused(stage, crafted(stage, *instead(stage, NoncePayload(bytes(size)))))
    assert f"nonce of {size} octets" in said(dropped)


@pytest.mark.parametrize("size", [8, 256])
@pytest.mark.parametrize("name", holding(NoncePayload, ["MM3", "MM4", "QM1", "QM2"]))
def test_the_shortest_and_the_longest_nonce_are_accepted(name: str, size: int) -> None:
    stage = STAGES[name]()
    effects = stage.conversation.heard(crafted(stage, *instead(stage, NoncePayload(bytes(size)))), stage.path, 0.0)
    assert type(facts_in(effects)[0]).__name__ == "Heard"


ORDER = (2**255 - 19).to_bytes(32, "little")
PUBLIC_VALUES = {
    "empty": b"",
    "one octet": b"\1",
    "one octet short": ZEROS[2:] + b"\2",
    "one octet long": ZEROS + b"\2",
    "zero": ZEROS,
    "one": b"\1" + ZEROS[1:],
    "p - 1": bytes([ORDER[0] - 1]) + ORDER[1:],
    "p": ORDER,
}


@pytest.mark.parametrize("public", PUBLIC_VALUES.values(), ids=PUBLIC_VALUES)
@pytest.mark.parametrize("name", holding(KePayload, list(STAGES)))
def test_a_public_value_that_is_weak_or_of_another_length_is_refused(name: str, public: bytes) -> None:
    """CVE-2015-3240. Curve25519 here; every group in tests/crypto/test_groups.py."""
    stage = STAGES[name]()
    message = crafted(stage, *instead(stage, KePayload(public)))
    if name in QUICK_MODE or name.startswith("AM1"):  # in message 1 of Aggressive Mode nothing is known before
        assert isinstance(ended(stage, message), InvalidKey)
    else:
        assert refused(stage, message).error == "InvalidKey"


PROOFS = {"empty": b"", "cut": ZEROS[:16], "wrong": ZEROS, "too long": bytes(64), "of one octet": b"\0"}
PROVEN = [name for name, make in STAGES.items() if make().prove]


@pytest.mark.parametrize("proof", PROOFS.values(), ids=PROOFS)
@pytest.mark.parametrize("name", PROVEN)
def test_a_hash_that_does_not_hold_is_dropped(name: str, proof: bytes) -> None:
    stage = STAGES[name]()
    stage_prove, stage.prove = stage.prove, lambda _: HashPayload(proof)
    forged = crafted(stage, *stage.genuine)
    stage.prove = stage_prove
    assert refused(stage, forged).error in ("InvalidHash", "ProbablePskMismatch")


@pytest.mark.parametrize("name", [name for name in PROVEN if STAGES[name]().genuine])
def test_a_message_without_hash_is_dropped(name: str) -> None:
    stage = STAGES[name]()
    unproven = crafted_octets(stage, stage.genuine[0].TYPE, encode_chain(stage.genuine), prove=False)
    dropped = refused(stage, unproven)
    assert dropped.error in ("Malformed", "ProbablePskMismatch")


LAN, DMZ = b"\x0a\1\0\0\xff\xff\xff\0", b"\x0a\2\0\0\xff\xff\xff\0"


def subnet(data: bytes, **changes: object) -> IdPayload:
    return replace(IdPayload(IdType.IPV4_SUBNET, 0, 0, data), **changes)  # type: ignore[arg-type]


SELECTORS: dict[str, tuple[tuple[IdPayload, ...], type[IkeError]]] = {
    "one": ((subnet(LAN),), Malformed),
    "three": ((subnet(LAN), subnet(DMZ), subnet(DMZ)), Malformed),
    "IDcr a FQDN": ((subnet(LAN), IdPayload(IdType.FQDN, 0, 0, b"gw.example")), InvalidId),
    "IDci a distinguished name": ((IdPayload(IdType(9), 0, 0, b"0\0"), subnet(DMZ)), InvalidId),
    "of a type without a name": ((subnet(LAN, type=IdType(99)), subnet(DMZ)), InvalidId),
    "IPv4 address of 16 octets": ((subnet(LAN), IdPayload(IdType.IPV4_ADDR, 0, 0, bytes(16))), Malformed),
    "subnet of 7 octets": ((subnet(LAN[:7]), subnet(DMZ)), Malformed),
    "without data": ((subnet(LAN), subnet(b"")), Malformed),
    "mask with a hole": ((subnet(LAN[:4] + b"\xff\0\xff\0"), subnet(DMZ)), InvalidId),
    "range that ends before it begins": (
        (subnet(b"\x0a\1\0\xff\x0a\1\0\0", type=IdType.IPV4_RANGE), subnet(DMZ)),
        InvalidId,
    ),
    "protocol and port that no child has": ((subnet(LAN, protocol=6, port=443), subnet(DMZ)), InvalidId),
    "IPv6 and IPv4 mixed": ((IdPayload(IdType.IPV6_ADDR, 0, 0, bytes(16)), subnet(DMZ)), InvalidId),
    "none, where the child is no host": ((), InvalidId),
}


@pytest.mark.parametrize(("ids", "error"), SELECTORS.values(), ids=SELECTORS)
def test_traffic_selectors_that_are_none_end_the_quick_mode(ids: tuple[IdPayload, ...], error: type[IkeError]) -> None:
    """CVE-2023-38711 was IDcr as FQDN."""
    stage = STAGES["QM1"]()
    refusal = ended(stage, crafted(stage, *without(stage, IdPayload), *ids))
    assert isinstance(refusal, error)
    assert refusal.spi == bytes.fromhex("00003000"), "the Notify names the peer's SPI"


@pytest.mark.parametrize(("ids", "error"), SELECTORS.values(), ids=SELECTORS)
def test_traffic_selectors_that_are_none_in_the_answer_end_the_quick_mode(
    ids: tuple[IdPayload, ...], error: type[IkeError]
) -> None:
    stage = STAGES["QM2"]()
    assert isinstance(ended(stage, crafted(stage, *without(stage, IdPayload), *ids)), error)


PHASE_1_IDS = {
    "IPv4 address of 16 octets": IdPayload(IdType.IPV4_ADDR, 0, 0, bytes(16)),
    "of a type without a name": IdPayload(IdType(99), 0, 0, b"\xc0\0\2\1"),
    "without data": IdPayload(IdType.FQDN, 0, 0, b""),
    "a FQDN with a zero octet": IdPayload(IdType.FQDN, 0, 0, b"alice.example\0.evil"),
    "a distinguished name that is not DER": IdPayload(IdType(9), 0, 0, b"0\x84\xff\xff\xff\xff"),
    "64 kB": IdPayload(IdType.KEY_ID, 0, 0, bytes(60000)),
    "for a port of TCP": IdPayload(IdType.FQDN, 6, 443, b"alice.example"),
}


@pytest.mark.parametrize("identity", PHASE_1_IDS.values(), ids=PHASE_1_IDS)
@pytest.mark.parametrize("name", ["MM5", "MM6", "AM1"])
def test_a_proven_identity_that_is_nobodys_is_refused_in_words(name: str, identity: IdPayload) -> None:
    """Length by type before all else; nothing is guessed from the octets (CVE-2013-5018, CVE-2013-6075)."""
    stage = STAGES[name]()
    error = ended(stage, crafted(stage, *instead(stage, identity)))
    assert isinstance(error, InvalidId)
    assert len(say_error(error)) < 600


@pytest.mark.parametrize("spi", [b"", b"\0\0\1", b"\0\0\0\0", b"\0\0\0\xff", bytes(16)])
@pytest.mark.parametrize("name", ["QM1", "QM2"])
def test_an_esp_spi_of_a_wrong_size_or_reserved_ends_the_quick_mode(name: str, spi: bytes) -> None:
    stage = STAGES[name]()
    offer = offer_phase2((ESP_AES128_SHA256,), Lifetime(3600), spi)
    assert isinstance(ended(stage, crafted(stage, *instead(stage, offer))), Malformed | NoProposalChosen)
