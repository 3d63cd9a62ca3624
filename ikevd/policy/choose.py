"""Choices: an offer x our suites to a choice, or the nearest miss.

The responder picks by its own order and answers with the chosen transform unaltered; the initiator refuses a choice
that it did not offer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TypeVar

from ikevd.crypto import groups
from ikevd.errors import Malformed, NoProposalChosen
from ikevd.policy.algorithms import GROUPS
from ikevd.policy.model import EspSuite, IkeSuite, Lifetime, Pfs
from ikevd.policy.proposals import format_esp, format_ike
from ikevd.policy.transforms import read_phase1, read_phase2
from ikevd.wire.registry import AuthMethod, Encapsulation, Protocol
from ikevd.wire.sa import Proposal, SaPayload, Transform

MAX_COMPARED = 32
"""Different suites of an offer that are held against ours for the nearest miss."""
LEAST_SECONDS, LEAST_KILOBYTES = 60, 1024
"""No peer can have us negotiate anew in a storm."""

MAX_FOREIGN_PUBLIC = 512
"""Octets of a public value (MODP-4096): a group that only the peer names may cost so much and no more."""

Suite = TypeVar("Suite", IkeSuite, EspSuite)


@dataclass(frozen=True, slots=True)
class Phase1Choice:
    """What phase 1 will use. `answer` holds the chosen transform as it was offered."""

    suite: IkeSuite
    lifetime: Lifetime
    """The peer's; which connection's own it is held against shows later."""
    answer: SaPayload


@dataclass(frozen=True, slots=True)
class Phase2Choice:
    """What a Quick Mode will use; `peer_spi` is the SPI of the peer's proposal."""

    suite: EspSuite
    lifetime: Lifetime
    proposal: Proposal
    peer_spi: bytes


# -- choosing (responder) -----------------------------------------------------------------------------------------


def choose_phase1(offer: SaPayload, suites: Sequence[IkeSuite]) -> Phase1Choice:
    """The first of our suites that the offer contains; raises `NoProposalChosen` naming the nearest miss."""
    choice = _choice_or_miss(_Offer(offer.body, offer), tuple(suites))
    if isinstance(choice, str):
        raise NoProposalChosen(choice)
    return choice


@dataclass(frozen=True, slots=True)
class _Offer:
    """Known by its octets."""

    octets: bytes
    payload: SaPayload = field(compare=False)


@lru_cache(maxsize=16)
def _choice_or_miss(offer: _Offer, suites: tuple[IkeSuite, ...]) -> Phase1Choice | str:
    """Once for all connections that a stranger may belong to and that accept the same."""
    offered = [
        (proposal, transform, *read_phase1(transform))
        for proposal in offer.payload.proposals
        if proposal.protocol == Protocol.ISAKMP
        for transform in proposal.transforms
    ]
    for suite in suites:
        for proposal, transform, read, life in offered:
            if read == suite:
                answer = SaPayload.of((Proposal(proposal.number, Protocol.ISAKMP, b"", (transform,)),))
                return Phase1Choice(suite, life, answer)
    return _miss("phase 1", [read for _, _, read, _ in offered], suites)


def choose_phase2(
    offer: SaPayload, suites: Sequence[EspSuite], lifetime: Lifetime, pfs: Pfs = Pfs.REQUIRED
) -> Phase2Choice:
    """The first of our suites that the offer contains; a proposal that wants AH or IPComp as well is passed over.

    With `Pfs.OPTIONAL` a transform that agrees but for its group is taken too: without one, or with the peer's, unless
    that is weak or larger than any sensible one.
    """
    numbers = [proposal.number for proposal in offer.proposals]
    offered = [
        (proposal, transform, *read_phase2(transform))
        for proposal in offer.proposals
        if proposal.protocol == Protocol.ESP and numbers.count(proposal.number) == 1 and len(proposal.spi) == 4
        for transform in proposal.transforms
    ]
    for accepts in (_same, _same_but_group) if pfs is Pfs.OPTIONAL else (_same,):
        for suite in suites:
            for proposal, transform, read, life in offered:
                if isinstance(read, EspSuite) and accepts(read, suite):
                    chosen = Proposal(proposal.number, Protocol.ESP, b"", (transform,))
                    return Phase2Choice(read, shorter(lifetime, life), chosen, proposal.spi)
    raise NoProposalChosen(_miss("phase 2", [read for _, _, read, _ in offered], suites))


