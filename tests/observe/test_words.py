"""The sentence of each finding: what was seen, then what it may mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.errors import Finding, Said
from ikevd.finding_kinds import FINDINGS
from ikevd.findings import (
    Asked,
    Difference,
    EspInUdp,
    IpsecSaStands,
    Named,
    NearestMiss,
    NoAnswerYet,
    NothingComparable,
    NotOffered,
    OtherIdentity,
    OtherKey,
    PeerRefuses,
    RecordedLate,
    Sign,
    Silence,
    SilentIdentity,
    Traffic,
    Undelivered,
    Unreachable,
)
from ikevd.observe.views import finding_view
from ikevd.observe.words import _SENTENCES, say
from ikevd.path_findings import NotCompressed, Obstacle
from ikevd.refusals import OtherAddresses, OtherHash, OtherHeader, WrongPort
from ikevd.selector_findings import ChildTraffic, Held, NoSuchChild, OtherSelectors

LAN = Traffic("10.1.0.0/24", "10.2.0.0/24")
ASKED = Asked(LAN, ("aes256-sha256-modp2048", "aes128-sha1-modp2048"))
GATEWAY = Named("gw.example.net", "FQDN")
SILENCE = Silence("MM2", "MM1", 6, 41, 500, 500, None, (), ())
SILENT_5 = SilentIdentity(replace(SILENCE, awaited="MM6", sent="MM5"), "site-b.psk", GATEWAY)


def test_every_finding_has_a_sentence() -> None:
    assert _SENTENCES.keys() >= set(FINDINGS.values())


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            NearestMiss(2, "aes256-sha256", "aes256-sha256-modp2048", (Difference("PFS group", "none", "modp2048"),)),
            "no acceptable phase 2 proposal: nearest offer of the peer aes256-sha256, ours aes256-sha256-modp2048; "
            "they differ in the PFS group (theirs none, ours modp2048)",
        ),
        (
            NothingComparable(2, ("ESP with IPCOMP", "AH"), together=True),
            "no acceptable phase 2 proposal: the peer offers ESP with IPCOMP, and AH; "
            "wanted is ESP alone, so compression and AH must be off there",
        ),
        (NothingComparable(1, ()), "no acceptable phase 1 proposal: the peer offers no proposal at all"),
        (
            NotOffered("aes256-sha256", "aes256-sha256", (Difference("encapsulation", "transport", "tunnel"),)),
            "the peer chose aes256-sha256, which we did not offer; the nearest of our offer is aes256-sha256: "
            "they differ in the encapsulation (theirs transport, ours tunnel)",
        ),
        (
            OtherKey(Sign.MESSAGE_5, ("a.psk", "b.psk")),
            "probable pre-shared key mismatch: message 5 does not decrypt; "
            "the secret that was tried is defined at a.psk, b.psk",
        ),
        (
            OtherIdentity(Named("10.9.9.9", "IPV4_ADDR"), (GATEWAY,), configured=True),
            "the peer calls itself 10.9.9.9 (IPV4_ADDR); gw.example.net (FQDN) is configured as remote_id",
        ),
        (
            OtherIdentity(GATEWAY, (Named("198.51.100.1", "IPV4_ADDR"),), configured=False),
            "the peer calls itself gw.example.net (FQDN); 198.51.100.1 (IPV4_ADDR) is wanted, its address, "
            "since no remote_id is configured",
        ),
        (
            PeerRefuses("INVALID_ID_INFORMATION", ASKED),
            "the peer refuses: INVALID_ID_INFORMATION; we asked for 10.1.0.0/24 === 10.2.0.0/24: the peer must be "
            "configured for the mirror image, 10.2.0.0/24 === 10.1.0.0/24 (on Cisco the ACL of the crypto map)",
        ),
        (
            PeerRefuses("INVALID_ID_INFORMATION", replace(ASKED, shared=True)),
            "the peer refuses: INVALID_ID_INFORMATION; we asked for 10.1.0.0/24 === 10.2.0.0/24: the peer must be "
            "configured for the mirror image, 10.2.0.0/24 === 10.1.0.0/24 (on Cisco the ACL of the crypto map), or "
            "another host behind the same NAT has the same with it already",
        ),
        (
            Held(LAN, "192.0.2.1:4500", 30, transport=True),
            "the peer asks for 10.1.0.0/24 === 10.2.0.0/24, which belongs to the peer at 192.0.2.1:4500, which was "
            "heard of within the last 30 s; hosts behind one NAT are told apart by their ports, or by `mark: unique`",
        ),
        (
            PeerRefuses("NO_PROPOSAL_CHOSEN", ASKED),
            "the peer refuses: NO_PROPOSAL_CHOSEN; we offered aes256-sha256-modp2048, aes128-sha1-modp2048 for "
            "10.1.0.0/24 === 10.2.0.0/24: PFS and cipher are the usual causes",
        ),
        (
            PeerRefuses("BAD_PROPOSAL_SYNTAX", Asked(LAN, ("aes256-sha256",), ipcomp=True)),
            "the peer refuses: BAD_PROPOSAL_SYNTAX; we offered aes256-sha256 with IPComp and without: libreswan "
            "refuses both where it has compress=no; wanted compress=yes there, or no ipcomp here",
        ),
        (
            IpsecSaStands(LAN, "aes256-sha256", "d0000001", "c0000001", "d001", "4242"),
            "IPsec SA pair 10.1.0.0/24 === 10.2.0.0/24, aes256-sha256, SPI in d0000001, out c0000001, compressed, CPI "
            "in d001, out 4242",
        ),
        (
            NotCompressed(Obstacle.NAT),
            "nothing is compressed, though the file says ipcomp: ESP travels in UDP, where there is no place for it",
        ),
        (
            PeerRefuses("INVALID_FLAGS", ASKED),
            "the peer refuses: INVALID_FLAGS; we asked for 10.1.0.0/24 === 10.2.0.0/24 and offered "
            "aes256-sha256-modp2048, aes128-sha1-modp2048",
        ),
        (
            OtherSelectors(LAN, Traffic("10.1.0.0/25", "10.2.0.0/24")),
            "we asked for 10.1.0.0/24 === 10.2.0.0/24, the peer answered with 10.1.0.0/25 === 10.2.0.0/24, which "
            "RFC 2409 does not allow; `selection: narrow` takes less than was asked for",
        ),
        (
            NoSuchChild(Traffic("10.2.0.0/24", "10.1.0.0/24"), (ChildTraffic("lan", LAN),), swapped=True),
            "the peer asks for 10.2.0.0/24 === 10.1.0.0/24, which is no child of ours - the peer has local and remote "
            "the wrong way round; lan has 10.1.0.0/24 === 10.2.0.0/24",
        ),
        (
            EspInUdp("RFC 3947", local=True, remote=True, forced=False),
            "ESP will travel in UDP (RFC 3947): a NAT is in front of this side and the peer",
        ),
        (
            EspInUdp("draft-03", local=False, remote=False, forced=True),
            "ESP will travel in UDP (draft-03): `encap: force`, without a NAT between the peers",
        ),
    ],
)
def test_a_finding_says_what_was_seen_and_what_was_wanted(found: Finding, sentence: str) -> None:
    assert say(found) == sentence


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            SILENCE,
            "no MM2: MM1 was sent 6 times in 41 s; "
            "UDP 500 may be blocked, or the peer knows no connection for our address",
        ),
        (replace(SILENCE, awaited="MM5", sent=None, sends=0), "no MM5 in 41 s"),
        (
            replace(SILENCE, unreachable=(Unreachable("port unreachable", "198.51.100.1", "198.51.100.1:500"),)),
            "nobody listens at 198.51.100.1:500, says 198.51.100.1 itself (ICMP port unreachable); "
            "no MM2: MM1 was sent 6 times in 41 s",
        ),
        (
            replace(SILENCE, unreachable=(Unreachable("host unreachable", "192.0.2.254", "198.51.100.1:500"),)),
            "198.51.100.1:500: host unreachable, says 192.0.2.254 (ICMP); no MM2: MM1 was sent 6 times in 41 s",
        ),
        (
            replace(SILENCE, awaited="QM2", sent="QM1", port=4500),
            "no QM2: QM1 was sent 6 times in 41 s; "
            "UDP 4500 may be blocked on the way: nothing came from there, while 500 had worked",
        ),
        (
            replace(SILENCE, unreachable=(Undelivered("cannot send: there is no route"),)),
            "cannot send: there is no route; no MM2: MM1 was sent 6 times in 41 s",
        ),
        (
            replace(SILENCE, hints=("NO_PROPOSAL_CHOSEN",)),
            "the peer says, unauthenticated: NO_PROPOSAL_CHOSEN; no MM2: MM1 was sent 6 times in 41 s",
        ),
        (
            replace(SILENCE, refused=Said("nonce of 3 octets")),
            "no MM2: MM1 was sent 6 times in 41 s; the last message that came was refused: nonce of 3 octets",
        ),
    ],
)
def test_silence_begins_with_what_the_network_and_the_peer_said(found: Silence, sentence: str) -> None:
    assert say(found) == sentence


def test_silence_after_message_5_means_another_key_first() -> None:
    assert say(SILENT_5) == (
        "probable pre-shared key mismatch: the peer went silent at message 5, the first encrypted one "
        "(MM5 was sent 6 times in 41 s); the secret that was tried is defined at site-b.psk. "
        "Or the peer refuses our identity gw.example.net (FQDN)"
    )


def test_silence_after_message_5_on_port_4500_means_a_blocked_port_first() -> None:
    assert say(replace(SILENT_5, silence=replace(SILENT_5.silence, port=4500))) == (
        "no answer on UDP port 4500 (MM5 was sent 6 times in 41 s), while port 500 had worked; UDP 4500 may be blocked "
        "on the way; or the pre-shared keys differ: the secret that was tried is defined at site-b.psk; "
        "or the peer refuses our identity gw.example.net (FQDN)"
    )


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (NoAnswerYet("MM6", "MM5", 4500, 500), "UDP 4500 may be blocked, or the pre-shared keys differ"),
        (NoAnswerYet("MM6", "MM5", 500, 500), "the pre-shared keys may differ, or the peer refuses our identity"),
        (
            NoAnswerYet("MM4", "MM3", 500, 500),
            "a long message may be lost on the way, or the peer has no key for our address",
        ),
    ],
)
def test_the_first_repetition_says_what_it_may_mean(found: NoAnswerYet, sentence: str) -> None:
    assert say(found) == f"no answer to {found.sent} yet: {sentence}"


def test_a_record_that_begins_late_says_so() -> None:
    assert say(RecordedLate(0.3)) == "message 1 came 0.3 s ago, among so many that it was not recorded then"


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            Unreachable("port unreachable", "192.0.2.254", "198.51.100.1:4500"),
            "198.51.100.1:4500: port unreachable, says 192.0.2.254 (ICMP)",
        ),
        (
            Unreachable("port unreachable", "2001:db8::1", "[2001:db8::1]:500"),
            "nobody listens at [2001:db8::1]:500, says 2001:db8::1 itself (ICMP port unreachable)",
        ),
        (
            Unreachable("host unreachable", "this machine", "198.51.100.1:500"),
            "198.51.100.1:500: host unreachable, says this machine (ICMP)",
        ),
        (Unreachable("network unreachable", None, "198.51.100.1:500"), "198.51.100.1:500: network unreachable (ICMP)"),
    ],
)
def test_an_icmp_error_says_what_and_who_says_it(found: Finding, sentence: str) -> None:
    assert say(found) == sentence


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (OtherHeader("message ID", "0badcafe", "00000000"), "message ID 0badcafe; 00000000 is wanted"),
        (
            OtherAddresses("203.0.113.9:500", "192.0.2.1:500", "192.0.2.1:500 - 198.51.100.1:500"),
            "the message came from 203.0.113.9:500 to 192.0.2.1:500; 192.0.2.1:500 - 198.51.100.1:500 is negotiating",
        ),
        (
            WrongPort(500, (4500,), ours=True, nat=True),
            "the message came to port 500; 4500 is wanted, as a NAT was found (RFC 3947 section 4)",
        ),
        (
            WrongPort(1024, (500, 4500), ours=False, nat=False),
            "the message came from port 1024; 500 or 4500 is wanted, as no NAT in front of the peer explains it",
        ),
        (
            OtherHash("HASH(1)"),
            "HASH(1) does not match: the message was altered, or the peer computes it otherwise",
        ),
    ],
)
def test_a_message_that_is_not_accepted_is_told_by_what_came_and_what_was_wanted(found: Finding, sentence: str) -> None:
    assert say(found) == sentence


def test_a_long_list_ends_in_a_count() -> None:
    children = tuple(ChildTraffic(f"lan{number}", LAN) for number in range(100))
    assert say(NoSuchChild(LAN, children, swapped=False)).endswith("; 92 more")


def test_json_has_the_fields_of_a_finding_and_of_those_within() -> None:
    assert finding_view(replace(SILENCE, refused=OtherKey(Sign.HASH_R, ("a.psk",)))) == {
        "kind": "silence",
        "awaited": "MM2",
        "sent": "MM1",
        "sends": 6,
        "seconds": 41,
        "port": 500,
        "first_port": 500,
        "refused": {"kind": "other_key", "sign": "HASH_R of message 2 does not match", "sources": ["a.psk"]},
        "hints": [],
        "unreachable": [],
        "otherwise": False,
    }
