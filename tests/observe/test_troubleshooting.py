"""docs/troubleshooting.md quotes what ikevd prints, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ikevd.findings import (
    Asked,
    IdentityRefused,
    Named,
    NearestMiss,
    NothingComparable,
    OtherIdentity,
    OtherKey,
    PeerRefuses,
    Sign,
    Silence,
    SilentIdentity,
    Traffic,
    Undelivered,
    Unreachable,
)
from ikevd.lifetime_findings import LifeRefused
from ikevd.observe.words import say
from ikevd.selector_findings import ChildTraffic, NoSuchChild, OtherSelectors

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"

LAN = Traffic("10.1.0.0/24", "10.2.0.0/24")
ASKED = Asked(LAN, ("aes256-sha256-modp2048",))
NAME, ADDRESS = Named("gw.example.net", "FQDN"), Named("198.51.100.1", "IPV4_ADDR")
SILENCE = Silence("MM2", "MM1", 6, 41, 500, 500, None, (), ())

PRINTED = [
    say(found)
    for found in (
        SILENCE,
        replace(SILENCE, awaited="AM2", sent="AM1"),
        replace(SILENCE, awaited="MM4", sent="MM3"),
        replace(SILENCE, awaited="QM2", sent="QM1"),
        replace(SILENCE, awaited="QM2", sent="QM1", port=4500),
        replace(SILENCE, hints=("NO_PROPOSAL_CHOSEN",)),
        SilentIdentity(replace(SILENCE, awaited="MM6", sent="MM5", port=4500), "site-b.psk", NAME),
        Unreachable("port unreachable", "198.51.100.1", "198.51.100.1:500"),
        Unreachable("host unreachable", "192.0.2.254", "198.51.100.1:500"),
        Undelivered("192.0.2.1 (local) is not an address of this machine"),
        NearestMiss(1, "aes128-sha1-modp1024", "aes256-sha256-modp2048", ()),
        NothingComparable(2, ("ESP with IPCOMP",), together=True),
        OtherKey(Sign.MESSAGE_5, ("site-b.psk",)),
        IdentityRefused("INVALID_ID_INFORMATION", NAME),
        OtherIdentity(NAME, (ADDRESS,), configured=True),
        OtherIdentity(NAME, (ADDRESS,), configured=False),
        PeerRefuses("NO_PROPOSAL_CHOSEN", ASKED),
        PeerRefuses("INVALID_ID_INFORMATION", ASKED),
        PeerRefuses("BAD_PROPOSAL_SYNTAX", replace(ASKED, ipcomp=True)),
        NoSuchChild(LAN, (ChildTraffic("lan", LAN),), swapped=False),
        LifeRefused("strict", 86400, None, 3600, None),
        OtherSelectors(LAN, Traffic("10.1.0.0/25", "10.2.0.0/24")),
    )
]


def quotes() -> list[str]:
    """What stands between backquotes in the first column of the first table."""
    section = PAGE.read_text().split("\n## ")[1]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| ")][1:]
    return [quote for cell in cells for quote in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("quote", quotes())
def test_a_sentence_that_the_page_quotes_is_one_that_ikevd_prints(quote: str) -> None:
    pattern = ".*".join(re.escape(part.strip()) for part in quote.split("…"))
    assert any(re.search(pattern, sentence) for sentence in PRINTED), quote
