"""ike-scan, an independent prober: it names what we send, sees one answer to each request, and gets from Aggressive
Mode what its authors say it gives away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.topology import Topology

NAMED = {
    "4a131c81070358455c5728f20e95452f": "RFC 3947 NAT-T",
    "7d9419a65310ca6f2c179d9215529d56": "draft-ietf-ipsec-nat-t-ike-03",
    "90cb80913ebb696e086381b5ec427b1f": r"draft-ietf-ipsec-nat-t-ike-02\n",
}
"""Every method of NAT traversal that we offer, by what ike-scan calls it."""
GUESSABLE = "opensesame"
PROPOSALS = {"md5": "(1=7,14=128,2=1,3=1,4=2)", "sha1": "(1=7,14=128,2=2,3=1,4=2)"}
MAIN = ["--trans=(1=7,14=128,2=4,3=1,4=14)"]
AGGRESSIVE = ["--aggressive", "--id=staff", "--idtype=11", "--dhgroup=2", f"--trans={PROPOSALS['sha1']}"]


@pytest.fixture(scope="module")
def site(topology: Topology) -> Site:
    return Site(
        topology.gw_a,
        topology.gw_b,
        "[aes128-sha256-modp2048, aes128-sha1-modp1024, aes128-md5-modp1024]",
        secret=GUESSABLE,
        remote_id="keyid:staff",
        aggressive=True,
        options=("cisco_unity: true",),
    )


@pytest.fixture(scope="module")
def ikevd(site: Site) -> Iterator[Ikevd]:
    with Ikevd(site.here, site.ikevd()) as ikevd:
        yield ikevd


def scan(site: Site, *words: str) -> str:
    return site.there.run("ike-scan", "--sport=0", "--retry=1", "--timeout=10000", *words, site.here.address)


@pytest.mark.parametrize("mode", [MAIN, AGGRESSIVE], ids=["main", "aggressive"])
@pytest.mark.parametrize("vendor_id", NAMED)
def test_it_names_every_vendor_id_that_we_answer_with(
    ikevd: Ikevd, site: Site, mode: list[str], vendor_id: str
) -> None:
    """Dead peer detection, in Main Mode, is announced to a stranger in message 2 only if message 1 did."""
    shown = scan(site, "--multiline", *mode, f"--vendor={vendor_id}")
    dpd = ["Dead Peer Detection v1.0"] if mode is AGGRESSIVE else []
    assert re.findall(r"VID=\w+ \((.*)\)", shown) == [NAMED[vendor_id], *dpd, "Cisco Unity"], shown


@pytest.mark.parametrize("mode", [MAIN, AGGRESSIVE], ids=["main", "aggressive"])
def test_one_answer_and_none_by_timer(ikevd: Ikevd, site: Site, mode: list[str]) -> None:
    """`--showbackoff` waits for what is sent again, and names the pattern."""
    shown = scan(site, "--showbackoff=4", *mode)
    assert "1 returned handshake; 0 returned notify" in shown, shown
    assert f"{'Main' if mode is MAIN else 'Aggressive'} Mode Handshake returned" in shown
    assert len(re.findall(rf"^{re.escape(site.here.address)}\t\d+\t", shown, re.MULTILINE)) == 1, shown


def test_what_we_cannot_do_is_refused_by_name(ikevd: Ikevd, site: Site) -> None:
    refused = scan(site, "--trans=(1=1,2=1,3=1,4=1)")
    assert "0 returned handshake; 1 returned notify" in refused, refused
    assert "NO-PROPOSAL-CHOSEN" in refused


@pytest.mark.parametrize("hash_", PROPOSALS)
def test_psk_crack_recovers_the_key_from_our_hash_r(ikevd: Ikevd, site: Site, hash_: str, tmp_path: Path) -> None:
    """So HASH_R is computed as others compute it; and why `ikevd check` warns of Aggressive Mode."""
    found, words = tmp_path / "psk", tmp_path / "words"
    words.write_text(f"alibaba\n{GUESSABLE}\nmorgiana\n")
    scan(site, *AGGRESSIVE[:-1], f"--trans={PROPOSALS[hash_]}", f"--pskcrack={found}")
    shown = site.there.run("psk-crack", f"--dictionary={words}", str(found))
    assert re.search(rf'key "{GUESSABLE}" matches {hash_.upper()} hash', shown), shown
