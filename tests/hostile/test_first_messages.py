"""What a whole gateway makes of first messages that are wrong: which counter moves, and who is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from ikevd.facts import Hint
from ikevd.wire.attributes import Attribute
from ikevd.wire.message import HEADER_OCTETS, Header, Message
from ikevd.wire.payloads import NotifyPayload, Opaque
from ikevd.wire.registry import ExchangeType, Flags, IkeAttribute, NotifyType, PayloadType, Protocol
from ikevd.wire.sa import SaPayload, Transform
from tests.hostile.mallory import Chain, MainMode, changed, datagram
from tests.hostile.scene import Scene, attack

INITIATOR, RESPONDER, FIRST, VERSION, EXCHANGE, FLAGS, MESSAGE_ID, LENGTH = 0, 8, 16, 17, 18, 19, 20, 24

ODD = Attribute.number(77, 1)
Alter = Callable[[bytes], bytes]
HEADERS: dict[str, tuple[Alter, str]] = {
    "empty": (lambda d: b"", "drop: malformed header"),
    "1 octet": (lambda d: d[:1], "drop: malformed header"),
    "3 octets": (lambda d: d[:3], "drop: malformed header"),
    "0xff alone": (lambda d: b"\xff", "drop: malformed header"),
    "27 octets": (lambda d: d[:27], "drop: malformed header"),
    "18 octets, which end before the version": (lambda d: d[:18], "drop: malformed header"),
    "non-ESP marker alone on port 500": (lambda d: bytes(4), "drop: malformed header"),
    "non-ESP marker before it on port 500": (lambda d: bytes(4) + d, "drop: malformed header"),
    "length 0": (lambda d: changed(d, LENGTH, bytes(4)), "drop: malformed header"),
    "length below the header's": (lambda d: changed(d, LENGTH, (27).to_bytes(4, "big")), "drop: malformed header"),
    "length one more": (lambda d: changed(d, LENGTH, (len(d) + 1).to_bytes(4, "big")), "drop: malformed header"),
    "length one less": (lambda d: changed(d, LENGTH, (len(d) - 1).to_bytes(4, "big")), "drop: malformed header"),
    "length 4 GB": (lambda d: changed(d, LENGTH, b"\xff" * 4), "drop: malformed header"),
    "17 zeros behind it": (lambda d: d + bytes(17), "drop: malformed header"),
    "initiator cookie zero": (lambda d: changed(d, INITIATOR, bytes(8)), "drop: initiator cookie is zero"),
    "responder cookie set": (lambda d: changed(d, RESPONDER, b"somebody"), "drop: unknown cookies"),
    "message ID set": (lambda d: changed(d, MESSAGE_ID, b"\0\0\0\1"), "drop: unknown cookies"),
    "encrypted": (lambda d: changed(d, FLAGS, b"\1"), "drop: unknown cookies"),
    "major version 0": (lambda d: changed(d, VERSION, b"\0"), "drop: version is not 1.0"),
    "major version 2, no request": (lambda d: changed(d, VERSION, b"\x20"), "drop: version is not 1.0"),
    "major version 15": (lambda d: changed(d, VERSION, b"\xf0"), "drop: version is not 1.0"),
    "minor version raised": (lambda d: changed(d, VERSION, b"\x11"), "drop: first message is malformed"),
    "reserved flag": (lambda d: changed(d, FLAGS, b"\x80"), "drop: first message is malformed"),
    "no exchange": (lambda d: changed(d, EXCHANGE, b"\0"), "drop: first message is of an unknown exchange type"),
    "Base": (lambda d: changed(d, EXCHANGE, b"\1"), "drop: first message is BASE"),
    "Quick Mode": (lambda d: changed(d, EXCHANGE, b"\x20"), "drop: first message is QUICK_MODE"),
    "Mode-Config": (lambda d: changed(d, EXCHANGE, b"\6"), "drop: first message is TRANSACTION"),
    "New Group": (lambda d: changed(d, EXCHANGE, b"\x21"), "drop: first message is NEW_GROUP"),
    "Informational": (lambda d: changed(d, EXCHANGE, b"\5"), "drop: first message is INFORMATIONAL"),
    "AuthIP Main Mode": (
        lambda d: changed(d, EXCHANGE, b"\xf3"),
        "drop: first message is of an unknown exchange type",
    ),
    "AuthIP Notify": (lambda d: changed(d, EXCHANGE, b"\xf6"), "drop: first message is of an unknown exchange type"),
    "fragment 132 first": (lambda d: changed(d, FIRST, b"\x84"), "drop: first message is malformed"),
    "IKEv2 payloads in IKEv1": (lambda d: changed(d, FIRST, b"\x21"), "drop: first message is malformed"),
    "no payloads": (lambda d: changed(d[:HEADER_OCTETS], LENGTH, b"\0\0\0\x1c"), "drop: first message is malformed"),
}


@pytest.mark.parametrize("fault", HEADERS)
def test_a_first_message_with_a_wrong_header_is_counted_and_met_with_silence(fault: str) -> None:
    """Behind it comes the genuine one, which is answered."""
    alter, counter = HEADERS[fault]

    async def story(scene: Scene) -> None:
        genuine = scene.mallory.main_mode().message_1()
        assert scene.mallory.say(alter(genuine)) == []
        assert scene.new_counts() == {counter: 1}
        assert scene.bob.engine.half_open == 0
        assert scene.records() == []
        assert len(scene.mallory.say(genuine)) == 1

    attack(story)


def test_every_exchange_type_that_there_may_be_leaves_room_for_other_counters() -> None:
    async def story(scene: Scene) -> None:
        genuine = scene.mallory.main_mode().message_1()
        for exchange in range(256):
            for first in (bytes(8), b"somebody"):
                scene.mallory.say(changed(changed(genuine, EXCHANGE, bytes([exchange])), RESPONDER, first))
        assert len(scene.bob.counters.as_dict()) < 20

    attack(story)


# -- the offer


def offer_with(mode: MainMode, **changes: object) -> SaPayload:
    """The genuine offer with changes in its first proposal."""
    (proposal,) = mode.offer.proposals
    return SaPayload((replace(proposal, **changes),))  # type: ignore[arg-type]


def with_attribute(mode: MainMode, *attributes: Attribute, instead: bool = True) -> SaPayload:
    """The genuine transform with these attributes in the places of the same type, or behind the others."""
    (transform,) = mode.offer.proposals[0].transforms
    types = {attribute.type for attribute in attributes} if instead else set()
    kept = tuple(a for a in transform.attributes if a.type not in types)
    return offer_with(mode, transforms=(replace(transform, attributes=kept + attributes),))


def transforms_of(offer: SaPayload) -> tuple[Transform, ...]:
    return offer.proposals[0].transforms


def number(kind: IkeAttribute, value: int, basic: bool = True, octets: int = 2) -> Attribute:
    return Attribute(kind, value.to_bytes(octets, "big"), basic)


def body_of(mode: MainMode, at: int, new: bytes) -> Opaque:
    """The genuine SA payload with other octets."""
    return Opaque(PayloadType.SA, changed(mode.offer.encode(), at, new))


MALFORMED_OFFERS: dict[str, Callable[[MainMode], Opaque | SaPayload]] = {
    "unassigned DOI": lambda m: body_of(m, 0, b"\0\0\0\x63"),
    "all bits of the DOI": lambda m: body_of(m, 0, b"\xff" * 4),
    "all bits of the situation": lambda m: body_of(m, 4, b"\xff" * 4),
    "situation 0": lambda m: body_of(m, 4, bytes(4)),
    "proposal length 0": lambda m: body_of(m, 10, b"\0\0"),
    "proposal length 3": lambda m: body_of(m, 10, b"\0\3"),
    "proposal length beyond": lambda m: body_of(m, 10, b"\xff\xff"),
    "proposal followed by a transform": lambda m: body_of(m, 8, b"\3"),
    "proposal followed by one that is not there": lambda m: body_of(m, 8, b"\2"),
    "reserved octet of the proposal": lambda m: body_of(m, 9, b"\1"),
    "SPI size beyond": lambda m: body_of(m, 14, b"\xff"),
    "transform count too high": lambda m: body_of(m, 15, b"\2"),
    "transform count too low": lambda m: body_of(m, 15, b"\0"),
    "transform length 0": lambda m: body_of(m, 18, b"\0\0"),
    "transform length 7, within its head": lambda m: body_of(m, 18, b"\0\7"),
    "transform length beyond": lambda m: body_of(m, 18, b"\xff\xff"),
    "attribute that ends beyond": lambda m: with_attribute(m, Attribute(14, b"", False)),
    "97 transforms": lambda m: offer_with(m, transforms=transforms_of(m.offer) * 97),
    "no proposal": lambda m: Opaque(PayloadType.SA, m.offer.encode()[:8]),
    "8 octets too many": lambda m: Opaque(PayloadType.SA, m.offer.encode() + bytes(8)),
    "empty": lambda m: Opaque(PayloadType.SA, b""),
}


@pytest.mark.parametrize("fault", [name for name in MALFORMED_OFFERS if "attribute" not in name])
def test_an_offer_that_does_not_add_up_is_counted_and_met_with_silence(fault: str) -> None:
    async def story(scene: Scene) -> None:
        mode = scene.mallory.main_mode()
        assert scene.mallory.say(mode.message_1(MALFORMED_OFFERS[fault](mode))) == []
        assert scene.new_counts() == {"drop: first message is malformed": 1}
        assert scene.bob.engine.half_open == 0
        assert len(scene.mallory.say(mode.message_1())) == 1

    attack(story)


UNACCEPTABLE: dict[str, Callable[[MainMode], SaPayload]] = {
    "key length 0": lambda m: with_attribute(m, number(IkeAttribute.KEY_LENGTH, 0)),
    "key length 1": lambda m: with_attribute(m, number(IkeAttribute.KEY_LENGTH, 1)),
    "key length 65535": lambda m: with_attribute(m, number(IkeAttribute.KEY_LENGTH, 65535)),
    "key length without octets": lambda m: with_attribute(m, Attribute(IkeAttribute.KEY_LENGTH, b"", False)),
    "key length of nine octets": lambda m: with_attribute(m, number(IkeAttribute.KEY_LENGTH, 128, False, 9)),
    "key length twice": lambda m: with_attribute(m, number(IkeAttribute.KEY_LENGTH, 128), instead=False),
    "group twice, of two kinds": lambda m: with_attribute(m, number(IkeAttribute.GROUP, 2), instead=False),
    "unknown attribute": lambda m: with_attribute(m, ODD, instead=False),
    "no attributes": lambda m: offer_with(m, transforms=(replace(transforms_of(m.offer)[0], attributes=()),)),
    "no transforms": lambda m: offer_with(m, transforms=()),
    "another transform ID": lambda m: offer_with(m, transforms=(replace(transforms_of(m.offer)[0], id=9),)),
    "another protocol": lambda m: offer_with(m, protocol=3),
    "RSA encryption (4)": lambda m: with_attribute(m, number(IkeAttribute.AUTH_METHOD, 4)),
    "revised RSA encryption (5)": lambda m: with_attribute(m, number(IkeAttribute.AUTH_METHOD, 5)),
    "GSSAPI (65001)": lambda m: with_attribute(m, number(IkeAttribute.AUTH_METHOD, 65001)),
    "hybrid (64221)": lambda m: with_attribute(m, number(IkeAttribute.AUTH_METHOD, 64221)),
    "group 0": lambda m: with_attribute(m, number(IkeAttribute.GROUP, 0)),
    "group of private use": lambda m: with_attribute(m, number(IkeAttribute.GROUP, 0x7FFF)),
    "group 1030, internal elsewhere": lambda m: with_attribute(m, number(IkeAttribute.GROUP, 1030)),
}


@pytest.mark.parametrize("fault", UNACCEPTABLE)
def test_an_offer_that_nobody_accepts_is_refused_once_in_the_clear_without_a_cookie_of_ours(fault: str) -> None:
    """CVE-2023-30570: no error path gives out a responder cookie; CVE-2018-0131 and others: no such method."""

    async def story(scene: Scene) -> None:
        mode = scene.mallory.main_mode()
        (answer,) = scene.mallory.say(mode.message_1(UNACCEPTABLE[fault](mode)))
        header = Header.decode_untrusted(answer)
        assert (header.exchange, header.responder) == (ExchangeType.INFORMATIONAL, bytes(8))
        notify = Message.decode_untrusted(header, answer[HEADER_OCTETS:]).one(NotifyPayload)
        assert (notify.type, notify.spi, notify.data) == (NotifyType.NO_PROPOSAL_CHOSEN, b"", b"")
        assert scene.failures() == ["NoProposalChosen"]
        assert scene.bob.engine.half_open == 0
        assert len(scene.mallory.say(mode.message_1())) == 1

    attack(story)


ACCEPTABLE: dict[str, Callable[[MainMode], SaPayload]] = {
    "key length in the long form": lambda m: with_attribute(m, number(IkeAttribute.KEY_LENGTH, 128, False, 4)),
    "group in one octet": lambda m: with_attribute(m, number(IkeAttribute.GROUP, 31, False, 1)),
    "an SPI of 8 octets": lambda m: offer_with(m, spi=bytes(8)),
    "an SPI of 255 octets": lambda m: offer_with(m, spi=bytes(255)),
    "proposal number 0": lambda m: offer_with(m, number=0),
    "the same proposal twice under one number": lambda m: SaPayload(m.offer.proposals * 2),
    "the same transform twice under one number": lambda m: offer_with(m, transforms=transforms_of(m.offer) * 2),
    "96 transforms": lambda m: offer_with(m, transforms=transforms_of(m.offer) * 96),
    "behind one with an unknown attribute": lambda m: offer_with(
        m, transforms=(*transforms_of(with_attribute(m, ODD, instead=False)), *transforms_of(m.offer))
    ),
    "a DOI of 0": lambda m: replace(m.offer, received=changed(m.offer.encode(), 0, bytes(4))),
}


@pytest.mark.parametrize("form", ACCEPTABLE)
def test_an_odd_offer_that_can_be_read_for_certain_is_accepted(form: str) -> None:
    async def story(scene: Scene) -> None:
        mode = scene.mallory.main_mode()
        mode.offer = ACCEPTABLE[form](mode)
        mode.hear_2(*scene.mallory.say(mode.message_1()))
        mode.hear_4(*scene.mallory.say(mode.message_3()))
        mode.hear_6(*scene.mallory.say(mode.message_5()))
        assert scene.failures() == []
        assert len(scene.session.live) == 1

    attack(story)


LIVES = {
    "0 s": ([(11, b"\0\1"), (12, b"\0\0")], 86400),
    "1 s": ([(11, b"\0\1"), (12, b"\0\1")], 60),
    "65,536 s": ([(11, b"\0\1"), (12, b"\0\1\0\0")], 65536),
    "65,536 s in three octets": ([(11, b"\0\1"), (12, b"\1\0\0")], 65536),
    "2^31 s": ([(11, b"\0\1"), (12, b"\x80\0\0\0")], 86400),
    "2^32 - 1 s": ([(11, b"\0\1"), (12, b"\xff\xff\xff\xff")], 86400),
    "one hour in eight octets": ([(11, b"\0\1"), (12, b"\0\0\0\0\0\0\x0e\x10")], 3600),
    "2^63 s": ([(11, b"\0\1"), (12, b"\x80" + bytes(7))], 86400),
    "type without duration": ([(11, b"\0\1")], 86400),
    "duration without type": ([(12, b"\0\1")], 86400),
    "kilobytes only": ([(11, b"\0\2"), (12, b"\0\1")], 86400),
    "of an unknown type": ([(11, b"\0\x63"), (12, b"\0\1")], 86400),
    "none": ([], 86400),
}


@pytest.mark.parametrize("life", LIVES)
def test_every_lifetime_is_read_and_none_is_so_short_that_it_is_a_storm(life: str) -> None:
    attributes, seconds = LIVES[life]
    lives = tuple(Attribute(kind, value, len(value) == 2) for kind, value in attributes)

    async def story(scene: Scene) -> None:
        mode = scene.mallory.main_mode()
        (transform,) = mode.offer.proposals[0].transforms
        kept = tuple(a for a in transform.attributes if a.type not in (11, 12))
        mode.offer = offer_with(mode, transforms=(replace(transform, attributes=kept + lives),))
        mode.hear_2(*scene.mallory.say(mode.message_1()))
        mode.hear_4(*scene.mallory.say(mode.message_3()))
        mode.hear_6(*scene.mallory.say(mode.message_5()))
        (live,) = scene.session.live
        assert live.sa.lifetime.seconds == seconds

    attack(story)


# -- cookies


def test_a_responder_cookie_copied_into_new_first_messages_is_nobodys_first_message() -> None:
    """An attacker who saw ours puts it into a new message, in either place; the negotiation that owns it goes on."""

    async def story(scene: Scene) -> None:
        mode = scene.mallory.main_mode()
        mode.hear_2(*scene.mallory.say(mode.message_1()))
        ours = mode.cookies.responder
        forged = scene.mallory.main_mode(b"another!").message_1()
        for copy in (changed(forged, RESPONDER, ours), changed(forged, INITIATOR, ours)):
            assert scene.mallory.say(copy) == []
        assert scene.refusals() == [("MM3", "UnexpectedMessage")] * 2
        mode.hear_4(*scene.mallory.say(mode.message_3()))
        mode.hear_6(*scene.mallory.say(mode.message_5()))
        assert len(scene.session.live) == 1

    attack(story)


def test_our_own_first_message_sent_back_to_us_begins_nothing() -> None:
    async def story(scene: Scene) -> None:
        scene.initiate()
        await asyncio.sleep(0.01)
        (ours,) = scene.mallory.heard()
        assert scene.mallory.say(ours) == []
        assert scene.refusals() == [("MM2", "UnexpectedMessage")]
        assert scene.bob.engine.half_open == 0

    attack(story)


def no_proposal_chosen(initiator: bytes, responder: bytes = bytes(8)) -> bytes:
    """In the clear, as anybody can send it."""
    refusal = Chain.of(NotifyPayload(Protocol.ISAKMP, NotifyType.NO_PROPOSAL_CHOSEN))
    header = Header(initiator, responder, refusal.first, ExchangeType.INFORMATIONAL, Flags.NONE, 0)
    return datagram(header, refusal.octets)


@pytest.mark.parametrize(
    ("responder", "counter"),
    [(bytes(8), "drop: first message is INFORMATIONAL"), (b"nobody's", "drop: unknown cookies")],
)
def test_a_no_proposal_chosen_for_cookies_that_nobody_has_is_counted(responder: bytes, counter: str) -> None:
    """CVE-2009-0790, CVE-2020-1763 and CVE-2022-23094 were crashes without a state."""

    async def story(scene: Scene) -> None:
        assert scene.mallory.say(no_proposal_chosen(b"whatever", responder)) == []
        assert scene.new_counts() == {counter: 1}

    attack(story)


def test_a_forged_no_proposal_chosen_for_our_cookie_is_a_hint_and_ends_nothing() -> None:
    async def story(scene: Scene) -> None:
        attempt = scene.initiate()
        await asyncio.sleep(0.01)
        (ours,) = scene.mallory.heard()
        assert scene.mallory.say(no_proposal_chosen(ours[:8])) == []
        await asyncio.sleep(5)
        assert not attempt.done()
        assert ours in scene.mallory.heard(), "it is still sent again"
        assert scene.facts(Hint) == [Hint(NotifyType.NO_PROPOSAL_CHOSEN)]

    attack(story)
