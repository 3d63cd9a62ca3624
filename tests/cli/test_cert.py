"""`ikevd cert`: certificates for a lab, of which `openssl` is the judge, and what stands in a file."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from click.testing import Result

from ikevd.pki.prove import anchored
from ikevd.pki.trust import Trust
from ikevd.policy.identity import Identity
from tests.cli.invoked import ikevd
from tests.pki.lab import CA, END, NOW, Lab, openssl

COLUMNS = 60
GATEWAY, ALICE = "gw.example.net", "alice@example.net"


@pytest.fixture(autouse=True, scope="module")
def _openssl() -> None:
    if not shutil.which("openssl"):
        pytest.skip("openssl not found (package openssl)")


def make(folder: Path, *words: str) -> Result:
    return ikevd("cert", *words, "--folder", str(folder), "--key", "ecdsa")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the three commands have made."""
    for words in (("ca",), ("gateway", GATEWAY, "192.0.2.1"), ("user", ALICE)):
        result = make(tmp_path, *words)
        assert result.exit_code == 0, result.stderr
    return tmp_path


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("lab"))


def verified(folder: Path, name: str, *words: str) -> bool:
    command = ["openssl", "verify", "-x509_strict", "-CAfile", str(folder / "ca.pem"), *words, str(folder / name)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def test_three_commands_make_a_ca_a_gateway_and_a_user_that_openssl_takes(folder: Path) -> None:
    assert verified(folder, f"{GATEWAY}.pem", "-purpose", "sslserver", "-verify_hostname", GATEWAY)
    assert verified(folder, f"{GATEWAY}.pem", "-verify_ip", "192.0.2.1")
    assert verified(folder, f"{ALICE}.pem", "-purpose", "sslclient", "-verify_email", ALICE)
    assert not verified(folder, f"{ALICE}.pem", "-verify_email", "bob@example.net")


@pytest.mark.parametrize(("name", "claimed"), [(GATEWAY, GATEWAY), (GATEWAY, "192.0.2.1"), (ALICE, ALICE)])
def test_what_they_make_proves_whom_it_is_for(folder: Path, name: str, claimed: str) -> None:
    from ikevd.pki import credential
    from ikevd.pki.contents import Octets

    us, trusted = (Octets((folder / file).read_bytes(), file) for file in (f"{name}.pem", "ca.pem"))
    found = credential.load(us, Octets((folder / f"{name}.key").read_bytes(), "key"), None)
    payloads = found.payloads(credential.SendCert.ALWAYS, [])
    assert anchored(Trust(credential.load_cas(trusted)), Identity.parse(claimed), payloads, NOW)


def test_files_with_a_key_are_for_their_owner_alone(folder: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {
        "ca.pem": 0o644,
        f"{GATEWAY}.pem": 0o644,
        f"{ALICE}.pem": 0o644,
        "ca.key": 0o600,
        f"{GATEWAY}.key": 0o600,
        f"{ALICE}.key": 0o600,
        f"{ALICE}.p12": 0o600,
    }


@pytest.mark.parametrize("legacy", [[], ["--legacy"]])
def test_the_pkcs_12_opens_with_the_passphrase_that_is_printed(folder: Path, legacy: list[str]) -> None:
    result = make(folder, "user", "bob@example.net", *legacy)
    passphrase = result.stdout.strip().rpartition("its passphrase: ")[2]
    assert len(passphrase) > 20
    words = ["pkcs12", "-in", folder / "bob@example.net.p12", "-nodes", "-passin", f"pass:{passphrase}", *legacy]
    opened = openssl(*words).decode()
    assert opened.count("BEGIN CERTIFICATE") == 2
    assert opened.count("BEGIN PRIVATE KEY") == 1


def test_a_passphrase_from_a_file_is_not_printed(folder: Path) -> None:
    (folder / "words").write_text("open sesame\n")
    result = make(folder, "user", "bob@example.net", "--passphrase-file", str(folder / "words"))
    assert "its passphrase" not in result.stdout
    assert openssl("pkcs12", "-in", folder / "bob@example.net.p12", "-nokeys", "-passin", "pass:open sesame")


def test_rsa_is_what_is_made_by_default(tmp_path: Path) -> None:
    assert ikevd("cert", "ca", "--folder", str(tmp_path)).exit_code == 0
    assert b"3072 bit" in openssl("x509", "-in", tmp_path / "ca.pem", "-noout", "-text")


def test_nothing_is_replaced_and_nothing_is_left_half_made(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for words in (("ca",), ("gateway", GATEWAY), ("user", ALICE)):
        result = make(folder, *words)
        assert result.exit_code == 1
        assert "exists; what is in use is not replaced" in result.stderr
    (folder / "carol.pem").write_text("")
    assert make(folder, "gateway", "carol").exit_code == 1
    assert not (folder / "carol.key").exists()
    (folder / "carol.pem").unlink()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("gateway", "10.0.0.0/8"), "is no alternative name; wanted a host name, an address or user@example.net"),
        (("gateway", "../../etc/x"), ""),
        (("gateway", "-"), "gives no name of a file"),
        (("gateway", "keyid:x"), "is no alternative name"),
        (("user", "x" * 65), "is no name for a certificate; wanted 1 to 64 characters"),
        (("user", "bücher@example.net"), "in ASCII"),
    ],
)
def test_a_name_that_is_none_is_refused_or_stays_in_its_folder(folder: Path, words: tuple[str, ...], said: str) -> None:
    result = make(folder, *words)
    assert said in result.stderr
    assert result.exit_code == (1 if said else 0)
    assert not list(folder.parent.glob("*.key"))


