"""Quick Mode: one pair of ESP or AH SAs for one pair of traffic selectors (RFC 2409 section 5.5)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ikevd.addresses import Address
from ikevd.crypto import groups
from ikevd.crypto.groups import KeyPair
from ikevd.crypto.secret import Secret
from ikevd.errors import IkeError, InvalidId, Malformed, NoProposalChosen, PeerRefused
from ikevd.exchanges import connected, contact, ipcomp, lifetimes, nat, phase2, transport
from ikevd.exchanges.ipsec import IDENTITIES, at_path, sa_pair
from ikevd.exchanges.link import Host, Link
from ikevd.exchanges.selection import select, traffic, within
from ikevd.findings import Asked, PeerRefuses
from ikevd.frozen import replace
from ikevd.host.entropy import Entropy
from ikevd.policy.child import Child, Pfs
from ikevd.policy.choose import Phase2Choice, accept_phase2, choose_phase2, describe
from ikevd.policy.lives import shorter
from ikevd.policy.selectors import Selectors, TrafficSelector
from ikevd.policy.suites import IpsecSuite
from ikevd.policy.transforms import offer_phase2, read_responder_lifetime
from ikevd.refusals import IdentityCount, KeMissing, KeUnasked
from ikevd.sa.model import IpsecSa, IsakmpSa
from ikevd.selector_findings import OtherSelectors
from ikevd.wire.message import Message
from ikevd.wire.payloads import IdPayload, KePayload, NoncePayload, NotifyPayload, Payload
from ikevd.wire.registry import Group, NotifyType, Protocol
from ikevd.wire.sa import Proposal, SaPayload

NONCE_OCTETS = 32
IPSEC = (Protocol.ESP, Protocol.AH)


async def initiate(link: Link, host: Host, sa: IsakmpSa, child: Child, entropy: Entropy) -> IpsecSa:
    """Initiator. When this returns, both directions stand in the kernel and message 3 has left."""
    local, remote, hashes = link.path.local.address, link.path.remote.address, phase2.Hashes(sa, link.message_id)
    child = transport.placed(child, local, remote)
    transport.check_protocol(sa, child)
    spi = await host.reserve_spi(local, remote, child.reqid, child.protocol)
    suites = _offered(sa, child)
    cpi = await ipcomp.reserve(host, child, local, remote) if ipcomp.is_wanted(sa, child, local) else None
    offer = ipcomp.offered(offer_phase2(suites, child.lifetime, spi.octets), cpi, suites[0], child)
    ni = entropy.octets(NONCE_OCTETS)
    pair = groups.generate(suites[0].group, entropy.octets) if suites[0].group is not None else None

    # HDR*, HASH(1), SA, Ni [, KE ] [, IDci, IDcr ]  -->
    #                           <--  HDR*, HASH(2), SA, Nr [, KE ] [, IDci, IDcr ]
    selectors = child.local.to_id(), child.remote.to_id()
    original = transport.original_addresses(sa, child, local, remote)
    first = (offer, NoncePayload(ni), *_public(pair), *selectors, *original)
    answer = await link.ask(*hashes.with_1(*first), accept=partial(hashes.accept_2, ni))
    if contact.is_said(answer):
        await link.contacted()
    with _Naming(*_spi_in(answer)):
        _check_refusal(sa, child, answer)
        chosen = accept_phase2(suites, answer.one(SaPayload), child.lifetime, compress=cpi is not None)
        choice = _as_claimed(chosen, answer)
        child = await _as_answered(
            link, child, transport.seen(sa, child, _selectors(answer, local, remote), local, remote)
        )
        nr, g_xy = answer.one(NoncePayload).body, _agree(pair, answer)
        ipsec, keys = sa_pair(sa, child, nat.esp_path(link), choice, spi, (ni, nr), g_xy, initiator=True)
        ipsec = replace(ipsec, cpis=ipcomp.agreed(choice, cpi))
        await host.open_inbound(ipsec, keys.inbound)
        waits = connected.is_wanted(answer)
        if not waits:
            await host.open_outbound(ipsec, keys.outbound)

    # HDR*, HASH(3)             -->
    #                           <--  HDR*, HASH(1), N(CONNECTED): where the commit bit was set
    await link.finish(hashes.third(ni, nr))
    if waits:
        await connected.wait(link, sa)
        with _Naming(choice.proposal.protocol, choice.peer_spi):
            await host.open_outbound(ipsec, keys.outbound)
    await ipcomp.note_lack(link, sa, child, ipsec)
    return ipsec


async def respond(link: Link, host: Host, sa: IsakmpSa, children: Sequence[Child], entropy: Entropy) -> IpsecSa:
    """Responder. The inbound SA and its policies stand before message 2 leaves, the outbound ones after message 3."""
    hashes = phase2.Hashes(sa, link.message_id)
    # HDR*, HASH(1), SA, Ni [, KE ] [, IDci, IDcr ]  -->
    asked = await link.receive(hashes.accept_1)
    if contact.is_said(asked):
        await link.contacted()
    local, remote = link.path.local.address, link.path.remote.address
    offer, ni, identities = asked.one(SaPayload), asked.one(NoncePayload).body, asked.all(IdPayload)
    with _Naming(*_spi_in(asked)):
        theirs, ours = _selectors(asked, remote, local)
        selected = transport.selected(sa, children, (ours, theirs), local, remote) or select(children, ours, theirs)
        child = selected.child
        transport.check_protocol(sa, child)
        suites, compress = sum(_suites(sa, child), ()), ipcomp.is_wanted(sa, child, local)
        rules = child.lifetime, child.pfs, child.lifetime_check
        choice = choose_phase2(offer, suites, *rules, compress=compress)
        pair = _pair_for(choice.suite, asked, entropy)
        g_xy = _agree(pair, asked)
        spi = await host.reserve_spi(local, remote, child.reqid, child.protocol)
        cpi = await ipcomp.reserve(host, child, local, remote) if choice.ipcomp is not None else None
        nr = entropy.octets(NONCE_OCTETS)
        ipsec, keys = sa_pair(sa, child, nat.esp_path(link), choice, spi, (ni, nr), g_xy, initiator=False)
        ipsec = replace(ipsec, asked=selected.asked, cpis=ipcomp.agreed(choice, cpi))
        await host.open_inbound(ipsec, keys.inbound)
    del asked, offer  # they may be long, and message 3 a minute away

    #                           <--  HDR*, HASH(2), SA, Nr [, KE ] [, IDci, IDcr ]
    # HDR*, HASH(3)             -->
    chosen = Proposal(choice.proposal.number, choice.proposal.protocol, spi.octets, choice.proposal.transforms)
    claim = lifetimes.claim_for_pair(choice, spi)
    original = transport.original_addresses(sa, child, remote, local)
    extra: tuple[Payload, ...] = (*identities, *original, *claim)  # IDs octet by octet
    second = (SaPayload.of((chosen, *ipcomp.answered(choice, cpi))), NoncePayload(nr), *_public(pair), *extra)
    await link.ask(*hashes.with_2(ni, *second), accept=partial(hashes.accept_3, ni, nr))
    ipsec = at_path(ipsec, nat.esp_path(link))
    with _Naming(choice.proposal.protocol, choice.peer_spi):
        await host.open_outbound(ipsec, keys.outbound)
    if selected.found is not None:
        await link.note(selected.found)
    await ipcomp.note_lack(link, sa, child, ipsec)
    return ipsec


def asked(sa: IsakmpSa, child: Child) -> Asked:
    """What message 1 asks for, for whoever is told that it was refused."""
    shared = child.transport and sa.nat is not None and sa.nat.local
    suites = tuple(describe(suite) for suite in _offered(sa, child))
    compresses = ipcomp.is_wanted(sa, child, sa.path.local.address)
    return Asked(traffic(child.local, child.remote), suites, shared, compresses)


def _offered(sa: IsakmpSa, child: Child) -> tuple[IpsecSuite, ...]:
    """The suites of message 1: there is one KE payload, hence one group."""
    suites = _suites(sa, child)[0]
    return tuple(suite for suite in suites if suite.group == suites[0].group)


def _check_refusal(sa: IsakmpSa, child: Child, answer: Message) -> None:
    """A peer may refuse in message 2 itself, with a notification in the place of the SA payload."""
    errors = [notify.type for notify in answer.all(NotifyPayload) if notify.type.is_error]
    if errors and not answer.all(SaPayload):
        raise PeerRefused(PeerRefuses(str(errors[0]), asked(sa, child)), errors[0])


class _Naming:
    """What is refused within names that SPI, so that the peer ends the right negotiation."""

    __slots__ = ("_protocol", "_spi")

    def __init__(self, protocol: Protocol, spi: bytes) -> None:
        self._protocol = protocol
        self._spi = spi

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, refusal: BaseException | None, _: object) -> None:
        if isinstance(refusal, IkeError):
            refusal.protocol, refusal.spi = self._protocol, self._spi


def _spi_in(message: Message) -> tuple[Protocol, bytes]:
    """The SPI of the peer's first proposal of ESP or AH."""
    for sa in message.all(SaPayload):
        for proposal in sa.proposals:
            if proposal.protocol in IPSEC:
                return proposal.protocol, proposal.spi
    return Protocol.ESP, b""


