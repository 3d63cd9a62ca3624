"""Headers and payload chains that do not add up, at every stage at which a message is awaited, from somebody who knows
the keys: each is dropped for a reason, answered by nothing, and the genuine message is accepted afterwards."""

from __future__ import annotations

import pytest

from ikevd.facts import Heard, Note
from ikevd.wire.message import MAX_PAYLOADS, encode_chain
from ikevd.wire.payloads import Opaque, Payload, VidPayload
from ikevd.wire.registry import Flags, PayloadType
from tests.fuzz.stages import STAGES
from tests.hostile.crafted import crafted_octets, facts_in, genuine_and, refused
from tests.hostile.mallory import changed, flipped
from tests.sayings import said

FLAGS = 19
VID = encode_chain([VidPayload(b"0123456789abcdef")])
PROTECTED = [name for name, make in STAGES.items() if make().chain]
EACH_STAGE = pytest.mark.parametrize("name", STAGES)
EACH_PROTECTED = pytest.mark.parametrize("name", PROTECTED)

CHAINS = {
    "length 0": changed(VID, 2, b"\0\0"),
    "length 1": changed(VID, 2, b"\0\1"),
    "length 3": changed(VID, 2, b"\0\3"),
    "length beyond the end": changed(VID, 2, b"\xff\xff"),
    "next payload that is not there": changed(VID, 0, b"\x0d"),
    "next payload without end": b"\x0d\0\0\4" * (MAX_PAYLOADS + 1),
    "reserved octet": changed(VID, 1, b"\x80"),
}


@pytest.mark.parametrize("fault", CHAINS)
@EACH_STAGE
def test_a_chain_that_does_not_add_up_is_dropped(name: str, fault: str) -> None:
    stage = STAGES[name]()
    dropped = refused(stage, crafted_octets(stage, PayloadType.VID, CHAINS[fault], prove=False))
    assert dropped.error in ("Malformed", "ProbablePskMismatch"), "phase 1 cannot tell it from another secret"


@EACH_STAGE
def test_a_header_without_payloads_is_dropped(name: str) -> None:
    stage = STAGES[name]()
    assert refused(stage, stage.header().encode(0)).error in ("Malformed", "ProbablePskMismatch")


@pytest.mark.parametrize("bit", [0x04, 0x08, 0x10, 0x20, 0x40, 0x80])
@EACH_STAGE
def test_a_header_flag_that_has_no_meaning_here_is_refused(name: str, bit: int) -> None:
    stage = STAGES[name]()
    dropped = refused(stage, flipped(stage.genuine_datagram(), FLAGS, bit))
    assert (dropped.error, said(dropped)[:12]) == ("UnexpectedMessage", "header flags")


KEPT_OPAQUE: dict[str, Payload] = {
    "of a private type": Opaque(PayloadType(200), b"private"),
    "of the other version of IKE": Opaque(PayloadType(33), bytes(40)),
    "fragment 132": Opaque(PayloadType.FRAGMENT, b"\0\1\1\1" + bytes(60)),
}


@pytest.mark.parametrize("kind", KEPT_OPAQUE)
@EACH_STAGE
def test_a_payload_that_nobody_reads_does_nothing(name: str, kind: str) -> None:
    """Alone it is not the message that is awaited; behind the right payloads it is carried along."""
    stage = STAGES[name]()
    lone = crafted_octets(stage, *_alone(KEPT_OPAQUE[kind]), prove=False)
    if name != "INFO":
        refused(stage, lone)
        stage = STAGES[name]()
    effects = stage.conversation.heard(genuine_and(stage, KEPT_OPAQUE[kind]), stage.path, 0.0)
    assert isinstance(facts_in(effects)[0], Heard)


def _alone(payload: Payload) -> tuple[PayloadType, bytes]:
    return payload.TYPE, encode_chain([payload])


@pytest.mark.parametrize("body", [b"", b"\0", b"\0\1\1", b"\0\1\1\1"])
@EACH_STAGE
def test_a_fragment_without_data_makes_the_message_malformed(name: str, body: bytes) -> None:
    """CVE-2016-1287 and CVE-2009-1574: fragments of fewer than nine octets."""
    stage = STAGES[name]()
    dropped = refused(stage, genuine_and(stage, Opaque(PayloadType.FRAGMENT, body)))
    assert dropped.error in ("Malformed", "ProbablePskMismatch")


@EACH_PROTECTED
def test_a_body_that_is_not_whole_blocks_is_dropped(name: str) -> None:
    stage = STAGES[name]()
    genuine = stage.genuine_datagram()
    short = stage.header().encode(len(genuine) - 28 - 1)[24:28]
    dropped = refused(stage, changed(genuine, 24, short)[:-1])
    assert dropped.error in ("Malformed", "ProbablePskMismatch")


@EACH_PROTECTED
def test_padding_may_be_longer_than_a_block_and_hold_anything(name: str) -> None:
    stage = STAGES[name]()
    first, chain = stage.proven(*_genuine(stage))
    body = stage.seal(chain + bytes(-len(chain) % 16) + bytes(range(32)))
    datagram = changed(stage.header().encode(len(body)), 16, bytes([first])) + body
    assert isinstance(facts_in(stage.conversation.heard(datagram, stage.path, 0.0))[0], Heard)


def _genuine(stage: object) -> tuple[PayloadType, bytes]:
    payloads = stage.genuine  # type: ignore[attr-defined]
    return (payloads[0].TYPE if payloads else PayloadType.NONE), encode_chain(payloads)


@EACH_STAGE
def test_up_to_16_zero_octets_may_trail_the_message(name: str) -> None:
    stage = STAGES[name]()
    effects = stage.conversation.heard(stage.genuine_datagram() + bytes(16), stage.path, 0.0)
    assert isinstance(facts_in(effects)[0], Heard)


@EACH_STAGE
def test_the_commit_bit_is_noted(name: str) -> None:
    stage, plain = STAGES[name](), STAGES[name]()
    effects = stage.conversation.heard(flipped(stage.genuine_datagram(), FLAGS, Flags.COMMIT), stage.path, 0.0)
    heard, note, *_ = facts_in(effects)
    assert isinstance(heard, Heard)
    assert isinstance(note, Note)
    assert "commit bit" in said(note)
    without = plain.conversation.heard(plain.genuine_datagram(), plain.path, 0.0)
    assert [type(effect) for effect in effects if effect != note] == [type(effect) for effect in without]
