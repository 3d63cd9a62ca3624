"""X.501 distinguished names as phase 1 identities: RFC 4514 text to DER and back, and when two are equal.

A name is written most specific part first: `CN=gw, O=Example, C=DE`, as RFC 4514, OpenSSL's `-nameopt RFC2253` and
Cisco have it. strongSwan writes the same name the other way round: `C=DE, O=Example, CN=gw`.
"""

from __future__ import annotations

import re

from ikevd.errors import Malformed
from ikevd.wire import der as asn1
from ikevd.wire.buffer import Reader
from ikevd.wire.der import OID, SEQUENCE, SET

TEXTS = {0x0C: "utf-8", 0x13: "ascii", 0x16: "ascii", 0x14: "latin-1", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}
"""UTF8String, PrintableString, IA5String, TeletexString (which everybody fills with Latin-1), UniversalString and
BMPString: names that differ only in these are equal (RFC 5280 section 7.1)."""

NAMES = {
    "1.2.840.113549.1.9.1": "emailAddress",
    "1.2.840.113549.1.9.2": "unstructuredName",  # Cisco: the host name
    "1.2.840.113549.1.9.8": "unstructuredAddress",
    "2.5.4.5": "serialNumber",
    "2.5.4.4": "surname",
    "2.5.4.42": "givenName",
    "2.5.4.12": "title",
}
"""Attribute types beside those of RFC 4514 (CN, L, ST, O, OU, C, STREET, DC, UID)."""
ALIASES = {"E": "1.2.840.113549.1.9.1", "EMAIL": "1.2.840.113549.1.9.1"}

Value = tuple[bytes, int | None, bytes]
"""Attribute type (DER of the OID), tag of the value (None: one of `TEXTS`), value (then in UTF-8)."""
Name = tuple[tuple[Value, ...], ...]
"""Relative distinguished names, in the order of the DER; the values of each sorted."""

_WHOLE = re.compile(r"(?:\\.|[^\\])*", re.DOTALL)
_PART = re.compile(r"((?:\\.|[^\\,+])*)([,+]|$)", re.DOTALL)


def encode(text: str) -> bytes:
    """The DER of a name in RFC 4514 notation, blanks allowed between its parts. ValueError says what is wrong."""
    from cryptography import x509

    types = {name.upper(): x509.ObjectIdentifier(oid) for oid, name in NAMES.items()}
    types |= {name: x509.ObjectIdentifier(oid) for name, oid in ALIASES.items()}
    try:
        return x509.Name.from_rfc4514_string(_normal(text), types).public_bytes()
    except ValueError as error:
        why = f" ({error})" if str(error) else ""
        raise ValueError(
            f"{text[:80]!r} is no distinguished name{why}; wanted for example CN=gw.example.net, O=Example, C=DE"
        ) from None


def text(der: bytes) -> str | None:
    """The RFC 4514 notation of a name, or None where it has none that `encode` reads back."""
    from cryptography import x509

    name = read(der)
    if name is None:
        return None
    try:
        parts = [
            x509.RelativeDistinguishedName(
                [x509.NameAttribute(x509.ObjectIdentifier(_dotted(oid)), value.decode()) for oid, _, value in values]
            )
            for values in name
            if all(tag is None for _, tag, _ in values)
        ]
        shown = x509.Name(parts).rfc4514_string({x509.ObjectIdentifier(oid): word for oid, word in NAMES.items()})
        return shown if shown.isprintable() and read(encode(shown)) == name else None
    except ValueError:
        return None


def read(der: bytes) -> Name | None:
    """What a name says, equal for equal names; None for octets that are no DER of a name."""
    reader = Reader(der, "distinguished name")
    try:
        body = Reader(asn1.contents(reader, SEQUENCE), "distinguished name")
        names = []
        while body.remaining:
            names.append(_read_rdn(Reader(asn1.contents(body, SET), "relative distinguished name")))
        return tuple(names) if names and not reader.remaining else None
    except (Malformed, UnicodeDecodeError):
        return None


def folded(name: Name) -> Name:
    """The same for names that are equal by RFC 5280 section 7.1: letters of either case, blanks beside others."""
    return tuple(tuple(sorted((_folded(value) for value in rdn), key=repr)) for rdn in name)


def _folded(value: Value) -> Value:
    oid, tag, octets = value
    return value if tag is not None else (oid, None, " ".join(octets.decode().split()).casefold().encode())


def _read_rdn(reader: Reader) -> tuple[Value, ...]:
    values = []
    while reader.remaining:
        pair = Reader(asn1.contents(reader, SEQUENCE), "attribute of a distinguished name")
        oid = asn1.contents(pair, OID)
        tag, octets = asn1.value(pair)
        if pair.remaining:
            raise Malformed("an attribute of a distinguished name holds more than a type and a value")
        is_text = tag in TEXTS
        values.append((oid, None if is_text else tag, octets.decode(TEXTS[tag]).encode() if is_text else octets))
    if not values:
        raise Malformed("a relative distinguished name is empty")
    return tuple(sorted(values, key=repr))


def _dotted(oid: bytes) -> str:
    """The dotted notation of an object identifier (X.690 section 8.19). ValueError for one that breaks off."""
    arcs, arc = [], 0
    for octet in oid:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    if not oid or oid[-1] & 0x80:
        raise ValueError("an object identifier breaks off")
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def _normal(text: str) -> str:
    """Without blanks around `,`, `+` and `=`, attribute types in upper case."""
    if not _WHOLE.fullmatch(text):
        raise ValueError("a backslash escapes nothing")
    normal = ""
    for part, separator in _PART.findall(text):
        kind, equals, value = part.partition("=")
        value = value.lstrip()
        if value.startswith("#"):
            raise ValueError("values in hexadecimal are not supported; write dn:0x and the DER of the whole name")
        bare = value.rstrip()
        if bare.endswith("\\") and bare != value:
            bare += " "  # an escaped blank
        normal += f"{kind.strip().upper()}{equals}{bare}{separator}"
        if not separator:
            break
    return normal
