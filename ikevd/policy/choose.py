"""Choices: an offer x our suites to a choice, or the nearest miss.

The responder picks by its own order and answers with the chosen transform unaltered; the initiator refuses a choice
that it did not offer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

from ikevd.crypto import groups
from ikevd.errors import Malformed, NoProposalChosen
from ikevd.findings import ManyChosen, NearestMiss, NoSuite, NothingComparable, NotOffered, OtherProtocol
from ikevd.frozen import frozen, replace
from ikevd.policy import compression, lives
from ikevd.policy.algorithms import GROUPS
from ikevd.policy.child import Pfs
from ikevd.policy.differences import nearest
from ikevd.policy.lives import Lifetime, LifetimeCheck, shorter
from ikevd.policy.proposals import format_esp, format_ike
from ikevd.policy.suites import IkeSuite, IpsecSuite
from ikevd.policy.transforms import read_phase1, read_phase2
from ikevd.wire.registry import AuthMethod, Encapsulation, Protocol
from ikevd.wire.sa import Proposal, SaPayload, Transform

MAX_COMPARED = 32
"""Different suites of an offer that are held against ours for the nearest miss."""
MAX_FOREIGN_PUBLIC = 512
"""Octets of a public value (MODP-4096): a group that only the peer names may cost so much and no more."""

SPI_OCTETS = 4
TUNNELS = (Encapsulation.TUNNEL, Encapsulation.UDP_TUNNEL, Encapsulation.UDP_TUNNEL_DRAFT)

Suite = TypeVar("Suite", IkeSuite, IpsecSuite)


@frozen
class Phase1Choice:
    """What phase 1 will use. `answer` holds the chosen transform as it was offered."""

    suite: IkeSuite
    lifetime: Lifetime
    """The peer's; which connection's own it is held against shows later."""
    answer: SaPayload


@frozen
class Phase2Choice:
    """What a Quick Mode will use; `peer_spi` is the SPI of the peer's proposal."""

    suite: IpsecSuite
    lifetime: Lifetime
    proposal: Proposal
    peer_spi: bytes
    claims: bool = False
    """The initiator, which is the peer, proposed a longer life, and is told of ours."""
    ipcomp: Proposal | None = None
    """IPComp is used, too: what was chosen of it, with the peer's CPI."""


# -- choosing (responder) -----------------------------------------------------------------------------------------


class Phase1Offer:
    """One peer's offer, read once for all connections that it may be meant for."""

    def __init__(self, offer: SaPayload) -> None:
        self._offered: dict[IkeSuite | str, tuple[Proposal, Transform, Lifetime]] = {}
        for proposal in offer.proposals:
            for transform in proposal.transforms if proposal.protocol == Protocol.ISAKMP else ():
                read, life = read_phase1(transform)
                self._offered.setdefault(read, (proposal, transform, life))

    def choose(self, suites: Sequence[IkeSuite]) -> Phase1Choice:
        """The first of our suites that the offer contains; raises `NoProposalChosen` naming the nearest miss."""
        choice = self.find(suites)
        if choice is None:
            raise NoProposalChosen(_miss(1, list(self._offered), suites))
        return choice

    def find(self, suites: Sequence[IkeSuite]) -> Phase1Choice | None:
        """The same, or None: where many connections are asked, only one miss is told."""
        for suite in suites:
            if suite in self._offered:
                proposal, transform, life = self._offered[suite]
                answer = SaPayload.of((Proposal(proposal.number, Protocol.ISAKMP, b"", (transform,)),))
                return Phase1Choice(suite, life, answer)
        return None


def choose_phase2(
    offer: SaPayload,
    suites: Sequence[IpsecSuite],
    lifetime: Lifetime,
    pfs: Pfs = Pfs.REQUIRED,
    check: LifetimeCheck = LifetimeCheck.CLAIM,
    *,
    compress: bool = False,
) -> Phase2Choice:
    """The first of our suites, which are of one protocol, that the offer contains; a proposal that wants another one as
    well is passed over, but for IPComp where we `compress`: then it is better than one without.

    With `Pfs.OPTIONAL` a transform that agrees but for its group is taken too: without one, or with the peer's, unless
    that is weak or larger than any sensible one.
    """
    protocol = suites[0].protocol
    by_number: dict[int, list[Proposal]] = {}
    for proposal in offer.proposals:
        by_number.setdefault(proposal.number, []).append(proposal)
    offered = [*_read(protocol, by_number.values(), compress=compress)]
    if compress:
        offered.sort(key=lambda one: one.ipcomp is None)
    for accepts in (_same, _same_but_group) if pfs is Pfs.OPTIONAL else (_same,):
        for suite in suites:
            for proposal, ipcomp, transform, read, life in offered:
                if isinstance(read, IpsecSuite) and accepts(read, suite):
                    chosen = Proposal(proposal.number, protocol, b"", (transform,))
                    agreed = suite if read == suite else read
                    kept = lives.agreed(check, lifetime, life)
                    claims = lives.is_claimed(check, kept, life)
                    return Phase2Choice(agreed, kept, chosen, proposal.spi, claims, ipcomp)
    others = [why for together in by_number.values() if (why := _other_than(protocol, together))]
    miss = _miss(2, [*(one.read for one in offered), *others], suites)
    if isinstance(miss, NothingComparable):
        together = len(by_number) < len(offer.proposals)
        miss = replace(miss, together=together, wanted=str(protocol))
    raise NoProposalChosen(miss)


class _Offered(NamedTuple):
    """One transform of ESP or AH."""

    proposal: Proposal
    ipcomp: Proposal | None
    """To be used with it: what we would choose."""
    transform: Transform
    read: IpsecSuite | str
    life: Lifetime


