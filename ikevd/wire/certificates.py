"""Certificates and signatures (RFC 2408 sections 3.9, 3.10 and 3.12)."""

from __future__ import annotations

from dataclasses import field
from typing import ClassVar

from ikevd.frozen import frozen
from ikevd.wire.buffer import Reader, Writer
from ikevd.wire.registry import PayloadType, Registry


class CertEncoding(Registry):
    """Certificate encodings, RFC 2408 section 3.9."""

    NONE = 0
    PKCS7 = 1
    PGP = 2
    DNS_KEY = 3
    X509_SIGNATURE = 4
    X509_KEY_EXCHANGE = 5
    KERBEROS = 6
    CRL = 7
    ARL = 8
    SPKI = 9
    X509_ATTRIBUTE = 10
    RAW_RSA_KEY = 11


@frozen
class CertPayload:
    """A certificate or a part of a chain.

    `encoding (8)  data`
    """

    TYPE: ClassVar = PayloadType.CERT
    encoding: CertEncoding
    data: bytes

    @property
    def body(self) -> bytes:
        """The octets behind the generic header."""
        return Writer().u8(self.encoding).octets(self.data).done()

    @classmethod
    def decode(cls, body: bytes) -> CertPayload:
        """Read the body of a Certificate payload."""
        reader = Reader(body, "certificate payload")
        return cls(CertEncoding(reader.u8()), reader.rest())


@frozen
class CertReqPayload:
    """Which kind of certificate is wanted, and from which authority; empty: from any.

    `encoding (8)  authority`
    """

    TYPE: ClassVar = PayloadType.CERTREQ
    encoding: CertEncoding
    authority: bytes

    @property
    def body(self) -> bytes:
        """The octets behind the generic header."""
        return Writer().u8(self.encoding).octets(self.authority).done()

    @classmethod
    def decode(cls, body: bytes) -> CertReqPayload:
        """Read the body of a Certificate Request payload."""
        reader = Reader(body, "certificate request payload")
        return cls(CertEncoding(reader.u8()), reader.rest())


@frozen
class SigPayload:
    """SIG_I or SIG_R."""

    TYPE: ClassVar = PayloadType.SIG
    body: bytes = field(repr=False)

    @classmethod
    def decode(cls, body: bytes) -> SigPayload:
        """Any octets: the signer's key decides the length."""
        return cls(body)
