"""Who we are: our private key, and the certificate that says whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from enum import Enum

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ikevd.crypto.secret import Secret
from ikevd.frozen import frozen
from ikevd.pki import contents, names
from ikevd.pki.contents import Contents, Octets, PrivateKey
from ikevd.policy.identity import Identity
from ikevd.wire.certificates import CertEncoding, CertPayload, CertReqPayload


class SendCert(Enum):
    """When our certificates are sent."""

    ALWAYS = "always"
    IF_ASKED = "if_asked"
    NEVER = "never"


@frozen
class Credential:
    """Of one connection."""

    key: PrivateKey = field(repr=False, compare=False)
    chain: tuple[x509.Certificate, ...]
    """Our own first, then those who issued each, without a root, which a peer must have anyway (RFC 4945 3.3.9)."""
    origin: str

    @property
    def certificate(self) -> x509.Certificate:
        """Our own."""
        return self.chain[0]

    def proves(self, identity: Identity) -> bool:
        """Will a peer that gets the chain find `identity` in it?"""
        return names.matches(identity, self.certificate)

    def payloads(self, when: SendCert, asked: Sequence[CertReqPayload]) -> tuple[CertPayload, ...]:
        """The CERT payloads to send. `asked`: the peer's CERTREQ; whichever CA one names, we have one chain."""
        wanted = any(one.encoding in (CertEncoding.X509_SIGNATURE, CertEncoding.PKCS7) for one in asked)
        if when is SendCert.NEVER or (when is SendCert.IF_ASKED and not wanted):
            return ()
        return tuple(CertPayload(CertEncoding.X509_SIGNATURE, one.public_bytes(Encoding.DER)) for one in self.chain)


def load(certificate: Octets, key: Octets | None, passphrase: Secret | None) -> Credential:
    """Our certificate with its chain, and the key in the same file or another one.

    Raises ValueError, which names what was read and what would be right.
    """
    found = contents.read(certificate, passphrase)
    holder = contents.read(key, passphrase) if key else found
    private = _one_key(holder)
    if not found.certificates:
        raise ValueError(f"{found.origin} holds {_what(found)} and no certificate; wanted our own certificate")
    own = next((one for one in found.certificates if _public(one) == _public(private)), None)
    if own is None:
        first = names.text(names.subject(found.certificates[0]))
        raise ValueError(
            f"the private key in {holder.origin} does not belong to the certificate of {first} in {found.origin}; "
            "wanted the key that its request was made with"
        )
    others = (*found.certificates, *holder.certificates) if key else found.certificates
    return Credential(private, _chain(own, others), found.origin)


def _one_key(found: Contents) -> PrivateKey:
    if not found.keys:
        raise ValueError(f"{found.origin} holds {_what(found)} and no private key; wanted the key of our certificate")
    if len(found.keys) > 1:
        raise ValueError(f"{found.origin} holds {len(found.keys)} private keys; wanted one")
    return found.keys[0]


def _what(found: Contents) -> str:
    if found.certificates:
        return "a certificate" if len(found.certificates) == 1 else f"{len(found.certificates)} certificates"
    if found.keys:
        return "a private key"
    if found.requests:
        return "a certificate request, of which a CA makes the certificate,"
    return "a CRL"


def _public(of: x509.Certificate | PrivateKey) -> bytes:
    return of.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _chain(own: x509.Certificate, others: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """`own` and who issued each, as far as they stand there; no root, and nobody twice."""
    chain = [own]
    while True:
        wanted = names.issuer(chain[-1])
        above = next((one for one in others if names.subject(one) == wanted and one not in chain), None)
        if above is None or names.issuer(above) == wanted:
            return tuple(chain)
        chain.append(above)


def load_cas(octets: Octets) -> tuple[x509.Certificate, ...]:
    """CAs, or certificates of peers, that are trusted. Raises ValueError."""
    found = contents.read(octets)
    if found.keys:
        raise ValueError(f"{found.origin} holds a private key; wanted certificates alone, since a CA's key stays there")
    if not found.certificates:
        raise ValueError(f"{found.origin} holds {_what(found)} and no certificate; wanted those of CAs")
    return found.certificates


def load_crls(octets: Octets) -> tuple[x509.CertificateRevocationList, ...]:
    """Raises ValueError."""
    found = contents.read(octets)
    if not found.crls:
        raise ValueError(f"{found.origin} holds {_what(found)} and no CRL; wanted one (BEGIN X509 CRL)")
    return found.crls
