"""The sentences of findings about the path: where the peer is, where this machine is, and whether ESP passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ikevd import path_findings as pf
from ikevd.errors import Finding


def _no_local_address(found: pf.NoLocalAddress) -> str:
    return f"{found.address} (local) is not an address of this machine; the connection waits for it"


def _local_address_gone(found: pf.LocalAddressGone) -> str:
    return f"{found.address} is no address of this machine any more: what used it has ended"


def _ah_behind_nat(found: pf.AhBehindNat) -> str:
    sides = " and ".join(["this side"] * found.local + ["the peer"] * found.remote)
    where = f"in front of {sides}" if sides else "between the peers, says phase 1 (encap: force, here or there)"
    return (
        f"{found.child} is AH, which protects the addresses of its packets, and a NAT {where} alters them: AH cannot "
        "pass, nor travel in UDP; wanted ESP, for example esp_proposals: null-sha256"
    )


def _peer_elsewhere(found: pf.PeerElsewhere) -> str:
    then = "it is asked there" if found.asked else "it lacks dead peer detection: its next message from there moves it"
    return (
        f"a message or packet of the peer came from {found.came}, before from {found.known}: it may have moved; "
        f"{then}, and until then all stays at the old address"
    )


def _peer_moved(found: pf.PeerMoved) -> str:
    same_address = found.now.rpartition(":")[0] == found.before.rpartition(":")[0]
    means = "the NAT in front of it has made a new mapping" if same_address else "it, or that NAT, has another address"
    return (
        f"what the peer sends comes from {found.now} now, before from {found.before}: {means}; "
        f"{found.pairs or 'no'} IPsec SA pair{'' if found.pairs == 1 else 's'} went there, and what is sent does so "
        "from now on"
    )


def _moves_too_often(found: pf.MovesTooOften) -> str:
    return (
        f"what the peer sends comes from several places in turn, now from {found.came}; it was followed {found.moves} "
        f"times within {found.seconds} s: it stays at {found.stays} until it answers from elsewhere"
    )


def _not_there(found: pf.NotThere) -> str:
    return (
        f"a phase 1 under the identity of a group came from {found.remote}, where a member of it lives: nobody who "
        "holds its keys answers there, so it may be another member's, sent from a forged address; it is not taken up"
    )


def _esp_silent(found: pf.EspSilent) -> str:
    return (
        f"{found.sent} packets left and none came back for {found.seconds:.0f} s, though the peer answers by IKE: ESP "
        "may be blocked on the way; ESP in UDP is tried"
    )


def _esp_blocked(found: pf.EspBlocked) -> str:
    return (
        f"packets come back in UDP: ESP (IP protocol 50) is blocked between {found.local} and {found.remote}; it stays "
        "in UDP"
    )


def _udp_in_vain(found: pf.UdpInVain) -> str:
    return (
        f"ESP in UDP did not help: {found.sent} packets left in it and none came back; what stood before carries on, "
        f"and {_again(found.again)}"
    )


def udp_not_tried(found: pf.UdpNotTried, say: Callable[[Finding], str]) -> str:
    """`say`: the sentence of its cause."""
    return f"ESP in UDP could not be tried: {say(found.cause)}; what stood before carries on, and {_again(found.again)}"


def _again(seconds: float) -> str:
    return f"it is not tried again for {seconds / 3600:g} h"


SENTENCES: dict[type[Finding], Callable[[Any], str]] = {
    pf.NoLocalAddress: _no_local_address,
    pf.AhBehindNat: _ah_behind_nat,
    pf.NotCompressed: lambda found: f"nothing is compressed, though the file says ipcomp: {found.why.value}",
    pf.LocalAddressGone: _local_address_gone,
    pf.NoRoute: lambda found: f"there is no route to {found.remote}: {found.reason}",
    pf.NameUnknown: lambda found: f"no address of {found.name} (remote) is known: {found.problem}",
    pf.PeerElsewhere: _peer_elsewhere,
    pf.PeerMoved: _peer_moved,
    pf.MovesTooOften: _moves_too_often,
    pf.NotThere: _not_there,
    pf.EspSilent: _esp_silent,
    pf.EspBlocked: _esp_blocked,
    pf.UdpInVain: _udp_in_vain,
}
