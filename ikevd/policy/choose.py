"""Offers and choices: suites to transforms, an offer x our suites to a choice, or the nearest miss.

Attributes are always read from one transform, never from the first that has them. The responder picks by its own
order and answers with the chosen transform unaltered; the initiator refuses a choice that it did not offer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ikevd.errors import Malformed, NoProposalChosen
from ikevd.policy.model import EspSuite, IkeSuite, Lifetime
from ikevd.wire.attributes import Attribute
from ikevd.wire.registry import (
    AuthMethod,
    Cipher,
    Encapsulation,
    EspTransform,
    Group,
    Hash,
    IkeAttribute,
    Integrity,
    IpsecAttribute,
    LifeType,
    Phase1Transform,
    Protocol,
)
from ikevd.wire.sa import Proposal, SaPayload, Transform

DEFAULT_KEY_BITS = {Cipher.AES_CBC: 128, EspTransform.AES_CBC: 128}
"""An absent key length means 128 for AES (RFC 3602 section 2.4; what strongSwan reads too)."""
DEFAULT_ESP_SECONDS = 28800
"""RFC 2407 section 4.5: an absent SA life means eight hours."""
DEFAULT_IKE_SECONDS = 86400
"""RFC 2409 sets none; a day is Cisco's default and the longest in use."""

Suite = TypeVar("Suite", IkeSuite, EspSuite)


@dataclass(frozen=True, slots=True)
class Phase1Choice:
    """What phase 1 will use. `answer` holds the chosen transform as it was offered."""

    suite: IkeSuite
    lifetime: Lifetime
    answer: SaPayload


@dataclass(frozen=True, slots=True)
class Phase2Choice:
    """What a Quick Mode will use; `peer_spi` is the SPI of the peer's proposal."""

    suite: EspSuite
    lifetime: Lifetime
    proposal: Proposal
    peer_spi: bytes


# -- offering ---------------------------------------------------------------------------------------------------


def offer_phase1(suites: Sequence[IkeSuite], lifetime: Lifetime) -> SaPayload:
    """One proposal with a transform for each suite."""
    transforms = tuple(
        Transform(number, Phase1Transform.KEY_IKE, (*_ike_attributes(suite), *_life(IkeAttribute, lifetime)))
        for number, suite in enumerate(suites, start=1)
    )
    return SaPayload((Proposal(1, Protocol.ISAKMP, b"", transforms),))


def offer_phase2(suites: Sequence[EspSuite], lifetime: Lifetime, spi: bytes) -> SaPayload:
    """One ESP proposal with a transform for each suite."""
    transforms = tuple(
        Transform(number, suite.transform, (*_life(IpsecAttribute, lifetime), *_esp_attributes(suite)))
        for number, suite in enumerate(suites, start=1)
    )
    return SaPayload((Proposal(1, Protocol.ESP, spi, transforms),))


def _ike_attributes(suite: IkeSuite) -> Iterator[Attribute]:
    yield Attribute.number(IkeAttribute.ENCRYPTION, suite.cipher)
    yield Attribute.number(IkeAttribute.KEY_LENGTH, suite.key_bits)
    yield Attribute.number(IkeAttribute.HASH, suite.hash)
    yield Attribute.number(IkeAttribute.GROUP, suite.group)
    yield Attribute.number(IkeAttribute.AUTH_METHOD, suite.auth)


def _esp_attributes(suite: EspSuite) -> Iterator[Attribute]:
    if suite.group is not None:
        yield Attribute.number(IpsecAttribute.GROUP, suite.group)
    yield Attribute.number(IpsecAttribute.ENCAPSULATION, suite.mode)
    yield Attribute.number(IpsecAttribute.AUTHENTICATION, suite.integrity)
    yield Attribute.number(IpsecAttribute.KEY_LENGTH, suite.key_bits)


def _life(names: type[IkeAttribute] | type[IpsecAttribute], lifetime: Lifetime) -> Iterator[Attribute]:
    yield Attribute.number(names.LIFE_TYPE, LifeType.SECONDS)
    yield Attribute.number(names.LIFE_DURATION, lifetime.seconds)
    if lifetime.kilobytes is not None:
        yield Attribute.number(names.LIFE_TYPE, LifeType.KILOBYTES)
        yield Attribute.number(names.LIFE_DURATION, lifetime.kilobytes)


# -- choosing (responder) -----------------------------------------------------------------------------------------


