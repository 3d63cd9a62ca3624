"""Our own certificate and key, and CAs, from whatever file `openssl` writes; and what is said of a wrong one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ikevd.crypto.secret import Secret
from ikevd.owners import Account
from ikevd.pki import files
from ikevd.pki.contents import Octets
from ikevd.pki.contents import read as contents
from ikevd.pki.credential import Credential, SendCert, load, load_cas, load_crls
from ikevd.policy.identity import Identity
from ikevd.wire.certificates import CertEncoding, CertReqPayload
from tests.pki.lab import GATEWAY, Lab, Member, openssl, prove, trusted
from tests.plugins.secrets import MARK

PASSPHRASE = Secret(MARK.encode())


def octets(path: Path) -> Octets:
    return Octets(path.read_bytes(), f"file {path.name}")


def joined(*parts: Path) -> Octets:
    return Octets(b"".join(path.read_bytes() for path in parts), "file all.pem")


def own(gateway: Member, sub: Member, root: Member) -> Credential:
    return load(joined(gateway.file, sub.file, root.file), octets(gateway.key_file), None)


def refusal(certificate: Octets, key: Octets | None = None, passphrase: Secret | None = None) -> str:
    with pytest.raises(ValueError) as caught:
        load(certificate, key, passphrase)
    return str(caught.value)


def test_certificate_and_key_come_from_two_files_or_one(gateway: Member) -> None:
    apart = load(octets(gateway.file), octets(gateway.key_file), None)
    assert load(joined(gateway.key_file, gateway.file), None, None).chain == apart.chain == (gateway.certificate,)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_the_chain_is_put_in_order_and_the_root_stays_at_home(
    root: Member, sub: Member, gateway: Member, order: tuple[int, ...]
) -> None:
    members = (gateway, sub, root)
    found = load(joined(gateway.key_file, *(members[i].file for i in order)), None, None)
    assert found.chain == (gateway.certificate, sub.certificate)


KEY_FORMS = {
    "PKCS#8": ["pkey"],
    "PKCS#8 in DER": ["pkey", "-outform", "DER"],
    "traditional": ["ec"],
    "traditional in DER": ["ec", "-outform", "DER"],
}
LOCKED_FORMS = {
    "PKCS#8": ["pkcs8", "-topk8", "-v2", "aes-256-cbc"],
    "PKCS#8 with 3DES": ["pkcs8", "-topk8", "-v2", "des3"],
    "PKCS#8 in DER": ["pkcs8", "-topk8", "-outform", "DER"],
    "traditional": ["ec", "-aes128"],
}


@pytest.mark.parametrize("form", KEY_FORMS)
def test_a_key_may_have_any_form(gateway: Member, form: str) -> None:
    key = openssl(*KEY_FORMS[form], "-in", gateway.key_file)
    assert load(octets(gateway.file), Octets(key, "file gw.key"), None).certificate == gateway.certificate


@pytest.mark.parametrize("form", LOCKED_FORMS)
def test_an_encrypted_key_wants_its_passphrase(gateway: Member, form: str) -> None:
    locked = Octets(openssl(*LOCKED_FORMS[form], "-in", gateway.key_file, "-passout", f"pass:{MARK}"), "file gw.key")
    assert load(octets(gateway.file), locked, PASSPHRASE).certificate == gateway.certificate
    assert "file gw.key is encrypted; wanted its passphrase" in refusal(octets(gateway.file), locked)
    assert "does not open with the passphrase" in refusal(octets(gateway.file), locked, Secret(b"wrong"))


@pytest.mark.parametrize("legacy", [[], ["-legacy"]])
def test_all_may_stand_in_one_pkcs_12(lab: Lab, root: Member, sub: Member, gateway: Member, legacy: list[str]) -> None:
    chain = lab.folder / "chain.pem"
    chain.write_bytes(sub.file.read_bytes() + root.file.read_bytes())
    words = ["pkcs12", "-export", *legacy, "-in", gateway.file, "-inkey", gateway.key_file, "-certfile", chain]
    bundle = Octets(openssl(*words, "-passout", f"pass:{MARK}"), "file gw.p12")
    assert load(bundle, None, PASSPHRASE).chain == (gateway.certificate, sub.certificate)
    assert "the PKCS#12 in file gw.p12 is encrypted; wanted its passphrase" in refusal(bundle)
    assert "does not open with the passphrase" in refusal(bundle, None, Secret(b"wrong"))


def test_a_pkcs_12_without_a_passphrase_opens_without_one(gateway: Member) -> None:
    data = openssl("pkcs12", "-export", "-in", gateway.file, "-inkey", gateway.key_file, "-passout", "pass:")
    assert load(Octets(data, "file gw.p12"), None, None).certificate == gateway.certificate


def test_a_certificate_may_be_der(gateway: Member) -> None:
    der = Octets(openssl("x509", "-in", gateway.file, "-outform", "DER"), "file gw.cer")
    assert load(der, octets(gateway.key_file), None).certificate == gateway.certificate


def test_a_key_of_another_certificate_is_named_with_both_files(gateway: Member, sub: Member) -> None:
    said = refusal(octets(gateway.file), octets(sub.key_file))
    assert said == (
        "the private key in file sub.key does not belong to the certificate of CN=gateway,O=Example in file "
        "gateway.pem; wanted the key that its request was made with"
    )


def test_what_stands_in_the_wrong_place_is_named(lab: Lab, gateway: Member, sub: Member) -> None:
    here, key = octets(gateway.file), octets(gateway.key_file)
    assert "gateway.pem holds a certificate and no private key" in refusal(here, here)
    assert "gateway.key holds a private key and no certificate" in refusal(key, key)
    assert "all.pem holds 2 private keys; wanted one" in refusal(here, joined(gateway.key_file, sub.key_file))
    request = openssl("req", "-new", "-key", gateway.key_file, "-subj", "/CN=x")
    assert "holds a certificate request, of which a CA makes" in refusal(Octets(request, "file gw.csr"), key)


def test_what_is_nothing_at_all_is_named(gateway: Member) -> None:
    key = octets(gateway.key_file)
    assert "file x is empty" in refusal(Octets(b" \n", "file x"), key)
    assert "neither PEM nor PKCS#12, nor DER" in refusal(Octets(b"hello", "file x"), key)
    assert "is whole" in refusal(Octets(gateway.file.read_bytes()[:300], "file x"), key)
    broken = gateway.file.read_bytes().replace(b"MII", b"AAA", 1)
    assert "block 1 of file x cannot be read" in refusal(Octets(broken, "file x"), key)


def test_a_key_that_does_not_sign_in_ikev1_is_named(gateway: Member) -> None:
    key = Octets(openssl("genpkey", "-algorithm", "ED25519"), "file ed.key")
    assert "of the kind Ed25519; IKEv1 signs with RSA or ECDSA" in refusal(octets(gateway.file), key)


def test_a_ca_s_private_key_stays_with_the_ca(root: Member, sub: Member) -> None:
    assert load_cas(joined(root.file, sub.file)) == (root.certificate, sub.certificate)
    with pytest.raises(ValueError, match="holds a private key; wanted certificates alone"):
        load_cas(joined(root.file, root.key_file))
    with pytest.raises(ValueError, match="holds a certificate and no CRL"):
        load_crls(octets(root.file))


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_a_crl_may_be_pem_or_der(lab: Lab, root: Member, form: str) -> None:
    crl = lab.crl(root)
    assert load_crls(Octets(crl.public_bytes(getattr(Encoding, form)), "file x.crl")) == (crl,)


def test_no_key_stands_in_what_is_shown(gateway: Member) -> None:
    locked = openssl("ec", "-in", gateway.key_file, "-aes128", "-passout", f"pass:{MARK}")
    found = contents(Octets(locked, "file x"), PASSPHRASE)
    credential = load(octets(gateway.file), Octets(locked, "file x"), PASSPHRASE)
    for shown in (repr(found), repr(credential), repr(Octets(locked, "file x")), str(found)):
        assert "PrivateKey" not in shown
        assert "BEGIN" not in shown


# -- what is sent ---------------------------------------------------------------------------------------------------

ANY = CertReqPayload(CertEncoding.X509_SIGNATURE, b"")


def test_certificates_are_sent_always_if_asked_or_never(root: Member, sub: Member, gateway: Member) -> None:
    us = own(gateway, sub, root)
    pgp = CertReqPayload(CertEncoding.PGP, b"")
    assert [len(us.payloads(SendCert.ALWAYS, asked)) for asked in ([], [ANY])] == [2, 2]
    assert [len(us.payloads(SendCert.IF_ASKED, asked)) for asked in ([], [pgp], [ANY])] == [0, 0, 2]
    assert [len(us.payloads(SendCert.NEVER, asked)) for asked in ([], [ANY])] == [0, 0]


def test_what_we_send_proves_us_to_who_trusts_our_ca(root: Member, sub: Member, gateway: Member) -> None:
    us = own(gateway, sub, root)
    sent = us.payloads(SendCert.IF_ASKED, trusted(root).requests())
    assert prove(trusted(root), GATEWAY, *sent).certificate == us.certificate
    assert us.proves(Identity.parse(GATEWAY))
    assert not us.proves(Identity.parse("other.example.net"))


def test_we_ask_for_the_cas_that_we_trust(root: Member, sub: Member) -> None:
    requests = trusted(root, sub, root).requests()
    assert [one.authority for one in requests] == [
        root.certificate.subject.public_bytes(),
        sub.certificate.subject.public_bytes(),
    ]


# -- files ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def key_file(gateway: Member, tmp_path: Path) -> Path:
    path = tmp_path / "gw.key"
    path.write_bytes(gateway.key_file.read_bytes())
    path.chmod(0o600)
    return path


def test_a_key_that_others_may_read_is_refused_and_a_certificate_is_not(key_file: Path) -> None:
    account = Account.current()
    assert files.read(key_file, account, secret=True).origin == f"file {key_file}"
    key_file.chmod(0o644)
    with pytest.raises(ValueError, match=f"mode 0644.*chmod 600 {key_file}"):
        files.read(key_file, account, secret=True)
    assert files.read(key_file, account, secret=False)


def test_a_ca_file_that_others_may_change_is_refused(key_file: Path) -> None:
    key_file.chmod(0o666)
    with pytest.raises(ValueError, match="open to everybody, who could change it"):
        files.read(key_file, Account.current(), secret=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_file_of_somebody_else_is_refused(key_file: Path) -> None:
    os.chown(key_file, 12345, -1)
    with pytest.raises(ValueError, match="belongs to user 12345"):
        files.read(key_file, Account.current(), secret=False)


def test_a_file_that_is_not_there_is_named_with_its_neighbour(key_file: Path) -> None:
    with pytest.raises(ValueError, match=r"did you mean 'gw\.key'"):
        files.read(key_file.with_name("gw.kez"), Account.current(), secret=True)


def test_a_credential_of_systemd_is_guarded_by_systemd(key_file: Path) -> None:
    key_file.chmod(0o440)
    assert files.read_credential(key_file, "gw").origin == "credential gw"


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(files.MAX_FILE + 1)
    huge.chmod(0o600)
    with pytest.raises(ValueError, match="larger than"):
        files.read(huge, Account.current(), secret=False)
