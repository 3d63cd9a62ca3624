"""What strongSwan refuses, and what it is refused, in words, in both roles (libreswan: test_refusals_libreswan.py)."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan, StrongSwanError
from tests.interop.topology import Topology

OURS = "gw-a.example"


@pytest.fixture
def site(topology: Topology) -> Site:
    return Site(topology.gw_a, topology.gw_b, local_id=OURS, retransmit="{interval: 1s, factor: 1.5, sends: 4}")


def somebody_else(site: Site) -> Site:
    """The peer wants another identity than ours."""
    return replace(site, local_id="somebody-else.example")


# -- our identity is refused ------------------------------------------------------------------------------------------


def test_strongswan_refuses_our_identity(site: Site, charon_b: StrongSwan) -> None:
    charon_b.configure(somebody_else(site).mirrored())
    with Ikevd(site.here, site.ikevd()) as ikevd:
        cause = ikevd.failing_up("lan")
    assert cause == f"the key is right, the peer refuses our identity {OURS} (FQDN): AUTHENTICATION_FAILED"


def test_strongswan_refuses_our_identity_in_aggressive_mode(site: Site, charon_b: StrongSwan) -> None:
    """It does so on message 1, in the clear."""
    site = replace(site, aggressive=True)
    charon_b.configure(somebody_else(site).mirrored())
    with Ikevd(site.here, site.ikevd()) as ikevd:
        cause = ikevd.failing_up("lan")
    assert cause.startswith("the peer says, unauthenticated: AUTHENTICATION_FAILED; no AM2: AM1 was sent 4 times")


def test_strongswan_holds_another_key(site: Site, charon_b: StrongSwan) -> None:
    charon_b.configure(site.mirrored(secret="another secret altogether"))
    with Ikevd(site.here, site.ikevd()) as ikevd:
        cause = ikevd.failing_up("lan")
    assert cause.startswith("probable pre-shared key mismatch: the peer answered, encrypted, but not under our key")


# -- we refuse ----------------------------------------------------------------------------------------------------


def test_strongswan_reads_that_we_refuse_its_identity(site: Site, charon_b: StrongSwan) -> None:
    charon_b.configure(site.mirrored(local_id="mallory.example"))
    with Ikevd(site.here, site.ikevd()) as ikevd:
        with pytest.raises(StrongSwanError):
            charon_b.initiate("lan", timeout=10)
        assert "the peer calls itself mallory.example (FQDN); 198.51.100.1 (IPV4_ADDR) is wanted" in ikevd.log
    assert re.search("received INVALID_ID(_INFORMATION)? error notify", charon_b.tail())


def test_strongswan_hears_from_us_that_its_message_5_is_unreadable(site: Site, charon_b: StrongSwan) -> None:
    charon_b.configure(site.mirrored(secret="another secret altogether"))
    with Ikevd(site.here, site.ikevd()) as ikevd:
        with pytest.raises(StrongSwanError):
            charon_b.initiate("lan", timeout=9)
        assert "probable pre-shared key mismatch: message 5 does not decrypt" in ikevd.log
    assert re.search(r"INFORMATIONAL_V1 (request|response) .*could not|ignore malformed INFORMATIONAL", charon_b.tail())


# -- Quick Mode ----------------------------------------------------------------------------------------------------


def test_strongswan_narrows_to_a_smaller_net(site: Site, charon_b: StrongSwan) -> None:
    charon_b.configure(site.mirrored(children=(("lan", site.there.net, "10.1.0.0/25"),)))
    with Ikevd(site.here, site.ikevd()) as ikevd:
        cause = ikevd.failing_up("lan")
    asked = f"we asked for {site.here.net} === {site.there.net}"
    answered = f"{asked}, the peer answered with 10.1.0.0/25 === {site.there.net}, which RFC 2409 does not allow"
    assert cause == f"{answered}; `selection: narrow` takes less than was asked for"


def test_strongswan_wants_pfs(site: Site, charon_b: StrongSwan) -> None:
    charon_b.configure(site.mirrored(esp="aes128-sha256-modp2048"))
    with Ikevd(site.here, site.ikevd()) as ikevd:
        cause = ikevd.failing_up("lan")
    assert cause.startswith("the peer refuses: NO_PROPOSAL_CHOSEN; we offered aes128-sha256 for")
    assert cause.endswith("PFS and cipher are the usual causes")


def test_strongswan_has_other_selectors(site: Site, charon_b: StrongSwan) -> None:
    charon_b.configure(site.mirrored(children=(("lan", "10.9.0.0/24", site.here.net),)))
    with Ikevd(site.here, site.ikevd()) as ikevd:
        cause = ikevd.failing_up("lan")
    mirror = f"{site.there.net} === {site.here.net}"
    assert f"the peer must be configured for the mirror image, {mirror} (on Cisco the ACL of the crypto map)" in cause


def test_strongswan_with_compression_is_taken_without_it(site: Site, charon_b: StrongSwan) -> None:
    """It offers ESP with IPCOMP first and ESP alone second."""
    charon_b.configure(site.mirrored(ipcomp=True))
    with Ikevd(site.here, site.ikevd()):
        charon_b.initiate("lan", timeout=10)