def _suites(sa: IsakmpSa, child: Child) -> list[tuple[IpsecSuite, ...]]:
    """The child's suites in the encapsulation mode that the NATs on the way ask for, and in its other numbers."""
    suites = child.suites
    if child.pfs is Pfs.OFF:
        suites = tuple([suite if suite.group is None else replace(suite, group=None) for suite in suites])
    modes = nat.modes(sa.nat, transport=child.transport)
    if modes == (suites[0].mode,):  # as all have it: what is usual is not made anew
        return [suites]
    return [tuple([suite if suite.mode == mode else replace(suite, mode=mode) for suite in suites]) for mode in modes]


def _as_claimed(choice: Phase2Choice, answer: Message) -> Phase2Choice:
    """The choice with a shorter life where the responder claims one (RFC 2407 section 4.6.3.1)."""
    lifetime = choice.lifetime
    for notify in answer.all(NotifyPayload):
        if notify.type == NotifyType.RESPONDER_LIFETIME and notify.protocol in IPSEC:
            lifetime = shorter(lifetime, read_responder_lifetime(notify.data, lifetime))
    return choice if lifetime == choice.lifetime else replace(choice, lifetime=lifetime)


def _public(pair: KeyPair | None) -> tuple[Payload, ...]:
    return (KePayload(pair.public),) if pair else ()