def _read(protocol: Protocol, numbered: Iterable[Sequence[Proposal]], *, compress: bool) -> Iterator[_Offered]:
    """Of the proposals of each number: what we could take."""
    for together in numbered:
        proposal, ipcomp = compression.parted(together) if compress else (together[0], None)
        if _other_than(protocol, (proposal,) if ipcomp is not None else together):
            continue
        for transform in proposal.transforms:
            read, life = read_phase2(transform, protocol)
            if ipcomp is None:
                yield _Offered(proposal, None, transform, read, life)
            elif isinstance(read, IpsecSuite) and (beside := compression.chosen(ipcomp, read.mode)):
                yield _Offered(proposal, beside, transform, read, life)


def _same(offered: IpsecSuite, ours: IpsecSuite) -> bool:
    return offered == ours


def _same_but_group(offered: IpsecSuite, ours: IpsecSuite) -> bool:
    row = None if offered.group is None else GROUPS.get(offered.group)
    sound = row is not None and not row.weak and groups.public_size(row.group) <= MAX_FOREIGN_PUBLIC
    return (offered.group is None or sound) and replace(offered, group=ours.group) == ours


# -- accepting (initiator) ----------------------------------------------------------------------------------------


def accept_phase1(offered: Sequence[IkeSuite], answer: SaPayload) -> Phase1Choice:
    """What the responder chose; raises `NoProposalChosen` unless we offered it. Only the life may differ."""
    _, transform = _only(answer, Protocol.ISAKMP)
    suite, life = read_phase1(transform)
    if not isinstance(suite, IkeSuite) or suite not in offered:
        raise NoProposalChosen(_not_offered(suite, offered))
    return Phase1Choice(suite, life, answer)


def accept_phase2(
    offered: Sequence[IpsecSuite], answer: SaPayload, lifetime: Lifetime, *, compress: bool = False
) -> Phase2Choice:
    """What the responder chose; raises `NoProposalChosen` unless we offered it. Only the life may differ. `compress`:
    did we offer IPComp, too?"""
    protocol = offered[0].protocol
    answer, ipcomp = compression.without_ipcomp(answer) if compress else (answer, None)
    proposal, transform = _only(answer, protocol)
    suite, life = read_phase2(transform, protocol)
    if not isinstance(suite, IpsecSuite) or suite not in offered:
        raise NoProposalChosen(_not_offered(suite, offered))
    if len(proposal.spi) != SPI_OCTETS:
        raise Malformed(f"the peer's {protocol} SPI has {len(proposal.spi)} octets, not 4")
    beside = ipcomp and compression.chosen(ipcomp, suite.mode)
    if ipcomp is not None and (beside is None or len(ipcomp.transforms) > 1):
        raise NoProposalChosen(NoSuite(f"{protocol} with an IPCOMP that we did not offer"))
    return Phase2Choice(suite, shorter(lifetime, life), proposal, proposal.spi, ipcomp=beside)


def _only(answer: SaPayload, protocol: Protocol) -> tuple[Proposal, Transform]:
    """RFC 2408 section 4.2: the answer holds one proposal with one transform."""
    transforms = sum(len(proposal.transforms) for proposal in answer.proposals)
    if (len(answer.proposals), transforms) != (1, 1):
        raise NoProposalChosen(ManyChosen(len(answer.proposals), transforms))
    if answer.proposals[0].protocol != protocol:
        raise NoProposalChosen(OtherProtocol(str(answer.proposals[0].protocol), str(protocol)))
    return answer.proposals[0], answer.proposals[0].transforms[0]


# -- what did not fit -------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def describe(suite: IkeSuite | IpsecSuite) -> str:
    """One suite in the notation of the configuration, whatever numbers it holds. Whether ESP travels in UDP is no part
    of it."""
    match suite:
        case IkeSuite(auth=AuthMethod.PSK):
            return format_ike(suite)
        case IkeSuite(auth=auth):
            return f"{format_ike(suite)} with {auth}"
        case IpsecSuite(mode=mode) if mode in TUNNELS:
            return _with_protocol(suite)
        case IpsecSuite():
            return f"{_with_protocol(suite)} in transport mode"


def _with_protocol(suite: IpsecSuite) -> str:
    return format_esp(suite) if suite.protocol == Protocol.ESP else f"{suite.protocol} {format_esp(suite)}"


def _miss(phase: int, offered: Sequence[Suite | str], ours: Sequence[Suite]) -> NearestMiss | NothingComparable:
    """The pair of suites that differs least; of a long offer only the beginning is compared."""
    different = list(dict.fromkeys(offered))[:MAX_COMPARED]
    suites = [theirs for theirs in different if not isinstance(theirs, str)]
    if not suites or not ours:
        return NothingComparable(phase, tuple(each if isinstance(each, str) else describe(each) for each in different))
    theirs, own, fewest = nearest(suites, ours)
    return NearestMiss(phase, describe(theirs), describe(own), fewest)


def _not_offered(chosen: Suite | str, offered: Sequence[Suite]) -> NotOffered | NoSuite:
    if isinstance(chosen, str) or not offered:
        return NoSuite(chosen if isinstance(chosen, str) else describe(chosen))
    _, own, fewest = nearest([chosen], offered)
    return NotOffered(describe(chosen), describe(own), fewest)


def _other_than(protocol: Protocol, together: Sequence[Proposal]) -> str | None:
    """What the proposals of one number ask for together, unless it is that protocol alone."""
    if [each.protocol for each in together] != [protocol]:
        return " with ".join(str(each.protocol) for each in together)
    octets = len(together[0].spi)
    return None if octets == SPI_OCTETS else f"{protocol} with an SPI of {octets} octets"
