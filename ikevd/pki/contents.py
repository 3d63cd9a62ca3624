"""What stands in a file or a systemd credential, in whatever form: PEM, DER, PKCS#12 or PKCS#7."""

from __future__ import annotations

import re
from dataclasses import field

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12

from ikevd.crypto.secret import Secret
from ikevd.errors import Malformed
from ikevd.frozen import frozen
from ikevd.pki.received import UNREADABLE, check_readable, quiet, read_crl
from ikevd.wire import der

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
"""What signs in IKEv1."""

BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----.*?-----END \1-----", re.DOTALL)
LABELS = {b"CERTIFICATE": "certificate", b"X509 CERTIFICATE": "certificate", b"X509 CRL": "crl", b"PKCS7": "pkcs7"}
REQUESTS = (b"CERTIFICATE REQUEST", b"NEW CERTIFICATE REQUEST")
PKCS12_VERSION = b"\x02\x01\x03"


@frozen
class Octets:
    """As they were read."""

    data: bytes = field(repr=False)
    origin: str
    """In words: `file /etc/ikevd/gw.pem`, `credential gw`."""


@frozen
class Contents:
    """All that was found, in the order in which it stands there."""

    form: str
    origin: str
    certificates: tuple[x509.Certificate, ...] = ()
    crls: tuple[x509.CertificateRevocationList, ...] = ()
    keys: tuple[PrivateKey, ...] = field(default=(), repr=False)
    requests: int = 0
    """Certificate requests, which some take for certificates."""


@quiet()
def read(octets: Octets, passphrase: Secret | None = None) -> Contents:
    """Raises ValueError, which says what stands there and what would be right; never a part of a key."""
    data, origin = octets.data, octets.origin
    if not data.strip():
        raise ValueError(f"{origin} is empty; wanted PEM, DER or PKCS#12")
    if b"-----BEGIN " in data:
        return _pem(data, origin, passphrase)
    if _is_pkcs12(data):
        return _pkcs12(data, origin, passphrase)
    return _der(data, origin, passphrase)


def _pem(data: bytes, origin: str, passphrase: Secret | None) -> Contents:
    certificates, crls, keys, requests = list[x509.Certificate](), list[x509.CertificateRevocationList](), [], 0
    for number, block in enumerate(BLOCK.finditer(data), 1):
        where, label, text = f"block {number} of {origin}", block[1], block[0]
        if label.endswith(b"PRIVATE KEY"):
            keys.append(_key(text, where, passphrase))
        elif label in REQUESTS:
            requests += 1
        elif label in LABELS:
            _add(text, LABELS[label], where, certificates, crls)
    if not (certificates or crls or keys or requests):
        raise ValueError(f"{origin} looks like PEM, but holds no certificate, CRL or private key that is whole")
    return Contents("PEM", origin, tuple(certificates), tuple(crls), tuple(keys), requests)


def _add(
    text: bytes,
    kind: str,
    where: str,
    certificates: list[x509.Certificate],
    crls: list[x509.CertificateRevocationList],
) -> None:
    try:
        if kind == "crl":
            crls.append(x509.load_pem_x509_crl(text))
            return
        found = pkcs7.load_pem_pkcs7_certificates(text) if kind == "pkcs7" else [x509.load_pem_x509_certificate(text)]
    except UNREADABLE as error:
        raise ValueError(f"{where} cannot be read: {str(error)[:120]}") from None
    certificates += (_checked(one, where) for one in found)


def _checked(certificate: x509.Certificate, where: str) -> x509.Certificate:
    try:
        check_readable(certificate)
    except UNREADABLE as error:
        raise ValueError(f"the certificate in {where} is of no use: {str(error)[:120]}") from None
    return certificate


def _key(data: bytes, where: str, passphrase: Secret | None) -> PrivateKey:
    """Of PEM or DER. A passphrase is heeded only where the key is encrypted."""
    load = serialization.load_pem_private_key if data.startswith(b"-----") else serialization.load_der_private_key
    try:
        key: object = load(data, None)
    except TypeError:
        key = None  # it is encrypted
    except UNREADABLE as error:
        raise ValueError(f"the private key in {where} cannot be read: {_short(error)}") from None
    if key is None and passphrase is None:
        raise ValueError(f"the private key in {where} is encrypted; wanted its passphrase as well")
    if key is None and passphrase:
        try:
            key = load(data, passphrase.reveal())
        except UNREADABLE:
            raise ValueError(f"the private key in {where} does not open with the passphrase that is given") from None
    return _of_ike(key, where)


def _short(error: BaseException) -> str:
    """No octet of the key stands in it: `cryptography` names the structure alone."""
    return str(error).partition(".")[0][:80]


def _of_ike(key: object, where: str) -> PrivateKey:
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return key
    kind = type(key).__name__.strip("_").removesuffix("PrivateKey")
    raise ValueError(f"the private key in {where} is of the kind {kind}; IKEv1 signs with RSA or ECDSA")


def _is_pkcs12(data: bytes) -> bool:
    try:
        fields = der.sequence(data, "PKCS#12")
    except Malformed:
        return False
    return len(fields) >= 2 and fields[0][1] == PKCS12_VERSION and fields[1][0] == der.SEQUENCE


def _pkcs12(data: bytes, origin: str, passphrase: Secret | None) -> Contents:
    for password in [passphrase.reveal()] if passphrase else [None, b""]:
        try:
            found = pkcs12.load_pkcs12(data, password)
            break
        except UNREADABLE:
            pass
    else:
        why = "does not open with the passphrase that is given" if passphrase else "is encrypted; wanted its passphrase"
        raise ValueError(f"the PKCS#12 in {origin} {why}")
    given = [found.cert, *found.additional_certs]
    certificates = tuple(_checked(one.certificate, origin) for one in given if one)
    keys = (_of_ike(found.key, origin),) if found.key else ()
    return Contents("PKCS#12", origin, certificates, keys=keys)


def _der(data: bytes, origin: str, passphrase: Secret | None) -> Contents:
    """What it may be tells the first value in it."""
    try:
        fields = [tag for tag, _ in der.sequence(data, "file")]
    except Malformed:
        fields = []
    if fields[:1] == [der.INTEGER] or fields == [der.SEQUENCE, der.OCTET_STRING]:
        return Contents("DER", origin, keys=(_key(data, origin, passphrase),))
    if fields[:1] == [der.OID]:
        return Contents("PKCS#7", origin, certificates=_pkcs7(data, origin))
    try:
        return Contents("DER", origin, crls=(read_crl(data),))
    except UNREADABLE:
        pass  # then it must be a certificate
    try:
        certificate = x509.load_der_x509_certificate(data)
    except UNREADABLE:
        raise ValueError(
            f"{origin} is neither PEM nor PKCS#12, nor DER of a certificate, a CRL or a private key"
        ) from None
    return Contents("DER", origin, certificates=(_checked(certificate, origin),))


def _pkcs7(data: bytes, origin: str) -> tuple[x509.Certificate, ...]:
    try:
        found = pkcs7.load_der_pkcs7_certificates(data)
    except UNREADABLE as error:
        raise ValueError(f"the PKCS#7 in {origin} cannot be read: {str(error)[:120]}") from None
    return tuple(_checked(one, origin) for one in found)
