"""The sentence of each finding: what was seen, then what it may mean. Made here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ikevd import findings as f
from ikevd import lifetime_findings as ltf
from ikevd import liveness_findings as lf
from ikevd import path_findings as pf
from ikevd import refusals
from ikevd import selector_findings as sf
from ikevd.errors import Finding, IkeError, Said
from ikevd.observe import certificate_words, contact_words, hook_words, path_words, silence

IDENTITY_NOTIFIES = ("INVALID_ID_INFORMATION", "AUTHENTICATION_FAILED")
MAX_LISTED = 8
"""Children, identities or offers that one sentence names."""


def say(found: Finding) -> str:
    """One sentence, without its full stop."""
    return _SENTENCES[type(found)](found)


def say_error(error: BaseException | None) -> str:
    """What an error found out."""
    return say(error.finding) if isinstance(error, IkeError) else str(error)


# -- proposals ------------------------------------------------------------------------------------------------------


def _nearest_miss(found: f.NearestMiss) -> str:
    return (
        f"no acceptable phase {found.phase} proposal: nearest offer of the peer {found.theirs}, ours {found.ours}; "
        f"{_differences(found.differences)}"
    )


def _differences(differences: tuple[f.Difference, ...]) -> str:
    """In a list: `they differ in the group: theirs none, ours modp2048`."""
    return "they differ in " + ", and in ".join(
        f"the {each.field} (theirs {each.theirs}, ours {each.ours})" for each in differences
    )


def _nothing_comparable(found: f.NothingComparable) -> str:
    what = _listed(found.offered, ", and ") or "no proposal at all"
    others = {"ESP": "compression and AH", "AH": "compression and ESP"}
    alone = f"; wanted is {found.wanted} alone, so {others[found.wanted]} must be off there" if found.together else ""
    if not alone and found.offered and found.phase == 2 and found.wanted not in found.offered:
        alone = f"; wanted is {found.wanted}"
    return f"no acceptable phase {found.phase} proposal: the peer offers {what}{alone}"


def _not_offered(found: f.NotOffered) -> str:
    return (
        f"the peer chose {found.chosen}, which we did not offer; the nearest of our offer is {found.ours}: "
        f"{_differences(found.differences)}"
    )


def _many_chosen(found: f.ManyChosen) -> str:
    return (
        f"the peer's answer holds {_count(found.proposals, 'proposal')} and {_count(found.transforms, 'transform')}; "
        "one of each is wanted"
    )


# -- identities and keys --------------------------------------------------------------------------------------------


def _other_key(found: f.OtherKey) -> str:
    tried = ", ".join(found.sources)
    return f"probable pre-shared key mismatch: {found.sign.value}; the secret that was tried is defined at {tried}"


def _other_identity(found: f.OtherIdentity) -> str:
    wanted = _listed([named(each) for each in found.wanted], " or ")
    reason = (
        f"{wanted} is configured as remote_id"
        if found.configured
        else f"{wanted} is wanted, its address, since no remote_id is configured"
    )
    return f"the peer calls itself {named(found.claimed)}; {reason}"


def _identity_refused(found: f.IdentityRefused) -> str:
    if found.notify in IDENTITY_NOTIFIES:
        return f"the key is right, the peer refuses our identity {named(found.identity)}: {found.notify}"
    return f"the key is right, the peer refuses what came with our identity {named(found.identity)}: {found.notify}"


def named(identity: f.Named) -> str:
    """`gw.example.net (FQDN)`."""
    return f"{identity.value} ({identity.type})"


# -- Quick Mode -----------------------------------------------------------------------------------------------------


def _asked(found: f.Asked) -> str:
    return f"we asked for {traffic(found.traffic)} and offered {', '.join(found.suites)}"


def _peer_refuses(found: f.PeerRefuses) -> str:
    asked, refusal = found.asked, f"the peer refuses: {found.notify}"
    if found.notify == "INVALID_ID_INFORMATION":
        other = ", or another host behind the same NAT has the same with it already" if asked.shared else ""
        return (
            f"{refusal}; we asked for {traffic(asked.traffic)}: the peer must be configured for the mirror image, "
            f"{asked.traffic.remote} === {asked.traffic.local} (on Cisco the ACL of the crypto map){other}"
        )
    if found.notify == "NO_PROPOSAL_CHOSEN":
        return (
            f"{refusal}; we offered {', '.join(asked.suites)} for {traffic(asked.traffic)}: "
            "PFS and cipher are the usual causes"
        )
    if found.notify == "BAD_PROPOSAL_SYNTAX" and asked.ipcomp:
        return (
            f"{refusal}; we offered {', '.join(asked.suites)} with IPComp and without: libreswan refuses both where it "
            "has compress=no; wanted compress=yes there, or no ipcomp here"
        )
    return f"{refusal}; {_asked(asked)}"


def _other_selectors(found: sf.OtherSelectors) -> str:
    said = f"we asked for {traffic(found.asked)}, the peer answered with {traffic(found.answered)}"
    if found.accepted:
        return f"{said}: only that is installed, the rest stays blocked here"
    return f"{said}, which RFC 2409 does not allow; `selection: narrow` takes less than was asked for"


def _no_such_child(found: sf.NoSuchChild) -> str:
    swapped = " - the peer has local and remote the wrong way round" if found.swapped else ""
    children = _listed([f"{each.name} has {traffic(each.traffic)}" for each in found.children], "; ")
    near = "; `selection: narrow` would give it what of that is ours" if found.near and not swapped else ""
    return f"the peer asks for {traffic(found.asked)}, which is no child of ours{swapped}; {children}{near}"


def _narrowed(found: sf.Narrowed) -> str:
    installed = _listed([f"{traffic(each.traffic)} of {each.name}" for each in found.installed], ", ")
    said = f"the peer asks for {traffic(found.asked)}, of which this is installed: {installed}"
    if found.into_nothing:
        said += "; what else it sends into this SA is dropped here"
    if found.partly:
        said += f"; what it did not ask for of {_listed(list(found.partly), ', ')} stays blocked here"
    if found.left:
        said += f"; {_listed(list(found.left), ', ')} would have to be negotiated alike (esp_proposals, pfs, lifetime)"
    if found.beyond:
        said += f"; one SA pair carries no more here: {found.beyond} further children wait for pairs of their own"
    return said


def _held(found: sf.Held) -> str:
    asked, heard = traffic(found.asked), f"which was heard of within the last {found.seconds} s"
    shared = "; hosts behind one NAT are told apart by their ports, or by `mark: unique`" if found.transport else ""
    return f"the peer asks for {asked}, which belongs to the peer at {found.holder}, {heard}{shared}"


def _one_part(found: sf.OnePart) -> str:
    return f"the peer asks for {traffic(found.asked)}, but has {found.has} of {found.child}, and gets one part of it"


def traffic(pair: f.Traffic) -> str:
    """`10.1.0.0/24 === 10.2.0.0/24`, ours first."""
    return f"{pair.local} === {pair.remote}"


# -- silence --------------------------------------------------------------------------------------------------------


def _unreachable(found: f.Unreachable) -> str:
    """`nobody listens at 198.51.100.1:500`, `198.51.100.1:500: host unreachable, says 192.0.2.254 (ICMP)`."""
    if found.reporter is None:
        return f"{found.remote}: {found.reason} (ICMP)"
    host = found.remote.rpartition(":")[0].strip("[]")
    if found.reason == "port unreachable" and found.reporter == host:
        return f"nobody listens at {found.remote}, says {host} itself (ICMP port unreachable)"
    return f"{found.remote}: {found.reason}, says {found.reporter} (ICMP)"


# -- NAT traversal --------------------------------------------------------------------------------------------------


def _esp_in_udp(found: f.EspInUdp) -> str:
    sides = " and ".join(["this side"] * found.local + ["the peer"] * found.remote)
    asked = "ESP alone seems to be blocked" if found.tried else "`encap: force`"
    why = f"a NAT is in front of {sides}" if sides else f"{asked}, without a NAT between the peers"
    return f"ESP will travel in UDP ({found.method}): {why}"


def _nat_d_missing(found: f.NatDMissing) -> str:
    return f"no NAT traversal: the peer agreed on {found.method}, but sends no NAT-D payload ({found.number})"


# -- whether the peer lives -----------------------------------------------------------------------------------------


def _peer_dead(found: lf.PeerDead) -> str:
    heard = f"last heard of {found.silent:.0f} s ago, by {found.sign}"
    return f"the peer is dead: no answer to {found.asked} R-U-THERE within {found.seconds:.0f} s, {heard}"


# -- the rest -------------------------------------------------------------------------------------------------------


def _announced(found: f.Announced) -> str:
    more = f" and {found.more} more" if found.more else ""
    return f"the peer announces {', '.join(found.names)}{more}"


def _wrong_port(found: refusals.WrongPort) -> str:
    wanted = " or ".join(map(str, found.wanted))
    if found.ours:
        why = "a NAT was found" if found.nat else "no NAT was found"
        return f"the message came to port {found.came}; {wanted} is wanted, as {why} (RFC 3947 section 4)"
    return f"the message came from port {found.came}; {wanted} is wanted, as no NAT in front of the peer explains it"


def _odd_ports(found: f.OddPorts) -> str:
    said = f"protocol {found.protocol}, port {found.port}"
    return f"the peer's ID payload says {said}, which is odd: 0/0 or 17/500 are usual"


def _claimed_life(found: ltf.ClaimedLife) -> str:
    return (
        "the peer claims a shorter life for the ISAKMP SA (RESPONDER-LIFETIME): "
        f"{found.after} s count instead of {found.before} s"
    )


def _renewal_failed(found: ltf.RenewalFailed) -> str:
    still = f"the ISAKMP SA stands {found.left} s more, and no child is cut"
    again = f"the next phase 1 begins in {found.again} s" if found.again < found.left else "no time is left for another"
    return f"its renewal came to nothing ({say(found.cause)}); {again}, {still}"


def _claimed_pair_life(found: ltf.ClaimedPairLife) -> str:
    return (
        f"the peer claims a shorter life for the IPsec SAs of {found.child} (RESPONDER-LIFETIME): "
        f"{found.after} s count instead of {found.before} s"
    )


def _small_volume(found: ltf.SmallVolume) -> str:
    return (
        f"most of the {found.kilobytes} kB of an IPsec SA of {found.child} were used up in {found.seconds:g} s, sooner "
        f"than another one is made: at this rate lifetime_kilobytes of {found.enough} (or more, at both ends) would "
        "last a minute"
    )


def _life(seconds: int, kilobytes: int | None) -> str:
    return f"{seconds} s" + (f" or {kilobytes} kB" if kilobytes is not None else "")


def _life_refused(found: ltf.LifeRefused) -> str:
    theirs, ours = _life(found.seconds, found.kilobytes), _life(found.our_seconds, found.our_kilobytes)
    wanted = "no longer one" if found.check == "strict" else "no other one"
    return f"the peer proposes a lifetime of {theirs}, ours is {ours}; lifetime_check: {found.check} accepts {wanted}"


def _mentioned(found: f.Mentioned) -> str:
    return f"the peer says {', '.join(found.names)}{'' if found.has_consequence else ', which has no consequence here'}"


def _isakmp_sa(found: f.IsakmpSaStands) -> str:
    return f"ISAKMP SA with {found.remote_id} at {found.peer}, {found.suite}, {found.seconds} s"


def _ipsec_sa(found: f.IpsecSaStands) -> str:
    cpis = f", compressed, CPI in {found.cpi_in}, out {found.cpi_out}" if found.cpi_in else ""
    return f"IPsec SA pair {traffic(found.traffic)}, {found.suite}, SPI in {found.spi_in}, out {found.spi_out}{cpis}"


def _traffic_asks(found: lf.TrafficAsks) -> str:
    if not found.source:
        return f"a packet that came before ikevd listened asks for {found.child}"
    port = f", port {found.port}" if found.port else ""
    ends = f"from {found.source} to {found.destination} (protocol {found.protocol}{port})"
    return f"a packet {ends} asks for {found.child}"


def _listed(items: list[str] | tuple[str, ...], between: str) -> str:
    more = len(items) - MAX_LISTED
    return between.join((*items[:MAX_LISTED], *([f"{more} more"] if more > 0 else [])))


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


_COMMIT_BIT = (
    "the peer sets the commit bit: it wants the SA unused until all is ready (RFC 2408 section 3.1), which CONNECTED "
    "tells an initiator and message 3 a responder"
)

_SENTENCES: dict[type[Finding], Callable[[Any], str]] = {
    Said: lambda found: found.text,
    f.NearestMiss: _nearest_miss,
    f.NothingComparable: _nothing_comparable,
    f.NotOffered: _not_offered,
    f.NoSuite: lambda found: f"the peer chose {found.chosen}, which we did not offer",
    f.ManyChosen: _many_chosen,
    f.OtherProtocol: lambda found: f"the peer chose {found.chosen}, we offered {found.offered}",
    f.OtherKey: _other_key,
    f.OtherIdentity: _other_identity,
    f.IdentityRefused: _identity_refused,
    f.AnsweredOtherwise: lambda found: silence.OTHERWISE,
    f.Asked: _asked,
    f.PeerRefuses: _peer_refuses,
    sf.OtherSelectors: _other_selectors,
    sf.NoSuchChild: _no_such_child,
    sf.Narrowed: _narrowed,
    sf.Held: _held,
    sf.OnePart: _one_part,
    f.NoConnection: lambda found: "no connection has this address as its remote",
    f.AggressiveNotAllowed: lambda found: f"it asks for Aggressive Mode, which {found.connection} does not allow",
    f.Unreachable: _unreachable,
    f.Undelivered: lambda found: found.reason,
    f.Silence: lambda found: silence.silence(found, say),
    f.SilentIdentity: lambda found: silence.silent_identity(found, say),
    f.NoAnswerYet: silence.no_answer_yet,
    f.RecordedLate: lambda found: (
        f"message 1 came {found.seconds:.1f} s ago, among so many that it was not recorded then"
    ),
    f.EspInUdp: _esp_in_udp,
    f.NatDMissing: _nat_d_missing,
    f.EncapInVain: lambda found: "`encap: force` has no effect: the peer does not speak NAT traversal",
    f.StaysOnPort: lambda found: f"but the peer stays on port {found.port}: no ESP will pass",
    f.OddPorts: _odd_ports,
    ltf.ClaimedLife: _claimed_life,
    ltf.ClaimedPairLife: _claimed_pair_life,
    ltf.SmallVolume: _small_volume,
    ltf.LifeRefused: _life_refused,
    ltf.UnprovenLife: lambda found: (
        "the peer claims a life for the ISAKMP SA (RESPONDER-LIFETIME) where nothing proves it: not heeded"
    ),
    f.Announced: _announced,
    f.CommitBit: lambda found: _COMMIT_BIT,
    f.NeverConnected: lambda found: (
        f"the peer set the commit bit and did not say CONNECTED within {found.seconds:.0f} s: the SA is used"
    ),
    f.SecretsNotTried: lambda found: (
        f"{found.count} secrets of this peer's candidates are not tried (see limits.secrets)"
    ),
    f.Mentioned: _mentioned,
    lf.TrafficAsks: _traffic_asks,
    lf.NoTraffic: lambda found: f"no packet either way for {found.seconds} s (inactivity)",
    f.IsakmpDeleted: lambda found: "the peer deleted the ISAKMP SA",
    lf.OddQuestion: lambda found: f"the peer asks whether we live (R-U-THERE) {found.quirk.value}: answered",
    lf.Doubted: lambda found: f"the peer is asked whether it lives (R-U-THERE): {found.why}",
    lf.AnswersAgain: lambda found: f"the peer shows life again, after {found.asked} R-U-THERE without an answer",
    lf.PeerDead: _peer_dead,
    lf.IsakmpLost: lambda found: (
        f"the peer has this ISAKMP SA no more, only a newer one: no answer to {found.asked} R-U-THERE within "
        f"{found.seconds:.0f} s"
    ),
    ltf.IsakmpRenewal: lambda found: f"a new phase 1 begins, {found.left} s before the lifetime of the ISAKMP SA ends",
    ltf.RenewalFailed: _renewal_failed,
    ltf.IsakmpReplaced: lambda found: (
        f"ISAKMP SA {found.by} has taken its place: Delete is said, and nothing begins under it"
    ),
    f.IsakmpSaStands: _isakmp_sa,
    f.IpsecSaStands: _ipsec_sa,
    **certificate_words.SENTENCES,
    **contact_words.SENTENCES,
    **path_words.SENTENCES,
    **hook_words.SENTENCES,
    pf.UdpNotTried: lambda found: path_words.udp_not_tried(found, say),
    refusals.OtherHeader: lambda found: f"{found.field} {found.came}; {found.wanted} is wanted",
    refusals.OtherAddresses: lambda found: (
        f"the message came from {found.remote} to {found.local}; {found.known} is negotiating"
    ),
    refusals.WrongPort: _wrong_port,
    refusals.HashNotFirst: lambda found: f"{found.name} does not stand first in the message (RFC 2409 section 5.5)",
    refusals.OtherHash: lambda found: (
        f"{found.name} does not match: the message was altered, or the peer computes it otherwise"
    ),
    refusals.IdentityCount: lambda found: f"{found.came} ID payloads in Quick Mode; two or none are wanted",
    refusals.KeMissing: lambda found: f"PFS with {found.group} was agreed, but the peer sent no KE payload",
    refusals.KeUnasked: lambda found: "the peer sends a KE payload, but the chosen transform names no PFS group",
    refusals.ReservedSpi: lambda found: (
        f"the peer's ESP SPI {found.spi} is a reserved one; {found.first} and above are wanted"
    ),
    refusals.WeakKey: lambda found: f"KEYMAT for the ESP SA {found.spi} begins with a weak key of {found.transform}",
}