def _agree(pair: KeyPair | None, message: Message) -> Secret | None:
    """g(qm)^xy with PFS, None without; the peer must do as we do."""
    return pair.shared(_ke(pair.group, message)) if pair else None


def _pair_for(suite: IpsecSuite, asked: Message, entropy: Entropy) -> KeyPair | None:
    """A key pair where the chosen suite has PFS, and the peer's public value may be one of its group."""
    if suite.group is None:
        if asked.at_most_one(KePayload):
            raise NoProposalChosen(KeUnasked())
        return None
    groups.check_size(suite.group, _ke(suite.group, asked))
    return groups.generate(suite.group, entropy.octets)


def _ke(group: Group, message: Message) -> bytes:
    """The peer's public value; raises `NoProposalChosen` where there is none."""
    public = message.at_most_one(KePayload)
    if public is None:
        raise NoProposalChosen(KeMissing(str(group)))
    return public.body


async def _as_answered(link: Link, child: Child, answered: Selectors) -> Child:
    """The child with the selectors that the responder has answered with, which should be those that we asked for."""
    if answered == (child.local, child.remote):
        return child
    found = OtherSelectors(traffic(child.local, child.remote), traffic(*answered))
    narrower = within(child, answered)
    if narrower is None:
        raise InvalidId(found)
    await link.note(replace(found, accepted=True))
    return narrower


def _selectors(message: Message, initiator: Address, responder: Address) -> Selectors:
    """IDci and IDcr; where both are absent, the peers' own addresses (RFC 2409 section 5.5)."""
    identities = message.all(IdPayload)
    if not identities:
        return TrafficSelector.of_address(initiator), TrafficSelector.of_address(responder)
    if len(identities) != IDENTITIES:
        raise Malformed(IdentityCount(len(identities)))
    return TrafficSelector.from_id(identities[0]), TrafficSelector.from_id(identities[1])
