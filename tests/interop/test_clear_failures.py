"""Each failure ends with one specific sentence on our side, and leaves in the kernel what was there before."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.interop.daemon import IKEVD, Ikevd
from tests.interop.node import Node
from tests.interop.sites import SECRET, Site
from tests.interop.strongswan import StrongSwan, StrongSwanError
from tests.interop.topology import Topology

QUICK = "{interval: 500ms, factor: 1.5, sends: 3}"
FOREIGN_SA = "xfrm state add src 192.0.2.9 dst 192.0.2.1 proto esp spi 0xdead reqid 9 mode tunnel"
KEYS = ["auth-trunc", "hmac(sha256)", f"0x{'11' * 32}", "128", "enc", "ecb(cipher_null)", ""]
FOREIGN_POLICY = "xfrm policy add src 10.77.0.0/24 dst 10.78.0.0/24 dir out action block"


@pytest.fixture
def site(topology: Topology) -> Site:
    return Site(topology.gw_a, topology.gw_b, retransmit=QUICK)


@pytest.fixture(autouse=True)
def kernel_is_as_before(topology: Topology) -> Iterator[None]:
    """Another daemon's SA and policy stand before, and nothing else stands afterwards."""
    gateway = topology.gw_a
    gateway.ip(*FOREIGN_SA.split(), *KEYS)
    gateway.ip(*FOREIGN_POLICY.split())
    before = shown(gateway)
    yield
    after = shown(gateway)
    gateway.ip("xfrm", "state", "flush")
    gateway.ip("xfrm", "policy", "flush")
    assert after == before


def shown(node: Node) -> str:
    return node.ip("xfrm", "state") + node.ip("xfrm", "policy")


def cause_of_up(ikevd: Ikevd, name: str = "lan") -> str:
    """The last line of a failing `ikevd up`."""
    done = ikevd.command("up", name)
    assert done.exit_code == 1, done.stdout
    return done.stderr.strip().splitlines()[-1]


def said_in_time(ikevd: Ikevd, words: str) -> None:
    """The log has them, or will have in a moment: the peer may hear of a refusal before we have written it down."""
    eventually(lambda: ikevd.log, lambda log: words in log)


def test_wrong_key_as_initiator(site: Site, charon_b: StrongSwan) -> None:
    charon_b.load(site.mirrored(secret="another secret altogether").swanctl())
    with Ikevd(site.here, site.ikevd()) as ikevd:
        cause = cause_of_up(ikevd)
        assert "probable pre-shared key mismatch" in cause
        assert "ikevd.yaml:5:" in cause, "it says where the secret that was tried is defined"
        assert SECRET not in cause


def test_wrong_key_as_responder(site: Site, charon_b: StrongSwan) -> None:
    charon_b.load(site.mirrored(secret="another secret altogether").swanctl())
    with Ikevd(site.here, site.ikevd()) as ikevd:
        with pytest.raises(StrongSwanError):
            charon_b.initiate("lan", timeout=2)
        said_in_time(ikevd, "probable pre-shared key mismatch: message 5 does not decrypt")
        said_in_time(ikevd, "ikevd.yaml:5:")


def test_no_common_proposal_as_initiator(site: Site, charon_b: StrongSwan) -> None:
    charon_b.load(site.mirrored(ike="aes256-sha1-modp1024").swanctl())
    with Ikevd(site.here, site.ikevd()) as ikevd:
        assert "the peer says, unauthenticated: NO_PROPOSAL_CHOSEN" in cause_of_up(ikevd)


def test_no_common_proposal_as_responder(site: Site, charon_b: StrongSwan) -> None:
    charon_b.load(site.mirrored(ike="aes128-sha256-modp1024").swanctl())
    with Ikevd(site.here, site.ikevd()) as ikevd:
        with pytest.raises(StrongSwanError, match="NO_PROPOSAL_CHOSEN"):
            charon_b.initiate("lan", timeout=4)
        said_in_time(ikevd, "they differ in the group (theirs modp1024, ours modp2048)")


def test_no_common_esp_proposal_as_initiator(site: Site, charon_b: StrongSwan) -> None:
    charon_b.load(site.mirrored(esp="aes256-sha1").swanctl())
    with Ikevd(site.here, site.ikevd()) as ikevd:
        assert "the peer refuses: NO_PROPOSAL_CHOSEN" in cause_of_up(ikevd)


def test_wrong_selectors_as_initiator(site: Site, charon_b: StrongSwan) -> None:
    charon_b.load(site.mirrored(children=(("lan", "10.9.0.0/24", site.here.net),)).swanctl())
    with Ikevd(site.here, site.ikevd()) as ikevd:
        assert "the peer refuses: INVALID_ID_INFORMATION" in cause_of_up(ikevd)


def test_wrong_selectors_as_responder(site: Site, charon_b: StrongSwan) -> None:
    charon_b.load(site.mirrored(children=(("lan", "10.9.0.0/24", site.here.net),)).swanctl())
    with Ikevd(site.here, site.ikevd()) as ikevd:
        with pytest.raises(StrongSwanError):
            charon_b.initiate("lan", timeout=3)
        said_in_time(ikevd, "the peer asks for 10.1.0.0/24 === 10.9.0.0/24, which is no child of ours")
        said_in_time(ikevd, "lan has 10.1.0.0/24 === 10.2.0.0/24")


def test_no_answer(site: Site) -> None:
    silent = site.ikevd().replace(site.there.address, "198.51.100.77")
    with Ikevd(site.here, silent) as ikevd:
        assert "no MM2: MM1 was sent 3 times in" in cause_of_up(ikevd)


def test_another_identity(site: Site, charon_b: StrongSwan) -> None:
    charon_b.load(site.mirrored(local_id="mallory.example").swanctl())
    with Ikevd(site.here, site.ikevd()) as ikevd:
        refused = "the peer calls itself mallory.example (FQDN); 198.51.100.1 (IPV4_ADDR) is wanted, its address"
        assert refused in cause_of_up(ikevd)


def refused_start(site: Site, folder: Path, *prefix: str) -> str:
    """What `ikevd run` says when it cannot start."""
    file = folder / "ikevd.yaml"
    file.touch(mode=0o600)
    file.write_text(f"{site.ikevd()}\ncontrol: {{socket: {folder}/control.sock}}\nruntime_directory: {folder}/run\n")
    command = site.here.command(*prefix, IKEVD, "run", "--config", str(file))
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_port_in_use_names_the_process_that_holds_it(site: Site, tmp_path: Path) -> None:
    def hold() -> socket.socket:
        holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        holder.bind(("0.0.0.0", 500))
        return holder

    with site.here.call(hold):
        said = refused_start(site, tmp_path)
    assert "cannot listen on UDP 0.0.0.0:500" in said
    assert f"(pid {os.getpid()})" in said


def test_a_missing_capability_is_named(site: Site, tmp_path: Path) -> None:
    dropped = ("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")
    assert "CAP_NET_ADMIN" in refused_start(site, tmp_path, *dropped)


def test_a_kernel_without_an_algorithm_is_found_at_load_by_a_trial_sa(site: Site, tmp_path: Path) -> None:
    subprocess.run(["modprobe", "-r", "cbc"], check=True)
    try:
        said = refused_start(site, tmp_path)
    finally:
        subprocess.run(["modprobe", "cbc"], check=True)
    assert "esp_proposals aes128-sha256" in said
    assert "cbc(aes)" in said
