"""tshark, which we did not write, reads our messages and, with the key that we export, decrypts them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

EXPECTED = Path(__file__).parent / "expected" / "tshark-4.0.17-main-and-quick-mode.tsv"
FIELDS = (
    "ip.src",
    "isakmp.exchangetype",
    "isakmp.flag_e",
    "isakmp.typepayload",
    "isakmp.id.data.ipv4_addr",
    "isakmp.id.data.ipv4_subnet",
    "isakmp.ike.attr.encryption_algorithm",
    "isakmp.ike.attr.hash_algorithm",
    "isakmp.ike.attr.group_description",
    "isakmp.ipsec.attr.encap_mode",
    "isakmp.ipsec.attr.auth_algorithm",
    "_ws.malformed",
)


def decoded(capture: Path, key: str) -> str:
    """One line for each message, as tshark reads it with the key of our key log."""
    shown = [word for field in FIELDS for word in ("-e", field)]
    uat = f"uat:ikev1_decryption_table:{key}"
    command = ["tshark", "-r", str(capture), "-Y", "isakmp", "-o", uat, "-T", "fields", "-E", "aggregator=;", *shown]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def test_main_mode_and_quick_mode_are_decrypted_with_our_key_log(
    topology: Topology, charon_b: StrongSwan, tmp_path: Path
) -> None:
    site = Site(topology.gw_a, topology.gw_b, "aes256-sha256-modp2048", "aes256-sha256-modp2048")
    charon_b.load(site.mirrored().swanctl())
    assert topology.wire.seen().ike == 0, "the capture holds this negotiation alone"
    ours, keys = tmp_path / "ours.pcap", tmp_path / "keys"
    with Ikevd(topology.gw_a, site.ikevd(), export_keys=True) as ikevd:
        ikevd.up("lan")
        topology.wire.save(tmp_path / "ike.pcap")
        (key,) = ikevd.keys()
        captured = ikevd.command("capture", str(ours), "--keys", str(keys))
    assert decoded(tmp_path / "ike.pcap", key) == EXPECTED.read_text()
    assert captured.exit_code == 0, captured.stderr
    assert decoded(ours, keys.read_text().strip()) == EXPECTED.read_text(), "what `ikevd capture` wrote from the record"
