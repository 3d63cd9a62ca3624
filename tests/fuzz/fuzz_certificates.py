"""Target: CERT payloads and files. Of payloads only `AuthenticationFailed` comes out, or the key of the genuine
certificate; of files only ValueError.

Input: one octet (what is claimed), then payloads: encoding (8), length (16), data.
"""

from __future__ import annotations

import random
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["ikevd"]):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

    from ikevd.certificate_findings import CertificateRefused, NoCertificate, OtherCertificate, TooManyCertificates
    from ikevd.crypto.secret import Secret
    from ikevd.errors import AuthenticationFailed
    from ikevd.observe.words import say
    from ikevd.pki import authority, contents
    from ikevd.pki.authority import KeyKind
    from ikevd.pki.contents import Octets
    from ikevd.pki.prove import Proven, anchored, proven
    from ikevd.pki.trust import Revocation, Trust
    from ikevd.policy.identity import Identity
    from ikevd.wire.certificates import CertEncoding, CertPayload

from tests.fuzz.memory import Ceiling

NOW = datetime(2026, 11, 27, tzinfo=UTC)
CA = authority.make_ca("CA", KeyKind.ECDSA, 30, NOW)
GENUINE = authority.make_gateway(CA, [Identity.parse("gw.example.net")], KeyKind.ECDSA, 30, NOW)
REVOKED = authority.make_user(CA, Identity.parse("alice@example.net"), KeyKind.ECDSA, 30, NOW)
STRANGER = authority.make_ca("stranger", KeyKind.ECDSA, 30, NOW)
CLAIMS = [Identity.parse(text) for text in ("gw.example.net", "CN=gw.example.net", "alice@example.net", "192.0.2.1")]
FINDINGS = (CertificateRefused, NoCertificate, OtherCertificate, TooManyCertificates)
ENCODINGS = (CertEncoding.X509_SIGNATURE, CertEncoding.PKCS7, CertEncoding.CRL, CertEncoding.PGP)


def make_crl() -> x509.CertificateRevocationList:
    revoked = x509.RevokedCertificateBuilder().serial_number(REVOKED.certificate.serial_number)
    builder = x509.CertificateRevocationListBuilder().issuer_name(CA.certificate.subject)
    builder = builder.last_update(NOW).next_update(NOW.replace(month=12))
    return builder.add_revoked_certificate(revoked.revocation_date(NOW).build()).sign(CA.key, hashes.SHA256())


CRL = make_crl()
TRUST = Trust((CA.certificate,), crls=(CRL,), revocation=Revocation.STRICT)
ceiling = Ceiling()


def one_input(data: bytes) -> None:
    ceiling.check()
    payloads = read_payloads(data[1:])
    judge_payloads(CLAIMS[(data[0] if data else 0) % len(CLAIMS)], payloads)
    for payload in payloads[:1]:
        judge_file(payload.data)


def judge_payloads(claimed: Identity, payloads: list[CertPayload]) -> None:
    finding, found = None, list[Proven]()
    try:
        found = [proven(TRUST, one, (), NOW) for one in anchored(TRUST, claimed, payloads, NOW)]
    except AuthenticationFailed as error:
        finding = error.finding
    if finding:
        assert isinstance(finding, FINDINGS)
        assert say(finding).isprintable()
    else:
        assert claimed in CLAIMS[:2]
        assert all(one.certificate == GENUINE.certificate for one in found), "nobody else is proven"


def judge_file(data: bytes) -> None:
    for passphrase in (None, Secret(b"pass")):
        with suppress(ValueError):
            contents.read(Octets(data, "file"), passphrase)


def read_payloads(data: bytes) -> list[CertPayload]:
    found = []
    while len(data) >= 3:
        length = int.from_bytes(data[1:3])
        found.append(CertPayload(CertEncoding(data[0]), data[3 : 3 + length]))
        data = data[3 + length :]
    return found


def written(payloads: list[CertPayload]) -> bytes:
    return b"".join(bytes([one.encoding]) + len(one.data).to_bytes(2) + one.data for one in payloads)


def custom_mutator(data: bytes, max_size: int, seed: int) -> bytes:
    """Most changes keep the payloads apart, and change one of them, its encoding, their order or their number."""
    dice = random.Random(seed)
    payloads = read_payloads(data[1:])
    if not payloads or dice.random() < 0.1:
        return bytes(atheris.Mutate(data, max_size))
    place = dice.randrange(len(payloads))
    one = payloads[place]
    match dice.randrange(6):
        case 0:
            payloads[place] = CertPayload(dice.choice(ENCODINGS), one.data)
        case 1:
            payloads.insert(place, one)
        case 2:
            dice.shuffle(payloads)
        case _:
            payloads[place] = CertPayload(one.encoding, changed(one.data, dice))
    return (bytes([dice.randrange(4)]) + written(payloads))[:max_size]


def changed(data: bytes, dice: random.Random) -> bytes:
    """Sometimes as libFuzzer likes; else one octet, so that most of the structure stays."""
    if not data or dice.random() < 0.5:
        return bytes(atheris.Mutate(data, 700))
    place = dice.randrange(len(data))
    return data[:place] + bytes([dice.randrange(256)]) + data[place + 1 :]


def write_seeds(folder: Path) -> None:
    """Certificates good and bad, a bundle, a CRL, and the files that hold them."""
    der = {name: one.certificate.public_bytes(Encoding.DER) for name, one in ISSUED.items()}
    seeds = {name: [CertPayload(CertEncoding.X509_SIGNATURE, data)] for name, data in der.items()}
    bundle = pkcs7.serialize_certificates([GENUINE.certificate], Encoding.DER)
    seeds["bundle"] = [CertPayload(CertEncoding.PKCS7, bundle)]
    seeds["crl"] = [CertPayload(CertEncoding.CRL, CRL.public_bytes(Encoding.DER)), *seeds["genuine"]]
    for name, data in {
        "pem": authority.pem(GENUINE.certificate),
        "key": authority.key_pem(GENUINE.key),
        "p12": authority.bundle(GENUINE, STRANGER.certificate, "x", Secret(b"pass"), legacy=True),
    }.items():
        seeds[name] = [CertPayload(CertEncoding.PGP, data)]
    for name, payloads in seeds.items():
        (folder / name).write_bytes(b"\0" + written(payloads))


ISSUED = {"genuine": GENUINE, "revoked": REVOKED, "stranger": STRANGER, "ca": CA}

if __name__ == "__main__":
    if Path(sys.argv[1]).is_dir():  # else it is an input to run again
        write_seeds(Path(sys.argv[1]))
    atheris.Setup(sys.argv, one_input, custom_mutator=custom_mutator)
    atheris.Fuzz()
