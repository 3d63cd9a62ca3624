"""Certificates and CRLs made by the `openssl` program, and what `openssl verify` says of them: nothing here is ours."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ikevd.pki.prove import Proven, anchored, proven
from ikevd.pki.trust import Trust
from ikevd.policy.identity import Identity
from ikevd.wire.certificates import CertEncoding, CertPayload

DAYS = 100
NOW = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
MADE = NOW - timedelta(hours=1)
CA = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
END = ("basicConstraints=CA:FALSE", "keyUsage=digitalSignature")
GATEWAY = "gw.example.net"
CONFIG = """\
[req]
distinguished_name = dn
prompt = no
{req}
[dn]
{dn}
[ext]
{ext}
[alt]
{alt}
[ca]
default_ca = lab
[lab]
database = {folder}/{name}.db
default_md = sha256
"""


def openssl(*words: object, stdin: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *map(str, words)], input=stdin, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, (words, done.stderr.decode())
    return done.stdout


@dataclass(frozen=True)
class Member:
    """Somebody with a certificate and a key."""

    folder: Path
    name: str

    @property
    def file(self) -> Path:
        return self.folder / f"{self.name}.pem"

    @property
    def key_file(self) -> Path:
        return self.folder / f"{self.name}.key"

    @cached_property
    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.file.read_bytes())

    @property
    def payload(self) -> CertPayload:
        return CertPayload(CertEncoding.X509_SIGNATURE, ssl.PEM_cert_to_DER_cert(self.file.read_text()))


class Lab:
    """A folder in which certificates are made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(
        self,
        name: str,
        issuer: Member | None = None,
        *,
        dn: Sequence[str] | None = None,
        ext: Iterable[str] = END,
        alt: Sequence[str] = (),
        key: str = "ec",
        md: str = "sha256",
        req: str = "",
        serial: int | None = None,
        sign: Sequence[str] = (),
    ) -> Member:
        """Of `name`, signed by `issuer` or itself; `alt`: alternative names as `DNS.1=gw.example.net`."""
        made = Member(self.folder, name)
        lines = ["O=Example", f"CN={name}"] if dn is None else dn
        extensions = [*ext, *(["subjectAltName=@alt"] if alt else [])]
        config = self._config(name, "\n".join(lines), "\n".join(extensions), "\n".join(alt), req)
        if not made.key_file.exists():
            openssl("genpkey", *_genpkey(key), "-out", made.key_file)
        request = openssl(
            "req", "-new", "-utf8", "-key", made.key_file, "-config", config, *([] if lines else ["-subj", "/"])
        )
        signer = ["-signkey", made.key_file] if issuer is None else ["-CA", issuer.file, "-CAkey", issuer.key_file]
        number = serial if serial is not None else abs(hash((name, str(lines)))) % 2**62 + 1
        openssl(
            *["x509", "-req", *signer, "-days", DAYS, f"-{md}", "-set_serial", number],
            *["-extfile", config, "-extensions", "ext", "-out", made.file, *sign],
            stdin=request,
        )
        return made

    def _config(self, name: str, dn: str, ext: str, alt: str, req: str) -> Path:
        path = self.folder / f"{name}.cnf"
        path.write_text(CONFIG.format(req=req, dn=dn, ext=ext, alt=alt, folder=self.folder, name=name))
        return path

    def crl(
        self, issuer: Member, revoked: Iterable[Member] = (), *, days: int = 10, made: datetime = MADE
    ) -> x509.CertificateRevocationList:
        """A CRL of `issuer`."""
        expiry, at = _stamp(NOW + timedelta(days=DAYS)), _stamp(made)
        rows = [f"R\t{expiry}\t{at}\t{_serial(one)}\tunknown\t/CN=x\n" for one in revoked]
        (self.folder / f"{issuer.name}.db").write_text("".join(rows))
        config = self._config(issuer.name, "CN=x", "basicConstraints=CA:TRUE", "DNS.1=x", "")
        pem = openssl(
            *["ca", "-gencrl", "-config", config, "-cert", issuer.file, "-keyfile", issuer.key_file],
            *["-crl_lastupdate", _stamp(made), "-crl_nextupdate", _stamp(made + timedelta(days=days)), "-md", "sha256"],
        )
        return x509.load_pem_x509_crl(pem)


def _genpkey(key: str) -> list[str]:
    if key == "ec":
        return ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    return ["-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{key.removeprefix('rsa') or 2048}"]


def _stamp(at: datetime) -> str:
    return f"{at:%y%m%d%H%M%SZ}"


def _serial(one: Member) -> str:
    digits = f"{one.certificate.serial_number:X}"
    return digits.zfill(len(digits) + len(digits) % 2)


def prove(
    trust: Trust,
    claimed: str,
    *came: Member | CertPayload,
    now: datetime = NOW,
    fetched: Iterable[x509.CertificateRevocationList] = (),
) -> Proven:
    """Both steps, as a peer that calls itself `claimed` and sends `came` meets them."""
    payloads = [one.payload if isinstance(one, Member) else one for one in came]
    return proven(trust, anchored(trust, Identity.parse(claimed), payloads, now)[0], fetched, now)


def trusted(*anchors: Member, **others: object) -> Trust:
    return Trust(tuple(one.certificate for one in anchors), **others)  # type: ignore[arg-type]


def openssl_agrees(
    anchor: Member,
    leaf: Member,
    *others: Member,
    now: datetime = NOW,
    crls: Iterable[x509.CertificateRevocationList] = (),
) -> bool:
    """Does `openssl verify` take the path as well?"""
    folder = leaf.folder
    between = folder / "between.pem"
    between.write_bytes(b"".join(one.file.read_bytes() for one in others))
    words: list[object] = ["verify", "-partial_chain", "-no-CApath", "-no-CAfile", "-attime", int(now.timestamp())]
    words += ["-trusted", anchor.file, *(["-untrusted", between] if others else [])]
    given = b"".join(crl.public_bytes(Encoding.PEM) for crl in crls)
    if given:
        (folder / "crls.pem").write_bytes(given)
        words += ["-crl_check_all", "-CRLfile", folder / "crls.pem"]
    done = subprocess.run(["openssl", *map(str, words), str(leaf.file)], capture_output=True, timeout=60, check=False)
    return done.returncode == 0