def choose_phase1(offer: SaPayload, suites: Sequence[IkeSuite], lifetime: Lifetime) -> Phase1Choice:
    """The first of our suites that the offer contains; raises `NoProposalChosen` naming the nearest miss."""
    offered = [
        (proposal, transform, *_read_phase1(transform))
        for proposal in offer.proposals
        if proposal.protocol == Protocol.ISAKMP
        for transform in proposal.transforms
    ]
    for suite in suites:
        for proposal, transform, read, life in offered:
            if read == suite:
                answer = SaPayload((Proposal(proposal.number, Protocol.ISAKMP, b"", (transform,)),))
                return Phase1Choice(suite, shorter(lifetime, life), answer)
    raise NoProposalChosen(_miss("phase 1", [read for _, _, read, _ in offered], suites))


def choose_phase2(offer: SaPayload, suites: Sequence[EspSuite], lifetime: Lifetime) -> Phase2Choice:
    """The first of our suites that the offer contains; a proposal that wants AH or IPComp as well is passed over."""
    numbers = [proposal.number for proposal in offer.proposals]
    offered = [
        (proposal, transform, *_read_phase2(transform))
        for proposal in offer.proposals
        if proposal.protocol == Protocol.ESP and numbers.count(proposal.number) == 1 and len(proposal.spi) == 4
        for transform in proposal.transforms
    ]
    for suite in suites:
        for proposal, transform, read, life in offered:
            if read == suite:
                chosen = Proposal(proposal.number, Protocol.ESP, b"", (transform,))
                return Phase2Choice(suite, shorter(lifetime, life), chosen, proposal.spi)
    raise NoProposalChosen(_miss("phase 2", [read for _, _, read, _ in offered], suites))


# -- accepting (initiator) ----------------------------------------------------------------------------------------


def accept_phase1(offer: SaPayload, answer: SaPayload, lifetime: Lifetime) -> Phase1Choice:
    """What the responder chose; raises `NoProposalChosen` unless we offered it. Only the life may differ."""
    _, transform = _only(answer, Protocol.ISAKMP)
    suite, life = _read_phase1(transform)
    if not isinstance(suite, IkeSuite) or suite not in [
        _read_phase1(t)[0] for p in offer.proposals for t in p.transforms
    ]:
        raise NoProposalChosen(f"the peer chose {describe(suite)}, which we did not offer")
    return Phase1Choice(suite, shorter(lifetime, life), answer)


def accept_phase2(offer: SaPayload, answer: SaPayload, lifetime: Lifetime) -> Phase2Choice:
    """What the responder chose; raises `NoProposalChosen` unless we offered it. Only the life may differ."""
    proposal, transform = _only(answer, Protocol.ESP)
    suite, life = _read_phase2(transform)
    if not isinstance(suite, EspSuite) or suite not in [
        _read_phase2(t)[0] for p in offer.proposals for t in p.transforms
    ]:
        raise NoProposalChosen(f"the peer chose {describe(suite)}, which we did not offer")
    if len(proposal.spi) != 4:
        raise Malformed(f"the peer's ESP SPI has {len(proposal.spi)} octets, not 4")
    return Phase2Choice(suite, shorter(lifetime, life), proposal, proposal.spi)


def _only(answer: SaPayload, protocol: Protocol) -> tuple[Proposal, Transform]:
    """RFC 2408 section 4.2: the answer holds one proposal with one transform."""
    if len(answer.proposals) != 1 or len(answer.proposals[0].transforms) != 1:
        raise NoProposalChosen("the peer's answer holds more or less than one proposal with one transform")
    if answer.proposals[0].protocol != protocol:
        raise NoProposalChosen(f"the peer chose {answer.proposals[0].protocol}, we offered {protocol}")
    return answer.proposals[0], answer.proposals[0].transforms[0]


# -- reading ------------------------------------------------------------------------------------------------------


def _read_phase1(transform: Transform) -> tuple[IkeSuite | str, Lifetime]:
    """The suite of one transform, or in words why it is none of ours."""
    numbers, life = _read_attributes(transform, IkeAttribute.LIFE_TYPE, IkeAttribute.LIFE_DURATION)
    default = Lifetime(DEFAULT_IKE_SECONDS)
    wanted = {IkeAttribute.ENCRYPTION, IkeAttribute.HASH, IkeAttribute.AUTH_METHOD, IkeAttribute.GROUP}
    if transform.id != Phase1Transform.KEY_IKE or numbers is None:
        return "an unreadable transform", default
    if missing := wanted - numbers.keys():
        return f"a transform without {IkeAttribute(min(missing))}", default
    if odd := numbers.keys() - wanted - {IkeAttribute.KEY_LENGTH}:
        return f"a transform with attribute {IkeAttribute(min(odd))}", default
    cipher = Cipher(numbers[IkeAttribute.ENCRYPTION])
    suite = IkeSuite(
        cipher,
        numbers.get(IkeAttribute.KEY_LENGTH, DEFAULT_KEY_BITS.get(cipher, 0)),
        Hash(numbers[IkeAttribute.HASH]),
        Group(numbers[IkeAttribute.GROUP]),
        AuthMethod(numbers[IkeAttribute.AUTH_METHOD]),
    )
    return suite, _lifetime(life, default)


