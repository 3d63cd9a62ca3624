"""CERT payloads of a hostile peer: nothing but a refusal comes of them."""

from __future__ import annotations

import os
import random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from ikevd.certificate_findings import TooManyCertificates
from ikevd.errors import AuthenticationFailed
from ikevd.observe.words import say
from ikevd.pki.received import MAX_CERTIFICATE, MAX_CERTIFICATES, MAX_OCTETS, read_untrusted
from ikevd.wire.certificates import CertEncoding, CertPayload
from tests.pki.lab import CA, GATEWAY, Lab, Member, openssl, prove, trusted

X509 = CertEncoding.X509_SIGNATURE


def too_many(*payloads: CertPayload) -> TooManyCertificates:
    with pytest.raises(AuthenticationFailed) as caught:
        read_untrusted(payloads)
    assert isinstance(caught.value.finding, TooManyCertificates)
    return caught.value.finding


def pkcs7_of(lab: Lab, *members: Member) -> CertPayload:
    files = [word for one in members for word in ("-certfile", one.file)]
    return CertPayload(CertEncoding.PKCS7, openssl("crl2pkcs7", "-nocrl", *files, "-outform", "DER"))


def test_a_chain_may_come_as_pkcs_7(lab: Lab, root: Member, sub: Member, gateway: Member) -> None:
    bundle = pkcs7_of(lab, sub, gateway)
    assert prove(trusted(root), GATEWAY, bundle).certificate == gateway.certificate


def test_what_cannot_be_read_costs_nothing_but_itself(root: Member, sub: Member, gateway: Member) -> None:
    junk = CertPayload(X509, os.urandom(500))
    odd = CertPayload(CertEncoding.PGP, b"key")
    empty = CertPayload(CertEncoding.PKCS7, b"")
    assert prove(trusted(root), GATEWAY, junk, odd, empty, gateway, sub).certificate == gateway.certificate
    assert len(read_untrusted((junk, odd, empty)).unusable) == 3


def test_the_same_certificate_many_times_is_one(gateway: Member) -> None:
    assert len(read_untrusted([gateway.payload] * MAX_CERTIFICATES).certificates) == 1


def test_payloads_are_counted_before_anything_is_read(gateway: Member) -> None:
    found = too_many(*[gateway.payload] * (MAX_CERTIFICATES + 1))
    assert (found.came, found.most) == (MAX_CERTIFICATES + 1, MAX_CERTIFICATES)
    assert say(found) == "the peer sent 17 CERT payloads; 16 are read at most"


def test_octets_are_counted_before_anything_is_read() -> None:
    assert too_many(CertPayload(CertEncoding.PKCS7, bytes(MAX_OCTETS + 1))).most == MAX_OCTETS


def test_certificates_within_pkcs_7_are_counted_too(lab: Lab, root: Member) -> None:
    many = [lab.make(f"many{number}", root) for number in range(MAX_CERTIFICATES + 1)]
    assert too_many(pkcs7_of(lab, *many)).what == "certificates"


def test_a_certificate_that_is_far_too_long_is_not_read(gateway: Member) -> None:
    assert read_untrusted([CertPayload(X509, bytes(MAX_CERTIFICATE + 1))]).certificates == ()


