"""`ikevd cert show`: what stands in a file, on 60 columns."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ikevd.cli.cert_make import read_any, read_passphrase
from ikevd.crypto.secret import Secret
from ikevd.pki import contents, doubts, names, path, prove
from ikevd.pki.contents import Contents
from ikevd.pki.expiry import expiries
from ikevd.text import flow, printable

COLUMNS, INDENT = 60, 13
MAX_REVOKED = 20
USAGES = {
    "digital_signature": "digitalSignature",
    "content_commitment": "nonRepudiation",
    "key_encipherment": "keyEncipherment",
    "data_encipherment": "dataEncipherment",
    "key_agreement": "keyAgreement",
    "key_cert_sign": "keyCertSign",
    "crl_sign": "cRLSign",
}
PURPOSES = {
    "1.3.6.1.5.5.7.3.17": "ipsecIKE",
    "1.3.6.1.5.5.8.2.2": "iKEIntermediate",
    "2.5.29.37.0": "any",
}


def show_files(files: Sequence[Path], passphrase_file: Path | None) -> int:
    """Exit code 1 if one could not be read."""
    failed = False
    for number, file in enumerate(files):
        try:
            text = "\n".join(lines(_read(file, passphrase_file), datetime.now(UTC)))
        except ValueError as error:
            click.echo(str(error), err=True)
            failed = True
            continue
        click.echo("\n" * (number > 0) + text)
    return 1 if failed else 0


def _read(file: Path, passphrase_file: Path | None) -> Contents:
    octets = read_any(file)
    if passphrase_file:
        return contents.read(octets, read_passphrase(passphrase_file))
    try:
        return contents.read(octets)
    except ValueError as error:
        if "wanted its passphrase" not in str(error) or not sys.stdin.isatty():
            raise
    given: str = click.prompt(f"Passphrase of {file}", hide_input=True, err=True)
    return contents.read(octets, Secret(given.encode()))


def lines(found: Contents, now: datetime) -> Iterator[str]:
    """All of one file."""
    what = [*(["a private key"] if len(found.keys) == 1 else [f"{len(found.keys)} private keys"] * bool(found.keys))]
    what += _counted(len(found.certificates), "certificate") + _counted(len(found.crls), "CRL")
    what += _counted(found.requests, "certificate request")
    yield from flow([f"{found.origin}:", *f"{found.form}, {', '.join(what)}".split(" ")], COLUMNS, rest="  ")
    for one in found.certificates:
        yield ""
        yield from _certificate(one, now)
    for crl in found.crls:
        yield ""
        yield from _crl(crl, now)
    for key in found.keys:
        yield ""
        yield from _key(key, found.certificates)


def _counted(count: int, what: str) -> list[str]:
    return [f"{count} {what}{'' if count == 1 else 's'}"] if count else []


def _certificate(one: x509.Certificate, now: datetime) -> Iterator[str]:
    (expiry,) = expiries([one], now)
    yield from _long(names.text(names.subject(one)))
    own = names.subject(one) == names.issuer(one)
    yield from _row("issued by", ["itself"] if own else _parts(names.text(names.issuer(one))))
    yield from _row("valid", [f"from {path.moment(expiry.not_before)}", f"to   {path.moment(expiry.not_after)}"], "\n")
    yield from _row("", [f"{expiry.days} days are left" if expiry.days >= 0 else "expired"])
    yield from _row("names", [str(name) for name in names.alternatives(one)], ", ")
    yield from _row("CA", [_ca(one)] if doubts.is_ca(one) else [])
    yield from _row("key", [_key_kind(one.public_key())])
    yield from _row("signature", [one.signature_algorithm_oid._name])
    yield from _row("usage", list(_usages(one)), ", ")
    yield from _row("CRL at", list(prove.http_urls(one)), " ")
    yield from _row("serial", [f"0x{one.serial_number:x}"])
    digest = one.fingerprint(hashes.SHA256()).hex(":")
    yield from _row("SHA-256", [digest[:47], digest[48:]], "")
    for doubt in doubts.of(one, now):
        yield from flow(f"{doubt}".split(" "), COLUMNS, first="  warning: ", rest="    ")


def _ca(one: x509.Certificate) -> str:
    basic = path.extension(one, x509.BasicConstraints)
    length = basic.path_length if basic else None
    return "yes" if length is None else f"yes, with at most {length} CAs below it"


def _usages(one: x509.Certificate) -> Iterator[str]:
    usage = path.extension(one, x509.KeyUsage)
    if usage:
        yield from (word for name, word in USAGES.items() if getattr(usage, name))
    for purpose in path.extension(one, x509.ExtendedKeyUsage) or ():
        yield PURPOSES.get(purpose.dotted_string) or _oid(purpose)


def _oid(oid: x509.ObjectIdentifier) -> str:
    return oid.dotted_string if oid._name == "Unknown OID" else oid._name


def _key_kind(key: object) -> str:
    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        return f"RSA, {key.key_size} bits"
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        return f"ECDSA, {key.curve.name}"
    return "of no use in IKEv1"


def _key(key: contents.PrivateKey, certificates: Sequence[x509.Certificate]) -> Iterator[str]:
    yield f"private key, {_key_kind(key)}"
    own = [one for one in certificates if one.public_key() == key.public_key()]
    if own:
        yield from _row("belongs to", _parts(names.text(names.subject(own[0]))))
    elif certificates:
        yield "  warning: it belongs to none of these certificates"


def _crl(crl: x509.CertificateRevocationList, now: datetime) -> Iterator[str]:
    yield from _long(f"CRL of {names.text(names.crl_issuer(crl))}")
    following = crl.next_update_utc
    yield from _row("valid", [f"from {path.moment(crl.last_update_utc)}"])
    yield from _row("", [f"to   {path.moment(following)}" if following else "without an end"])
    serials = [f"0x{one.serial_number:x}" for one in list(crl)[:MAX_REVOKED]]
    more = [f"and {len(crl) - MAX_REVOKED} more"] if len(crl) > MAX_REVOKED else []
    yield from _row("revoked", [*serials, *more] or ["nobody"], ", ")
    if following and following < now:
        yield "  warning: out of date; `revocation: strict` refuses it"


def _row(title: str, values: Iterable[str], separator: str = ", ") -> Iterator[str]:
    given = [printable(value) for value in values if value]
    if not given:
        return
    first = f"  {title:<{INDENT - 2}}"
    if separator in ("\n", ""):
        for number, value in enumerate(given):
            yield (first if number == 0 else " " * INDENT) + value
        return
    yield from flow(given, COLUMNS, first=first, rest=" " * INDENT, separator=separator)


def _long(text: str) -> list[str]:
    return flow(_parts(printable(text)), COLUMNS, rest="    ", separator=",")


def _parts(name: str) -> list[str]:
    """Of a distinguished name, between which a line may break."""
    return name.split(",")