def _same(offered: EspSuite, ours: EspSuite) -> bool:
    return offered == ours


def _same_but_group(offered: EspSuite, ours: EspSuite) -> bool:
    row = None if offered.group is None else GROUPS.get(offered.group)
    sound = row is not None and not row.weak and groups.public_size(row.group) <= MAX_FOREIGN_PUBLIC
    return replace(offered, group=ours.group) == ours and (offered.group is None or sound)


# -- accepting (initiator) ----------------------------------------------------------------------------------------


def accept_phase1(offer: SaPayload, answer: SaPayload) -> Phase1Choice:
    """What the responder chose; raises `NoProposalChosen` unless we offered it. Only the life may differ."""
    _, transform = _only(answer, Protocol.ISAKMP)
    suite, life = read_phase1(transform)
    if not isinstance(suite, IkeSuite) or suite not in [
        read_phase1(t)[0] for p in offer.proposals for t in p.transforms
    ]:
        raise NoProposalChosen(f"the peer chose {describe(suite)}, which we did not offer")
    return Phase1Choice(suite, life, answer)


def accept_phase2(offer: SaPayload, answer: SaPayload, lifetime: Lifetime) -> Phase2Choice:
    """What the responder chose; raises `NoProposalChosen` unless we offered it. Only the life may differ."""
    proposal, transform = _only(answer, Protocol.ESP)
    suite, life = read_phase2(transform)
    if not isinstance(suite, EspSuite) or suite not in [
        read_phase2(t)[0] for p in offer.proposals for t in p.transforms
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


def shorter(ours: Lifetime, theirs: Lifetime) -> Lifetime:
    """Both ends keep the smaller of each value (RFC 2407 section 4.5.4), but none so small that it is an attack."""
    volumes = [volume for volume in (ours.kilobytes, theirs.kilobytes) if volume is not None]
    seconds = max(min(ours.seconds, theirs.seconds), LEAST_SECONDS)
    return Lifetime(seconds, max(min(volumes), LEAST_KILOBYTES) if volumes else None)


# -- saying it ------------------------------------------------------------------------------------------------------


def describe(suite: IkeSuite | EspSuite | str) -> str:
    """One suite in the notation of the configuration, whatever numbers it holds."""
    match suite:
        case IkeSuite(auth=AuthMethod.PSK):
            return format_ike(suite)
        case IkeSuite(auth=auth):
            return f"{format_ike(suite)} with {auth}"
        case EspSuite(mode=Encapsulation.TUNNEL):
            return format_esp(suite)
        case EspSuite(mode=mode):
            return f"{format_esp(suite)} in {mode} mode"
        case _:
            return suite


def _miss(phase: str, offered: Sequence[Suite | str], ours: Sequence[Suite]) -> str:
    """The pair of suites that differs least, and in what; of a long offer only the beginning is compared."""
    different = list(dict.fromkeys(offered))[:MAX_COMPARED]
    pairs = [(theirs, own) for theirs in different if not isinstance(theirs, str) for own in ours]
    if not pairs:
        unreadable = ", ".join(str(theirs) for theirs in different) or "nothing"
        return f"no acceptable {phase} proposal: the peer offers {unreadable}"
    theirs, own = min(pairs, key=lambda pair: len(_different_fields(*pair)))
    differences = [
        f"{name} ({getattr(theirs, name)} against {getattr(own, name)})" for name in _different_fields(theirs, own)
    ]
    return (
        f"no acceptable {phase} proposal: nearest offer {describe(theirs)}, ours {describe(own)}; "
        f"it differs in {', '.join(differences)}"
    )


def _different_fields(theirs: IkeSuite | EspSuite, ours: IkeSuite | EspSuite) -> list[str]:
    return [name for name in ours.__dataclass_fields__ if getattr(theirs, name) != getattr(ours, name)]
