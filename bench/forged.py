"""The datagrams of `bench.hostile`: genuine ones, and those by which a peer wants more of us than it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count

from ikevd.policy.identity import Identity
from ikevd.policy.transforms import offer_phase1, offer_phase2
from ikevd.wire.attributes import Attribute
from ikevd.wire.message import MAX_PAYLOADS
from ikevd.wire.payloads import DeletePayload, IdPayload, NoncePayload, Opaque, Payload, VidPayload
from ikevd.wire.registry import ExchangeType, Group, IdType, PayloadType, Protocol
from ikevd.wire.sa import Proposal, SaPayload, Transform
from tests.builders import connection, fqdn, psk
from tests.hostile.mallory import NI, SPI, Aggressive, Chain, MainMode, Mallory, changed

VISITOR = connection(local_id=fqdn("visitor.example"), aggressive=True, psk=psk("m4rked-secret of a visitor"))
SUITE, LIFE = VISITOR.suites[0], VISITOR.lifetime
OFFER = offer_phase1([SUITE, *(replace(SUITE, group=Group(number)) for number in (14, 16, 5, 2))], LIFE)

Datagrams = Callable[[Mallory], Iterator[bytes]]


@dataclass(frozen=True)
class Attack:
    """Datagrams of one kind; `beside` is the genuine one that their cost is held against."""

    name: str
    beside: str
    datagrams: Datagrams
    authenticated: bool = False


# -- without a key ----------------------------------------------------------------------------------------------------


def _first(*payloads: Payload) -> Datagrams:
    """One first message of Main Mode under one cookie after the other."""

    def datagrams(mallory: Mallory) -> Iterator[bytes]:
        first = MainMode(mallory, mallory.main_mode().cookies).message_1(*payloads)
        return (changed(first, 0, number.to_bytes(8)) for number in count(1))

    return datagrams


def _offer(*transforms: Transform) -> SaPayload:
    return SaPayload.of((Proposal(1, Protocol.ISAKMP, b"", transforms),))


def _private(attributes: int, value: int = 1) -> tuple[Attribute, ...]:
    return tuple(Attribute.number(16384 + number, value % 2**16) for number in range(attributes))


def _different_offers(mallory: Mallory) -> Iterator[bytes]:
    """No two hold the same attributes."""
    for number in count(1):
        mode = MainMode(mallory, mallory.main_mode(number.to_bytes(8)).cookies)
        yield mode.message_1(_offer(Transform(1, 1, _private(2000, number))))


def _aggressive(identity: Callable[[int], Payload] | None = None) -> Datagrams:
    def datagrams(mallory: Mallory) -> Iterator[bytes]:
        for number in count(1):
            mode = Aggressive(mallory, mallory.main_mode(number.to_bytes(8)).cookies)
            *others, genuine = mode.payloads()
            yield mode.message_1(*others, identity(number) if identity else genuine)

    return datagrams


def _name(number: int) -> Payload:
    """A distinguished name of some 900 octets."""
    parts = ",".join(f"OU={number % 1000:03}x{part:02}" for part in range(51))
    return IdPayload(IdType.DER_ASN1_DN, 0, 0, Identity.parse(f"CN={number},{parts}").data)


# -- under an ISAKMP SA -----------------------------------------------------------------------------------------------


def _quick(payloads: Callable[[int, Mallory], tuple[Payload, ...]]) -> Datagrams:
    def datagrams(mallory: Mallory) -> Iterator[bytes]:
        for number in count(1):
            yield mallory.quick_mode(number).message_1(*payloads(number, mallory))

    return datagrams


def _informational(*payloads: Payload) -> Datagrams:
    def datagrams(mallory: Mallory) -> Iterator[bytes]:
        for number in count(1):
            yield mallory.protected(ExchangeType.INFORMATIONAL, number, Chain.of(*payloads))

    return datagrams


def _under_eight(mallory: Mallory) -> Iterator[bytes]:
    """Long Informationals, an eighth of a thousand under each of eight ISAKMP SAs, which are all that there may be."""
    for number in count(1):
        if number % 130 == 0:
            mallory.establish(number.to_bytes(8))
        yield mallory.protected(ExchangeType.INFORMATIONAL, number, Chain.of(LONG))


def _range(number: int) -> Payload:
    """Of some 250 networks."""
    return IdPayload(IdType.IPV6_RANGE, 0, 0, number.to_bytes(16) + (2**128 - 1 - number).to_bytes(16))


def _with_ranges(number: int, mallory: Mallory) -> tuple[Payload, ...]:
    return *mallory.quick_mode(number).payloads()[:2], _range(number), _range(number + 1)


def _with_groups(number: int, mallory: Mallory) -> tuple[Payload, ...]:
    suites = [replace(mallory.view.children[0].suites[0], group=Group(100 + n)) for n in range(90)]
    return offer_phase2(suites, LIFE, SPI), NoncePayload(NI), *mallory.quick_mode(number).identities


def _under_one_number(number: int, mallory: Mallory) -> tuple[Payload, ...]:
    """Each transform in a proposal of its own."""
    offer, *others = _with_groups(number, mallory)
    assert isinstance(offer, SaPayload)
    transforms = offer.proposals[0].transforms[:76]
    return SaPayload.of(tuple(Proposal(1, Protocol.ESP, SPI, (each,)) for each in transforms)), *others


MAIN, AGGRESSIVE, QUICK = (f"message 1 of {mode} Mode" for mode in ("Main", "Aggressive", "Quick"))
DELETE = "a Delete of one SPI"
DELETES = [DeletePayload(Protocol.ESP, (SPI,) * size) for size in (1, 512, 15_000)]
LONG = Opaque(PayloadType(200), bytes(60_000))
VIDS = [VidPayload(bytes([number]) * 100) for number in range(MAX_PAYLOADS - 1)]
UNKNOWN = [Opaque(PayloadType(134 + number), b"") for number in range(MAX_PAYLOADS - 1)]
GENUINE = (
    Attack(MAIN, MAIN, _first(OFFER)),
    Attack(AGGRESSIVE, AGGRESSIVE, _aggressive()),
    Attack(QUICK, QUICK, _quick(lambda number, mallory: mallory.quick_mode(number).payloads()), True),
    Attack(DELETE, DELETE, _informational(DELETES[0]), True),
)
ATTACKS = (
    Attack("2,000 attributes in one transform", MAIN, _first(_offer(Transform(1, 1, _private(2000))))),
    Attack("62 transforms with 30 attributes", MAIN, _first(_offer(*[Transform(1, 1, _private(30))] * 62))),
    Attack("15 transforms with 60 attributes", MAIN, _first(_offer(*[Transform(1, 1, _private(60))] * 15))),
    Attack(
        "96 transforms of groups that do not exist",
        MAIN,
        _first(offer_phase1([replace(SUITE, group=Group(100 + number)) for number in range(96)], LIFE)),
    ),
    Attack("10 SA payloads of 96 transforms", MAIN, _first(*[_offer(*[Transform(1, 1, ())] * 96)] * 10)),
    Attack("64 payloads, vendor IDs", MAIN, _first(OFFER, *VIDS)),
    Attack("64 payloads of unknown types", MAIN, _first(OFFER, *UNKNOWN)),
    Attack("a distinguished name of 900 octets", AGGRESSIVE, _aggressive(_name)),
    Attack("ranges of 250 networks", QUICK, _quick(_with_ranges), True),
    Attack("90 transforms of groups that do not exist, in Quick Mode", QUICK, _quick(_with_groups), True),
    Attack("76 proposals under one number", QUICK, _quick(_under_one_number), True),
    Attack("a Delete of 512 SPIs", DELETE, _informational(DELETES[1]), True),
    Attack("a Delete of 15,000 SPIs", DELETE, _informational(DELETES[2]), True),
    Attack("30 Deletes of 512 SPIs", DELETE, _informational(*[DELETES[1]] * 30), True),
    Attack("an Informational of 60 kB", DELETE, _informational(LONG), True),
)
FLOODS = (
    (600, Attack("first message with 2,000 attributes", MAIN, _different_offers)),
    (4000, Attack("distinguished name of 900 octets", AGGRESSIVE, _aggressive(_name))),
    (1000, Attack("Quick Mode for ranges of 250 networks", QUICK, _quick(_with_ranges), True)),
    (1000, Attack("Informational of 60 kB under eight ISAKMP SAs", DELETE, _under_eight, True)),
)