def _read_phase2(transform: Transform) -> tuple[EspSuite | str, Lifetime]:
    numbers, life = _read_attributes(transform, IpsecAttribute.LIFE_TYPE, IpsecAttribute.LIFE_DURATION)
    default = Lifetime(DEFAULT_ESP_SECONDS)
    known = {
        IpsecAttribute.GROUP,
        IpsecAttribute.ENCAPSULATION,
        IpsecAttribute.AUTHENTICATION,
        IpsecAttribute.KEY_LENGTH,
    }
    if numbers is None:
        return "an unreadable transform", default
    if odd := numbers.keys() - known:
        return f"a transform with attribute {IpsecAttribute(min(odd))}", default
    kind, group = EspTransform(transform.id), numbers.get(IpsecAttribute.GROUP)
    suite = EspSuite(
        kind,
        numbers.get(IpsecAttribute.KEY_LENGTH, DEFAULT_KEY_BITS.get(kind, 0)),
        Integrity(numbers.get(IpsecAttribute.AUTHENTICATION, 0)),
        None if group is None else Group(group),
        Encapsulation(numbers.get(IpsecAttribute.ENCAPSULATION, Encapsulation.TUNNEL)),
    )
    return suite, _lifetime(life, default)


def _read_attributes(
    transform: Transform, life_type: int, life_duration: int
) -> tuple[Mapping[int, int] | None, Mapping[int, int]]:
    """Numbers by type, and lives by life type; None where an attribute is doubled or no number.

    A duration belongs to the life type before it (RFC 2407 section 4.5); one without the other counts for nothing.
    """
    numbers: dict[int, int] = {}
    lives: dict[int, int] = {}
    kind: int | None = None
    for attribute in transform.attributes:
        try:
            value = attribute.as_number()
        except Malformed:
            return None, lives
        if attribute.type == life_type:
            kind = value
        elif attribute.type == life_duration:
            if kind is not None:
                lives.setdefault(kind, value)
            kind = None
        elif attribute.type in numbers:
            return None, lives
        else:
            numbers[attribute.type] = value
    return numbers, lives


def _lifetime(lives: Mapping[int, int], default: Lifetime) -> Lifetime:
    seconds = lives.get(LifeType.SECONDS) or default.seconds
    return Lifetime(seconds, lives.get(LifeType.KILOBYTES) or None)


def shorter(ours: Lifetime, theirs: Lifetime) -> Lifetime:
    """Both ends keep the smaller of each value (RFC 2407 section 4.5.4)."""
    volumes = [volume for volume in (ours.kilobytes, theirs.kilobytes) if volume is not None]
    return Lifetime(min(ours.seconds, theirs.seconds), min(volumes) if volumes else None)


# -- saying it ------------------------------------------------------------------------------------------------------


def describe(suite: IkeSuite | EspSuite | str) -> str:
    """One suite in a few words, whatever numbers it holds."""
    if isinstance(suite, str):
        return suite
    if isinstance(suite, IkeSuite):
        return f"{suite.cipher}-{suite.key_bits}/{suite.hash}/{suite.group}/{suite.auth}"
    pfs = f"PFS {suite.group}" if suite.group is not None else "no PFS"
    return f"{suite.transform}-{suite.key_bits}/{suite.integrity}/{pfs}/{suite.mode}"


def _miss(phase: str, offered: Sequence[Suite | str], ours: Sequence[Suite]) -> str:
    """The pair of suites that differs least, and in what."""
    pairs = [(theirs, own) for theirs in offered if not isinstance(theirs, str) for own in ours]
    if not pairs:
        unreadable = ", ".join(dict.fromkeys(str(theirs) for theirs in offered)) or "nothing"
        return f"no acceptable {phase} proposal: the peer offers {unreadable}"
    theirs, own = min(pairs, key=lambda pair: len(_differences(*pair)))
    return (
        f"no acceptable {phase} proposal: nearest offer {describe(theirs)}, ours {describe(own)}; "
        f"it differs in {', '.join(_differences(theirs, own))}"
    )


def _differences(theirs: IkeSuite | EspSuite, ours: IkeSuite | EspSuite) -> list[str]:
    return [
        f"{name} ({getattr(theirs, name)} against {getattr(ours, name)})"
        for name in ours.__dataclass_fields__
        if getattr(theirs, name) != getattr(ours, name)
    ]
