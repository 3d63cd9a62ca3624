"""A CA for a lab, and the certificates of its gateways and users. Real ones keep the key of a CA elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from ikevd.crypto.secret import Secret
from ikevd.frozen import frozen
from ikevd.pki.contents import PrivateKey
from ikevd.policy.identity import Identity
from ikevd.wire.registry import IdType

RSA_BITS = 3072
MAX_COMMON_NAME = 64
"""Characters, by RFC 5280."""
SLACK = timedelta(minutes=10)
"""By which the clocks of peers may be slow."""
IKE_INTERMEDIATE = ObjectIdentifier("1.3.6.1.5.5.8.2.2")
ALL_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class KeyKind(Enum):
    """RSA is what every peer of IKEv1 takes."""

    RSA = "rsa"
    ECDSA = "ecdsa"


@frozen
class Issued:
    """A new certificate with its key."""

    certificate: x509.Certificate
    key: PrivateKey


def make_ca(name: str, kind: KeyKind, days: int, now: datetime) -> Issued:
    """A root CA. ValueError for a name that no certificate can have."""
    key = _new_key(kind)
    builder = _begun(name, _name(name), key, days, now)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
    return Issued(builder.sign(key, hashes.SHA256()), key)


def make_gateway(ca: Issued, identities: Sequence[Identity], kind: KeyKind, days: int, now: datetime) -> Issued:
    """Of a host name or address, the first of them its common name, all its alternative names."""
    return _make_end(ca, identities, kind, days, now, ExtendedKeyUsageOID.SERVER_AUTH)


def make_user(ca: Issued, identity: Identity, kind: KeyKind, days: int, now: datetime) -> Issued:
    """Of a user: `alice@example.net`, or a mere name."""
    return _make_end(ca, [identity], kind, days, now, ExtendedKeyUsageOID.CLIENT_AUTH)


def _make_end(
    ca: Issued, identities: Sequence[Identity], kind: KeyKind, days: int, now: datetime, usage: ObjectIdentifier
) -> Issued:
    key = _new_key(kind)
    builder = _begun(_plain(identities[0]), ca.certificate.subject, key, days, now)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=False)
    builder = builder.add_extension(_usage("digital_signature"), critical=True)
    extended = x509.ExtendedKeyUsage([usage, ExtendedKeyUsageOID.IPSEC_IKE, IKE_INTERMEDIATE])
    builder = builder.add_extension(extended, critical=False)
    names = x509.SubjectAlternativeName([_general(one) for one in identities])
    builder = builder.add_extension(names, critical=False)
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    return Issued(builder.add_extension(above, critical=False).sign(ca.key, hashes.SHA256()), key)


def _begun(name: str, issuer: x509.Name, key: PrivateKey, days: int, now: datetime) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(_name(name)).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - SLACK).not_valid_after(now + timedelta(days=days))
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _new_key(kind: KeyKind) -> PrivateKey:
    if kind is KeyKind.RSA:
        return rsa.generate_private_key(65537, RSA_BITS)
    return ec.generate_private_key(ec.SECP256R1())


def _name(name: str) -> x509.Name:
    if not name.strip() or len(name) > MAX_COMMON_NAME or not name.isprintable():
        raise ValueError(f"{name[:80]!r} is no name for a certificate; wanted 1 to {MAX_COMMON_NAME} characters")
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*names: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in names for usage in ALL_USAGES})


def _plain(identity: Identity) -> str:
    return str(identity).partition(":")[2] if str(identity).startswith(("fqdn:", "email:")) else str(identity)


def _general(identity: Identity) -> x509.GeneralName:
    if identity.type in (IdType.IPV4_ADDR, IdType.IPV6_ADDR):
        return x509.IPAddress(ip_address(identity.data))
    text = identity.data.decode("ascii", "replace")
    if identity.type == IdType.FQDN and text.isascii():
        return x509.DNSName(text)
    if identity.type == IdType.USER_FQDN and text.isascii():
        return x509.RFC822Name(text)
    raise ValueError(f"{identity} is no alternative name; wanted a host name, an address or user@example.net, in ASCII")


def pem(certificate: x509.Certificate) -> bytes:
    """As a file of its own."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key: PrivateKey) -> bytes:
    """Not encrypted: the mode of the file guards it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def bundle(issued: Issued, ca: x509.Certificate, name: str, passphrase: Secret, *, legacy: bool) -> bytes:
    """A PKCS#12 with key, certificate and CA. `legacy`: 3DES and SHA-1, all that older clients read."""
    encryption = serialization.PrivateFormat.PKCS12.encryption_builder()
    if legacy:
        encryption = encryption.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        encryption = encryption.hmac_hash(hashes.SHA1())  # noqa: S303
    built = encryption.build(passphrase.reveal())
    return pkcs12.serialize_key_and_certificates(name.encode(), issued.key, issued.certificate, [ca], built)
