"""The names in a certificate, and whether an identity is one of them (RFC 4945 section 3.1)."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from cryptography import x509

import ikevd.policy.distinguished_names as distinguished_names
from ikevd.errors import Malformed
from ikevd.policy.identity import Identity
from ikevd.wire import der
from ikevd.wire.registry import IdType

MAX_NAMES = 64
"""Alternative names that are looked at; gateways have a few."""
MAX_SHOWN = 8
"""Names that a refusal tells."""
EXPLICIT_VERSION = 0xA0
ReadName = Callable[[x509.Certificate], bytes]


def subject(certificate: x509.Certificate) -> bytes:
    """Its DER as it stands: `cryptography` reads no TeletexString that is not UTF-8. Raises `Malformed`."""
    return _name(certificate, 5)


def issuer(certificate: x509.Certificate) -> bytes:
    """Its DER as it stands. Raises `Malformed`."""
    return _name(certificate, 3)


def crl_issuer(crl: x509.CertificateRevocationList) -> bytes:
    """Its DER as it stands. Raises `Malformed`."""
    fields = der.sequence(crl.tbs_certlist_bytes, "CRL")
    return _at(fields, 2 if fields and fields[0][0] == der.INTEGER else 1)


def _name(certificate: x509.Certificate, index: int) -> bytes:
    fields = der.sequence(certificate.tbs_certificate_bytes, "certificate")
    return _at(fields, index if fields and fields[0][0] == EXPLICIT_VERSION else index - 1)


def _at(fields: list[tuple[int, bytes]], index: int) -> bytes:
    if len(fields) <= index:
        raise Malformed(f"a certificate or CRL has {len(fields)} fields; more are wanted")
    return fields[index][1]


def text(name: bytes) -> str:
    """As the operator writes it, or in hexadecimal where there is no such notation."""
    if name == b"0\0":
        return "(empty name)"
    return str(Identity(IdType.DER_ASN1_DN, name))


def alternatives(certificate: x509.Certificate) -> tuple[Identity, ...]:
    """The alternative names that an ID payload can hold. Raises ValueError for an extension that cannot be read."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    except x509.DuplicateExtension as error:
        raise ValueError(str(error)) from None
    return tuple(one for name in list(found)[:MAX_NAMES] if (one := _identity(name)) is not None)


def _identity(name: x509.GeneralName) -> Identity | None:
    match name:
        case x509.DNSName() if name.value:
            return Identity(IdType.FQDN, name.value.encode())
        case x509.RFC822Name() if name.value:
            return Identity(IdType.USER_FQDN, name.value.encode())
        case x509.IPAddress() if isinstance(name.value, IPv4Address | IPv6Address):
            return Identity.of_address(name.value)
    return None


def identities(certificate: x509.Certificate) -> tuple[Identity, ...]:
    """Whom it names: its subject, if that says anything, then its alternative names. Raises ValueError, `Malformed`."""
    own = subject(certificate)
    named = distinguished_names.read(own) is not None
    return (*([Identity(IdType.DER_ASN1_DN, own)] if named else []), *alternatives(certificate))


def matches(claimed: Identity, certificate: x509.Certificate) -> bool:
    """Does it name `claimed`, by a name of that very type? A `*` in it stands for itself (RFC 4945 section 3.1.2).

    False for one whose names cannot be read.
    """
    try:
        return claimed in identities(certificate)
    except (ValueError, Malformed):
        return False


def shown(certificate: x509.Certificate) -> tuple[str, ...]:
    """Its names in words, a few of them; empty where they cannot be read."""
    try:
        return tuple(f"{one} ({one.type})" for one in identities(certificate)[:MAX_SHOWN])
    except (ValueError, Malformed):
        return ()