def test_a_key_of_sixteen_thousand_bits_costs_nobody_time(lab: Lab, gateway: Member) -> None:
    """Its modulus is made up: what counts is that OpenSSL never computes with it (CVE-2006-2940)."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    modulus = random.Random(1).getrandbits(16384) | 1 << 16383 | 1
    key = rsa.RSAPublicNumbers(65537, modulus).public_key()
    unusable = read_untrusted([CertPayload(X509, with_key(gateway, key))]).unusable
    assert "16384 bits" in unusable[0]


@pytest.mark.parametrize("exponent", ["010000", "000001", "000000", "800001"])
def test_an_rsa_key_with_an_exponent_that_proves_nothing_is_of_no_use(lab: Lab, root: Member, exponent: str) -> None:
    """CVE-2026-14957: others asserted. 1 would let anybody sign."""
    genuine = lab.make("exponent", root, key="rsa").payload.data
    assert genuine.count(bytes.fromhex("0203010001")) == 1
    changed = genuine.replace(bytes.fromhex("0203010001"), bytes.fromhex("0203" + exponent))
    assert read_untrusted([CertPayload(X509, changed)]).certificates == ()


def test_a_pss_signature_with_a_salt_of_any_length_harms_nothing(lab: Lab) -> None:
    """CVE-2021-41990: strongSwan computed with a salt length from the certificate."""
    root = lab.make("root-pss", key="rsa", ext=CA)
    sign = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]
    genuine = lab.make("pss", root, alt=[f"DNS.1={GATEWAY}"], sign=sign).payload.data
    salt = bytes.fromhex("a203020120")
    assert genuine.count(salt) == 2
    assert prove(trusted(root), GATEWAY, CertPayload(X509, genuine))
    for other in ("a2030201ff", "a20302017f", "a203020100"):
        with pytest.raises(AuthenticationFailed):
            prove(trusted(root), GATEWAY, CertPayload(X509, genuine.replace(salt, bytes.fromhex(other))))


def test_keys_that_do_not_sign_in_ikev1_are_of_no_use(lab: Lab, root: Member) -> None:
    key = lab.folder / "ed.key"
    openssl("genpkey", "-algorithm", "ED25519", "-out", key)
    assert "neither RSA nor ECDSA" in read_untrusted([lab.make("ed", root).payload]).unusable[0]


P_256 = (2**256 - 2**224 + 2**192 + 2**96 - 1).to_bytes(32)
GENERATOR = bytes.fromhex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")


@pytest.mark.parametrize(("part", "of"), [(P_256, "the prime"), (GENERATOR, "the generator")])
def test_a_curve_of_the_certificate_s_own_is_of_no_use(lab: Lab, root: Member, part: bytes, of: str) -> None:
    """CVE-2020-0601 (another generator) and CVE-2022-0778 (a prime that is none). P-256 itself may be spelt out."""
    key = lab.folder / "explicit.key"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-param_enc", "explicit", "-out", key)
    genuine = lab.make("explicit", root).payload.data
    assert part in genuine
    changed = genuine.replace(part, part[:-1] + bytes([part[-1] ^ 4]))
    assert read_untrusted([CertPayload(X509, genuine)]).certificates
    assert "its key cannot be read" in read_untrusted([CertPayload(X509, changed)]).unusable[0], of


def test_a_serial_number_of_zero_writes_nothing_on_standard_error(
    lab: Lab, root: Member, capfd: pytest.CaptureFixture[str]
) -> None:
    assert read_untrusted([lab.make("zero", root, serial=0).payload]).certificates
    assert capfd.readouterr() == ("", "")


def test_a_changed_octet_anywhere_proves_nothing_and_harms_nothing(root: Member, sub: Member, gateway: Member) -> None:
    genuine = gateway.certificate.public_bytes(Encoding.DER)
    for place in range(0, len(genuine), 3):
        changed = bytearray(genuine)
        changed[place] ^= 1 << place % 8
        with pytest.raises(AuthenticationFailed):
            prove(trusted(root), GATEWAY, CertPayload(X509, bytes(changed)), sub)


def test_a_certificate_that_breaks_off_proves_nothing_and_harms_nothing(
    root: Member, sub: Member, gateway: Member
) -> None:
    genuine = gateway.certificate.public_bytes(Encoding.DER)
    for length in range(0, len(genuine), 5):
        with pytest.raises(AuthenticationFailed):
            prove(trusted(root), GATEWAY, CertPayload(X509, genuine[:length]), sub)


def test_reasons_are_kept_for_a_few_only_and_are_short() -> None:
    unusable = read_untrusted([CertPayload(X509, os.urandom(50)) for _ in range(16)]).unusable
    assert len(unusable) == 4
    assert all(len(one) < 200 for one in unusable)


def with_key(member: Member, key: object) -> bytes:
    """Its certificate with another key; the signature is wrong then."""
    from cryptography.hazmat.primitives import serialization

    genuine = member.certificate.public_bytes(Encoding.DER)
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    old = member.certificate.public_key().public_bytes(*form)
    new = key.public_bytes(*form)  # type: ignore[attr-defined]
    tbs = member.certificate.tbs_certificate_bytes
    assert tbs in genuine
    changed = wrapped(der_body(tbs).replace(old, new))
    return wrapped(der_body(genuine).replace(tbs, changed))


def der_body(octets: bytes) -> bytes:
    return octets[2 + (octets[1] & 0x7F if octets[1] & 0x80 else 0) :]


def wrapped(body: bytes) -> bytes:
    return b"\x30\x82" + len(body).to_bytes(2) + body


def test_two_extensions_of_one_kind_are_refused(lab: Lab, root: Member) -> None:
    twice = lab.make("twice", root, ext=["2.5.29.17=DER:3004820261ff"[:-2], "2.5.29.15=DER:03020780"])
    genuine = twice.certificate.public_bytes(Encoding.DER)
    doubled = genuine.replace(bytes.fromhex("0603551d0f"), bytes.fromhex("0603551d11"))
    assert doubled != genuine
    assert read_untrusted([CertPayload(X509, doubled)]).certificates == ()


def test_pkcs_7_written_by_another_library_is_read(root: Member, sub: Member, gateway: Member) -> None:
    data = pkcs7.serialize_certificates([gateway.certificate, sub.certificate], Encoding.DER)
    assert prove(trusted(root), GATEWAY, CertPayload(CertEncoding.PKCS7, data)).path[1] == sub.certificate


def test_a_crl_may_come_with_them(lab: Lab, root: Member) -> None:
    crl = lab.crl(root)
    found = read_untrusted([CertPayload(CertEncoding.CRL, crl.public_bytes(Encoding.DER))])
    assert found.crls == (crl,)
    assert isinstance(found.crls[0], x509.CertificateRevocationList)
