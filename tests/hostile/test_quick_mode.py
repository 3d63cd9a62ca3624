"""Quick Mode under an ISAKMP SA: unproven, replayed, altered, or authentic and wrong; through a whole gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from ikevd.conversation.timing import LINGER
from ikevd.crypto import groups
from ikevd.exchanges import phase2
from ikevd.negotiation.strays import invalid_cookie
from ikevd.wire.attributes import Attribute
from ikevd.wire.message import HEADER_OCTETS, Header, Message
from ikevd.wire.payloads import IdPayload, KePayload, NoncePayload, NotifyPayload, Opaque, Payload
from ikevd.wire.registry import ExchangeType, Group, IdType, IpsecAttribute, NotifyType, PayloadType, Protocol
from ikevd.wire.sa import Proposal, SaPayload
from tests.builders import ESP_AES128_SHA256, child
from tests.hostile.established import (
    UNPROVEN,
    another_tunnel,
    answered,
    complete,
    tunnel,
)
from tests.hostile.mallory import NI, SPI, Chain, QuickMode, changed, flipped
from tests.hostile.observed import calls_of
from tests.hostile.scene import ELSEWHERE, MALLORYS, Scene, attack

FLAGS, EXCHANGE, MESSAGE_ID = 19, 18, 20
NOT_AUTHENTIC = "drop: INFORMATIONAL that is not authentic"


@pytest.mark.parametrize("proof", UNPROVEN)
def test_a_quick_mode_whose_hash_does_not_hold_begins_nothing_and_the_genuine_one_is_answered(proof: str) -> None:
    async def story(scene: Scene) -> None:
        scene.mallory.establish()
        mode = scene.mallory.quick_mode()
        scene.mallory.say(mode.message_1(**UNPROVEN[proof]))
        await asyncio.sleep(0.01)
        assert scene.mallory.heard() == []
        assert scene.new_counts() == {"drop: QUICK_MODE that is not authentic": 1}
        assert not scene.bob.kernel.larval
        await another_tunnel(scene, mode.message_id)
        assert scene.tunnels == 1

    attack(story)


PFS_CHILD = child(suites=(replace(ESP_AES128_SHA256, group=Group.MODP_2048),))
WRONG_KE: dict[str, tuple[Payload, ...]] = {
    "absent": (),
    "too short": (KePayload(bytes(255)),),
    "too long": (KePayload(bytes(257)),),
}


@pytest.mark.parametrize("fault", WRONG_KE)
def test_a_quick_mode_whose_public_value_cannot_be_right_costs_no_key_pair(fault: str) -> None:
    async def story(scene: Scene) -> None:
        scene.mallory.establish()
        mode = scene.mallory.quick_mode()
        with calls_of(groups.generate) as made:
            scene.mallory.say(mode.message_1(*mode.payloads(), *WRONG_KE[fault]))
        assert scene.failures() == ["InvalidKey" if WRONG_KE[fault] else "NoProposalChosen"]
        assert made == []

    attack(story, view=replace(MALLORYS, children=(PFS_CHILD,)))


# -- replays, flips, forms


def test_a_quick_mode_that_is_replayed_opens_no_second_tunnel() -> None:
    async def story(scene: Scene) -> None:
        mode = await tunnel(scene)
        before = dict(scene.bob.kernel.sas)
        for pause in (0.1, 1.0, LINGER + 5, 10.0):
            scene.mallory.say(mode.message_1())
            scene.mallory.say(mode.message_3())
            await asyncio.sleep(pause)
        assert dict(scene.bob.kernel.sas) == before
        assert not scene.bob.kernel.larval

    attack(story)


def test_a_repeated_quick_mode_message_1_is_answered_with_the_same_message_2_and_never_with_a_refusal() -> None:
    async def story(scene: Scene) -> None:
        scene.mallory.establish()
        mode = scene.mallory.quick_mode()
        first = mode.message_1()
        second = await answered(scene, mode, first)
        for _ in range(3):
            assert scene.mallory.say(first) == [second]
        scene.mallory.say(mode.message_3())
        await asyncio.sleep(0.01)
        assert scene.mallory.say(first) == [second], "and also when the tunnel stands"
        assert scene.tunnels == 1

    attack(story)


def test_the_same_ciphertext_under_another_message_id_or_exchange_is_nothing() -> None:
    async def story(scene: Scene) -> None:
        mode = await tunnel(scene)
        recorded = mode.message_1()
        scene.mallory.say(changed(recorded, MESSAGE_ID, b"\0\0\0\x63"))
        scene.mallory.say(changed(recorded, EXCHANGE, b"\5"))
        scene.mallory.say(changed(changed(recorded, MESSAGE_ID, b"\0\0\0\x63"), EXCHANGE, b"\5"))
        assert {error for _, error in scene.refusals()} <= {"Malformed", "InvalidHash", "UnexpectedMessage"}
        assert len(scene.refusals()) == 3
        await asyncio.sleep(1)
        assert scene.tunnels == 1

    attack(story)


HEADERS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "message ID 0": (lambda d: changed(d, MESSAGE_ID, bytes(4)), ""),
    "message ID 0, Informational": (
        lambda d: changed(changed(d, MESSAGE_ID, bytes(4)), EXCHANGE, b"\5"),
        "drop: encrypted Informational with message ID 0",
    ),
    "reserved flag": (lambda d: flipped(d, FLAGS, 0x80), "drop: QUICK_MODE that does not belong here"),
    "authentication only": (lambda d: flipped(d, FLAGS, 4), "drop: QUICK_MODE that does not belong here"),
    "minor version raised": (lambda d: changed(d, 17, b"\x11"), "drop: QUICK_MODE that does not belong here"),
    "major version raised": (lambda d: changed(d, 17, b"\x20"), "drop: version is not 1.0"),
    "in the clear": (lambda d: flipped(d, FLAGS, 1), ""),
    "body cut by an octet": (
        lambda d: changed(d, 24, (len(d) - 1).to_bytes(4, "big"))[:-1],
        "drop: QUICK_MODE that is not authentic",
    ),
    "no body": (lambda d: changed(d, 24, b"\0\0\0\x1c")[:HEADER_OCTETS], "drop: QUICK_MODE that is not authentic"),
    "another initiator cookie": (lambda d: changed(d, 0, b"somebody"), "drop: QUICK_MODE that does not belong here"),
    "Mode-Config": (lambda d: changed(d, EXCHANGE, b"\6"), "drop: TRANSACTION is not supported"),
    "New Group": (lambda d: changed(d, EXCHANGE, b"\x21"), "drop: NEW_GROUP is not supported"),
    "AuthIP Quick Mode": (lambda d: changed(d, EXCHANGE, b"\xf5"), "drop: unknown exchange type is not supported"),
    "Main Mode": (lambda d: changed(d, EXCHANGE, b"\2"), "drop: MAIN_MODE is not supported"),
}


@pytest.mark.parametrize("fault", HEADERS)
def test_a_quick_mode_with_a_wrong_header_begins_nothing_and_the_genuine_one_is_answered(fault: str) -> None:
    async def story(scene: Scene) -> None:
        scene.mallory.establish()
        alter, counter = HEADERS[fault]
        first = scene.mallory.quick_mode().message_1()
        assert scene.mallory.say(alter(first)) == []
        assert scene.new_counts() == ({counter: 1} if counter else {})
        assert scene.refusals() or counter, "it left a trace"
        await another_tunnel(scene)
        assert scene.tunnels == 1

    attack(story)


def test_a_quick_mode_under_an_isakmp_sa_that_nobody_has_begins_nothing_and_is_called_unknown() -> None:
    async def story(scene: Scene) -> None:
        scene.mallory.establish()
        first = changed(scene.mallory.quick_mode().message_1(), 8, b"somebody")
        assert scene.mallory.say(first) == [invalid_cookie(first[:8], b"somebody")]
        assert scene.new_counts()["drop: unknown cookies"] == 1
        await another_tunnel(scene)
        assert scene.tunnels == 1

    attack(story)


def test_a_copy_from_another_address_begins_nothing() -> None:
    async def story(scene: Scene) -> None:
        scene.mallory.establish()
        first = scene.mallory.quick_mode().message_1()
        assert scene.mallory.say(first, source=ELSEWHERE) == []
        assert scene.refusals() == [("QM1", "UnexpectedMessage")]
        await another_tunnel(scene)
        assert scene.tunnels == 1

    attack(story)


def test_the_fourth_message_that_the_commit_bit_asks_for_is_dropped_without_harm() -> None:
    """CONNECTED, under the message ID of the Quick Mode: as Informational (RFC 2408 section 3.1) or as its fourth
    message."""

    async def story(scene: Scene) -> None:
        mode = await tunnel(scene)
        connected = NotifyPayload(Protocol.ESP, NotifyType.CONNECTED, SPI)
        for kind in (ExchangeType.INFORMATIONAL, ExchangeType.QUICK_MODE):
            scene.mallory.say(scene.mallory.protected(kind, mode.message_id, Chain.of(connected)))
        assert scene.refusals() == [("QM4", "UnexpectedMessage")] * 2
        assert scene.tunnels == 1

    attack(story)


# -- Quick Mode that is authentic and wrong


def with_proposals(mode: QuickMode, *proposals: Proposal) -> tuple[Payload, ...]:
    return SaPayload(proposals), *mode.payloads()[1:]


def with_attributes(mode: QuickMode, *attributes: Attribute, id: int | None = None) -> tuple[Payload, ...]:
    """Message 1 with one transform of these attributes."""
    (proposal,) = mode.offer.proposals
    (transform,) = proposal.transforms
    changed_transform = replace(transform, attributes=attributes, id=transform.id if id is None else id)
    return with_proposals(mode, replace(proposal, transforms=(changed_transform,)))


def with_attribute(
    mode: QuickMode, kind: int, number: int, *, instead: bool = True, id: int | None = None
) -> tuple[Payload, ...]:
    kept = mode.offer.proposals[0].transforms[0].attributes
    kept = tuple(a for a in kept if not instead or a.type != kind)
    return with_attributes(mode, *kept, Attribute.number(kind, number), id=id)


WRONG: dict[str, tuple[Callable[[QuickMode], tuple[Payload, ...]], NotifyType | None]] = {
    "no SA": (lambda q: q.payloads()[1:], NotifyType.PAYLOAD_MALFORMED),
    "no nonce": (lambda q: (q.offer, *q.identities), NotifyType.PAYLOAD_MALFORMED),
    "nonce of 7 octets": (lambda q: (q.offer, NoncePayload(bytes(7)), *q.identities), None),
    "nonce of 257 octets": (lambda q: (q.offer, NoncePayload(bytes(257)), *q.identities), None),
    "one ID": (lambda q: (q.offer, NoncePayload(NI), q.identities[0]), NotifyType.PAYLOAD_MALFORMED),
    "three IDs": (lambda q: (*q.payloads(), q.identities[0]), NotifyType.PAYLOAD_MALFORMED),
    "no IDs": (lambda q: (q.offer, NoncePayload(NI)), NotifyType.INVALID_ID_INFORMATION),
    "IDcr a FQDN": (
        lambda q: (q.offer, NoncePayload(NI), q.identities[0], IdPayload(IdType.FQDN, 0, 0, b"gw")),
        NotifyType.INVALID_ID_INFORMATION,
    ),
    "IDs swapped": (
        lambda q: (q.offer, NoncePayload(NI), *reversed(q.identities)),
        NotifyType.INVALID_ID_INFORMATION,
    ),
    "Carol's selectors": (
        lambda q: (
            q.offer,
            NoncePayload(NI),
            replace(q.identities[0], data=b"\x0a\3\0\0\xff\xff\xff\0"),
            q.identities[1],
        ),
        NotifyType.INVALID_ID_INFORMATION,
    ),
    "key length 0": (lambda q: with_attribute(q, IpsecAttribute.KEY_LENGTH, 0), NotifyType.NO_PROPOSAL_CHOSEN),
    "key length 65535": (lambda q: with_attribute(q, IpsecAttribute.KEY_LENGTH, 65535), NotifyType.NO_PROPOSAL_CHOSEN),
    "no integrity": (lambda q: with_attribute(q, IpsecAttribute.AUTHENTICATION, 0), NotifyType.NO_PROPOSAL_CHOSEN),
    "transport mode": (lambda q: with_attribute(q, IpsecAttribute.ENCAPSULATION, 2), NotifyType.NO_PROPOSAL_CHOSEN),
    "an attribute twice": (
        lambda q: with_attribute(q, IpsecAttribute.KEY_LENGTH, 128, instead=False),
        NotifyType.NO_PROPOSAL_CHOSEN,
    ),
    "an unknown attribute": (lambda q: with_attribute(q, IpsecAttribute(99), 1), NotifyType.NO_PROPOSAL_CHOSEN),
    "AES-GMAC with key length 0": (
        lambda q: with_attribute(q, IpsecAttribute.KEY_LENGTH, 0, id=23),
        NotifyType.NO_PROPOSAL_CHOSEN,
    ),
    "AH under the same number": (
        lambda q: with_proposals(q, *q.offer.proposals, replace(q.offer.proposals[0], protocol=Protocol.AH)),
        NotifyType.NO_PROPOSAL_CHOSEN,
    ),
    "no transforms": (
        lambda q: with_proposals(q, replace(q.offer.proposals[0], transforms=())),
        NotifyType.NO_PROPOSAL_CHOSEN,
    ),
    "a transform count that lies": (
        lambda q: (Opaque(PayloadType.SA, changed(q.offer.encode(), 15, b"\x02")), *q.payloads()[1:]),
        None,
    ),
    "a KE although no PFS is configured": (
        lambda q: (*q.payloads(), KePayload(bytes(32))),
        NotifyType.NO_PROPOSAL_CHOSEN,
    ),
    "situation of all bits": (lambda q: (Opaque(PayloadType.SA, b"\0\0\0\1\xff\xff\xff\xff"), *q.payloads()[1:]), None),
}


@pytest.mark.parametrize("fault", WRONG)
def test_an_authentic_and_wrong_quick_mode_is_refused_under_protection_and_a_right_one_succeeds(fault: str) -> None:
    make, notify = WRONG[fault]

    async def story(scene: Scene) -> None:
        scene.mallory.establish()
        mode = scene.mallory.quick_mode()
        answers = scene.mallory.say(mode.message_1(*make(mode)))
        await asyncio.sleep(0.01)
        answers += scene.mallory.heard()
        if notify is None:
            assert answers == []
            assert scene.refusals() == [("QM1", "Malformed")]
        else:
            assert all(Header.decode_untrusted(answer).encrypted for answer in answers)
            assert notify in [told(scene, answer) for answer in answers]
            assert len(scene.failures()) == 1
        assert not scene.bob.kernel.larval
        assert scene.tunnels == 0
        await another_tunnel(scene, 0x0BAD0002)
        assert scene.tunnels == 1

    attack(story)


LIVES = {
    "0 s": ([(1, b"\0\1"), (2, b"\0\0")], (3600, None)),
    "1 s": ([(1, b"\0\1"), (2, b"\0\1")], (60, None)),
    "1 s in eight octets": ([(1, b"\0\1"), (2, bytes(7) + b"\1")], (60, None)),
    "65,536 s": ([(1, b"\0\1"), (2, b"\0\1\0\0")], (3600, None)),
    "2^31 s": ([(1, b"\0\1"), (2, b"\x80\0\0\0")], (3600, None)),
    "2^63 s": ([(1, b"\0\1"), (2, b"\x80" + bytes(7))], (3600, None)),
    "type without duration": ([(1, b"\0\1")], (3600, None)),
    "duration without type": ([(2, b"\0\1")], (3600, None)),
    "kilobytes only": ([(1, b"\0\2"), (2, b"\0\x46\x50\0")], (3600, 4608000)),
    "one kilobyte": ([(1, b"\0\2"), (2, b"\0\1")], (3600, 1024)),
    "none": ([], (3600, None)),
}


@pytest.mark.parametrize("life", LIVES)
def test_every_lifetime_is_read_and_none_is_so_short_that_it_is_a_storm(life: str) -> None:
    """Ours is an hour; the shorter counts, but no less than a minute or a megabyte."""
    attributes, expected = LIVES[life]

    async def story(scene: Scene) -> None:
        scene.mallory.establish()
        mode = scene.mallory.quick_mode()
        kept = [a for a in mode.offer.proposals[0].transforms[0].attributes if a.type not in (1, 2)]
        lives = [Attribute(kind, value, len(value) == 2) for kind, value in attributes]
        await complete(scene, mode, mode.message_1(*with_attributes(mode, *lives, *kept)))
        (pair,) = scene.session.states["lan"].pairs
        assert (pair.sa.lifetime.seconds, pair.sa.lifetime.kilobytes) == expected

    attack(story)


def told(scene: Scene, answer: bytes) -> NotifyType | None:
    """What Bob says in an Informational message."""
    assert scene.mallory.sa
    header = Header.decode_untrusted(answer)
    chain = phase2.chains(scene.mallory.sa, header.message_id)[0]
    message = Message.decode_untrusted(header, chain.propose(answer[HEADER_OCTETS:]).plaintext)
    found = message.at_most_one(NotifyPayload)
    return found.type if found else None


def test_both_roles_install_a_replay_window() -> None:
    """CVE-2006-4436: none where racoon's kin was responder."""

    async def story(scene: Scene) -> None:
        await tunnel(scene)
        windows = [sa.replay_window for sas in (scene.bob.kernel.sas, scene.carol.kernel.sas) for sa in sas.values()]
        assert len(windows) == 6
        assert min(windows) >= 32

    attack(story)
