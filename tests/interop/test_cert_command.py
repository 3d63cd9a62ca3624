"""Certificates between ikevd's and others' tools: what `ikevd cert` makes, strongSwan and NSS (libreswan) take; what
strongSwan's `pki` makes proves to ikevd whom it is for."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from ikevd.certificate_findings import CertificateRefused, Check
from ikevd.cli.main import main
from ikevd.errors import AuthenticationFailed
from ikevd.pki import credential
from ikevd.pki.contents import Octets
from ikevd.pki.credential import SendCert
from ikevd.pki.prove import anchored, proven
from ikevd.pki.trust import Revocation, Trust
from ikevd.policy.identity import Identity
from tests.interop.node import Node, run
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

NAMES = ("gw-a.example.net", "gw-b.example.net")
PASSPHRASE = "a passphrase of the tests"


def make(folder: Path, *words: str) -> None:
    result = CliRunner().invoke(main, ["cert", *words, "--folder", str(folder)])
    assert result.exit_code == 0, result.stderr


def configuration(local: Node, remote: Node, own: str, other: str) -> str:
    return f"""
        connections {{ t {{
          version = 1
          local_addrs = {local.address}
          remote_addrs = {remote.outside}
          proposals = aes128-sha256-modp2048
          local {{ auth = pubkey
            certs = {own}.pem
            id = {own} }}
          remote {{ auth = pubkey
            cacerts = ca.pem
            id = {other} }}
          children {{ c {{
            local_ts = {local.net}
            remote_ts = {remote.net}
            esp_proposals = aes128gcm16 }} }} }} }}
        """


def install(charon: StrongSwan, folder: Path, name: str) -> None:
    swanctl = charon.directory / "swanctl"
    shutil.copy(folder / "ca.pem", swanctl / "x509ca")
    shutil.copy(folder / f"{name}.pem", swanctl / "x509")
    for old in (swanctl / "private").iterdir():
        old.unlink()
    shutil.copy(folder / f"{name}.key", swanctl / "private")


@pytest.mark.parametrize("key", ["rsa", "ecdsa"])
def test_two_strongswans_prove_themselves_with_what_ikevd_made(
    topology: Topology, charon_a: StrongSwan, charon_b: StrongSwan, tmp_path: Path, key: str
) -> None:
    make(tmp_path, "ca", "--key", key)
    for name in NAMES:
        make(tmp_path, "gateway", name, "--key", key)
    for charon, here, there in ((charon_a, 0, 1), (charon_b, 1, 0)):
        install(charon, tmp_path, NAMES[here])
        nodes = (topology.gw_a, topology.gw_b)
        charon.load(configuration(nodes[here], nodes[there], NAMES[here], NAMES[there]))
    before = topology.wire.seen()
    charon_a.initiate("c")
    assert topology.host_a.ping(topology.host_b.address, 5) == 5
    seen = topology.wire.seen() - before
    assert (seen.esp, seen.clear) == (10, 0)


def test_strongswan_verifies_what_ikevd_made(tmp_path: Path) -> None:
    make(tmp_path, "ca")
    make(tmp_path, "user", "alice@example.net")
    words = ["--in", str(tmp_path / "alice@example.net.pem"), "--ca", str(tmp_path / "ca.pem")]
    assert "certificate trusted" in run("pki", "--verify", *words)
    shown = run("pki", "--print", "--in", str(tmp_path / "alice@example.net.pem"))
    for part in ("alice@example.net", "clientAuth", "ikeIntermediate", "RSA 3072 bits"):
        assert part in shown


@pytest.mark.parametrize("legacy", [[], ["--legacy"]])
def test_nss_imports_the_pkcs_12_that_ikevd_made(tmp_path: Path, legacy: list[str]) -> None:
    """libreswan keeps its certificates there."""
    (tmp_path / "words").write_text(PASSPHRASE)
    make(tmp_path, "ca")
    make(tmp_path, "user", "alice@example.net", "--passphrase-file", str(tmp_path / "words"), *legacy)
    run("certutil", "-N", "-d", f"sql:{tmp_path}", "--empty-password")
    run("pk12util", "-i", str(tmp_path / "alice@example.net.p12"), "-d", f"sql:{tmp_path}", "-W", PASSPHRASE)
    assert "alice@example.net" in run("certutil", "-L", "-d", f"sql:{tmp_path}")
    assert "alice@example.net" in run("certutil", "-K", "-d", f"sql:{tmp_path}")


def pki(folder: Path, out: str, *words: str) -> Octets:
    """What strongSwan's `pki` prints."""
    script = f"pki {' '.join(words)} > {out}"
    run("sh", "-c", f"cd {folder} && {script}")
    return Octets((folder / out).read_bytes(), out)


def test_a_chain_and_a_crl_of_strongswan_prove_and_revoke(tmp_path: Path) -> None:
    for name in ("root", "sub", "gw"):
        pki(tmp_path, f"{name}.key", "--gen --type rsa --size 2048 --outform pem")
    root = pki(tmp_path, "root.pem", '--self --ca --in root.key --dn "C=DE, O=Example, CN=Root" --outform pem')
    issue = "--issue --cacert {0}.pem --cakey {0}.key --type priv --outform pem --in"
    sub = pki(tmp_path, "sub.pem", issue.format("root"), 'sub.key --ca --dn "C=DE, O=Example, CN=Sub"')
    own = pki(
        tmp_path,
        "gw.pem",
        issue.format("sub"),
        f'gw.key --dn "C=DE, O=Example, CN=gw" --san {NAMES[0]} --flag ikeIntermediate',
    )
    crls = [
        *credential.load_crls(pki(tmp_path, "root.crl", "--signcrl --cacert root.pem --cakey root.key")),
        *credential.load_crls(pki(tmp_path, "sub.crl", "--signcrl --cacert sub.pem --cakey sub.key --cert gw.pem")),
    ]
    us = credential.load(Octets(own.data + sub.data, "gw.pem"), Octets((tmp_path / "gw.key").read_bytes(), "key"), None)
    now = datetime.now(UTC)
    for claimed in (NAMES[0], "CN=gw,O=Example,C=DE"):
        trust = Trust(credential.load_cas(root), revocation=Revocation.STRICT)
        (found,) = anchored(trust, Identity.parse(claimed), us.payloads(SendCert.ALWAYS, []), now)
        assert found.path[0] == us.certificate
        with pytest.raises(AuthenticationFailed) as caught:
            proven(trust, found, crls, now)
        assert isinstance(caught.value.finding, CertificateRefused)
        assert caught.value.finding.check is Check.REVOKED