def test_without_a_ca_the_command_that_makes_one_is_told(tmp_path: Path) -> None:
    result = make(tmp_path, "gateway", GATEWAY)
    assert (result.exit_code, result.stderr) == (
        1,
        f"there is no {tmp_path}/ca.pem; make it first: ikevd cert ca --folder {tmp_path}\n",
    )


def test_a_ca_key_that_others_may_read_signs_nothing(folder: Path) -> None:
    (folder / "ca.key").chmod(0o644)
    result = make(folder, "gateway", "gw2.example.net")
    assert "chmod 600" in result.stderr


# -- show -----------------------------------------------------------------------------------------------------------


def show(*files: Path, passphrase: Path | None = None) -> Result:
    words = ["--passphrase-file", str(passphrase)] if passphrase else []
    return ikevd("cert", "show", *map(str, files), *words)


def test_a_certificate_is_shown_on_sixty_columns(lab: Lab) -> None:
    dn = ["C=DE", "ST=Nordrhein-Westfalen", "L=Köln", "O=Example Networks and Gateways GmbH", "CN=gw.koeln.example.net"]
    root = lab.make("show-root", dn=dn, ext=CA)
    alt = [f"DNS.{number}=gw{number}.koeln.example.net" for number in range(1, 9)]
    one = lab.make(
        "show", root, dn=dn, alt=[*alt, "IP.1=2001:db8::1"], ext=[*END, "extendedKeyUsage=serverAuth,ipsecIKE"]
    )
    shown = show(root.file, one.file).stdout.splitlines()
    named = [line for line in shown if str(lab.folder) not in line]
    assert [line for line in named if len(line) > COLUMNS] == []
    assert "  key        ECDSA, secp256r1" in named
    assert any(line.startswith("  issued by  itself") for line in named)
    assert "2001:db8::1" in "".join(named)


def test_all_that_stands_in_a_pkcs_12_is_shown_and_no_key(folder: Path) -> None:
    (folder / "words").write_text("open sesame")
    make(folder, "user", "bob@example.net", "--passphrase-file", str(folder / "words"))
    shown = show(folder / "bob@example.net.p12", passphrase=folder / "words").stdout
    for part in (
        "PKCS#12, a private key, 2 certificates",
        "CN=bob@example.net",
        "CN=ikevd lab CA",
        "belongs to CN=bob",
    ):
        assert part in " ".join(shown.split()), shown
    assert "BEGIN" not in shown


def test_a_pkcs_12_without_its_passphrase_says_so(folder: Path) -> None:
    result = show(folder / f"{ALICE}.p12", folder / "ca.pem")
    assert result.exit_code == 1
    assert "is encrypted; wanted its passphrase" in result.stderr
    assert "CN=ikevd lab CA" in result.stdout


def test_a_crl_is_shown_with_whom_it_revokes(lab: Lab, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    root = lab.make("crl-root", ext=CA)
    one = lab.make("crl-one", root)
    path = tmp_path / "x.crl"
    path.write_bytes(lab.crl(root, [one]).public_bytes(Encoding.DER))
    shown = show(path).stdout
    assert "CRL of CN=crl-root,O=Example" in shown
    assert f"revoked    0x{one.certificate.serial_number:x}" in shown


@pytest.mark.parametrize(
    ("name", "how", "warning"),
    [
        ("sha1", {"md": "sha1"}, "its signature is weak (SHA-1)"),
        ("short", {"key": "rsa1024"}, "its key is weak: RSA with 1024 bits"),
        ("usage", {"ext": ["keyUsage=keyEncipherment"]}, "refused for IKE (RFC 4945)"),
        ("eku", {"ext": ["extendedKeyUsage=codeSigning"]}, "for something else than IKE or TLS"),
        ("unnamed", {}, "it has no alternative name"),
        ("mute", {"ext": ["basicConstraints=CA:TRUE", "keyUsage=digitalSignature"]}, "no keyCertSign"),
    ],
)
def test_what_peers_would_refuse_is_warned_of(lab: Lab, name: str, how: dict[str, object], warning: str) -> None:
    root = lab.make("warn-root", ext=CA)
    one = lab.make(f"warn-{name}", root, **how)  # type: ignore[arg-type]
    assert warning in " ".join(show(one.file).stdout.split())


def test_a_good_certificate_is_warned_of_nothing(folder: Path) -> None:
    assert "warning" not in show(folder / "ca.pem", folder / f"{GATEWAY}.pem", folder / f"{ALICE}.pem").stdout


def test_an_escape_sequence_in_a_name_reaches_no_terminal(lab: Lab) -> None:
    evil = lab.make("evil", dn=["O=Example", "CN=a\x1b[31mb"], ext=CA)
    assert "\x1b" not in show(evil.file).stdout
