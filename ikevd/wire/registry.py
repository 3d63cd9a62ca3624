"""IANA numbers of ISAKMP, the IPsec DOI and IKE as enums that keep unknown values.

An unknown value is kept and printed with its number (`Group(99)` prints `GROUP_99`), so that it can be
logged, refused and echoed. Sources: RFC 2407 section 4, RFC 2408 section 3, RFC 2409 appendix A and
https://www.iana.org/assignments/ipsec-registry.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, IntFlag
from typing import Any, Self


class Registry(IntEnum):
    """An IANA registry: unknown numbers become members named after the class."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int) or value < 0:
            return None
        member = int.__new__(cls, value)
        member._name_ = f"{cls.__name__.upper()}_{value}"
        member._value_ = value
        return member

    @classmethod
    def of(cls, number: int) -> Self:
        """`cls(number)` for received octets, of which there are many: five times as fast for a known one."""
        members: Mapping[int, Any] = cls._value2member_map_
        member: Self | None = members.get(number)
        return cls(number) if member is None else member

    @property
    def known(self) -> bool:
        """Is the number one that this program has a name for?"""
        return self._name_ in type(self).__members__

    def __str__(self) -> str:
        return self._name_

    def __reduce_ex__(self, protocol: object) -> tuple[type[Self], tuple[int]]:
        """By number: Python 3.11.2 (Debian 12) pickles by name, and an unknown number's name leads to no member."""
        return type(self), (int(self),)


class PayloadType(Registry):
    """RFC 2408 section 3.1, RFC 3947 section 3.2 and 5.2; 15 and 16 as drafts 04 to 08 of RFC 3947 used them."""

    NONE = 0
    SA = 1
    PROPOSAL = 2
    TRANSFORM = 3
    KE = 4
    ID = 5
    CERT = 6
    CERTREQ = 7
    HASH = 8
    SIG = 9
    NONCE = 10
    N = 11
    D = 12
    VID = 13
    ATTRIBUTES = 14
    NAT_D_DRAFT_04 = 15
    NAT_OA_DRAFT_04 = 16
    NAT_D = 20
    NAT_OA = 21
    NAT_D_DRAFT = 130
    NAT_OA_DRAFT = 131
    FRAGMENT = 132


class ExchangeType(Registry):
    """RFC 2408 section 3.1, RFC 2409 appendix A."""

    BASE = 1
    MAIN_MODE = 2
    AUTHENTICATION_ONLY = 3
    AGGRESSIVE = 4
    INFORMATIONAL = 5
    TRANSACTION = 6
    QUICK_MODE = 32
    NEW_GROUP = 33
    IKE_SA_INIT = 34  # IKEv2 (RFC 7296 section 3.1), named so that a log line can say so


class Flags(IntFlag):
    """Header flags, RFC 2408 section 3.1."""

    NONE = 0
    ENCRYPTION = 1
    COMMIT = 2
    AUTHENTICATION_ONLY = 4


# By number, for received octets, of which there are many: to ask an enum takes Python ten times as long.
PAYLOAD_TYPES = tuple(map(PayloadType, range(256)))
EXCHANGE_TYPES = tuple(map(ExchangeType, range(256)))
ALL_FLAGS = tuple(map(Flags, range(256)))


class Doi(Registry):
    """RFC 2407 section 4.1."""

    ISAKMP = 0
    IPSEC = 1


class Protocol(Registry):
    """Security protocol identifiers, RFC 2407 section 4.4.1."""

    ISAKMP = 1
    AH = 2
    ESP = 3
    IPCOMP = 4


class Phase1Transform(Registry):
    """RFC 2407 section 4.4.2."""

    KEY_IKE = 1


class EspTransform(Registry):
    """ESP transform identifiers, RFC 2407 section 4.4.4 and IANA."""

    DES_IV64 = 1
    DES = 2
    TRIPLE_DES = 3
    RC5 = 4
    IDEA = 5
    CAST = 6
    BLOWFISH = 7
    NULL = 11
    AES_CBC = 12
    AES_CTR = 13
    AES_CCM_8 = 14
    AES_CCM_12 = 15
    AES_CCM_16 = 16
    AES_GCM_8 = 18
    AES_GCM_12 = 19
    AES_GCM_16 = 20
    SEED = 21
    CAMELLIA = 22
    NULL_AES_GMAC = 23


class IkeAttribute(Registry):
    """Phase 1 attribute types, RFC 2409 appendix A."""

    ENCRYPTION = 1
    HASH = 2
    AUTH_METHOD = 3
    GROUP = 4
    GROUP_TYPE = 5
    PRIME = 6
    LIFE_TYPE = 11
    LIFE_DURATION = 12
    PRF = 13
    KEY_LENGTH = 14
    FIELD_SIZE = 15
    GROUP_ORDER = 16


class IpsecAttribute(Registry):
    """Phase 2 attribute types, RFC 2407 section 4.5."""

    LIFE_TYPE = 1
    LIFE_DURATION = 2
    GROUP = 3
    ENCAPSULATION = 4
    AUTHENTICATION = 5
    KEY_LENGTH = 6
    KEY_ROUNDS = 7
    EXTENDED_SEQUENCE = 11


class Cipher(Registry):
    """Phase 1 encryption algorithms, RFC 2409 appendix A and IANA."""

    DES_CBC = 1
    IDEA_CBC = 2
    BLOWFISH_CBC = 3
    RC5_CBC = 4
    TRIPLE_DES_CBC = 5
    CAST_CBC = 6
    AES_CBC = 7
    CAMELLIA_CBC = 8


class Hash(Registry):
    """Phase 1 hash algorithms, RFC 2409 appendix A and IANA."""

    MD5 = 1
    SHA1 = 2
    TIGER = 3
    SHA2_256 = 4
    SHA2_384 = 5
    SHA2_512 = 6


class AuthMethod(Registry):
    """Phase 1 authentication methods, RFC 2409 appendix A and IANA."""

    PSK = 1
    DSS = 2
    RSA_SIG = 3
    RSA_ENC = 4
    RSA_REV_ENC = 5
    ECDSA_256 = 9
    ECDSA_384 = 10
    ECDSA_521 = 11
    HYBRID_INIT_RSA = 64221
    XAUTH_INIT_PSK = 65001
    XAUTH_RESP_PSK = 65002
    XAUTH_INIT_RSA = 65005


class Group(Registry):
    """Diffie-Hellman groups, RFC 2409 section 6, RFC 3526, RFC 5114, RFC 5903, RFC 6932, RFC 8031."""

    MODP_768 = 1
    MODP_1024 = 2
    MODP_1536 = 5
    MODP_2048 = 14
    MODP_3072 = 15
    MODP_4096 = 16
    MODP_6144 = 17
    MODP_8192 = 18
    ECP_256 = 19
    ECP_384 = 20
    ECP_521 = 21
    MODP_1024_160 = 22
    MODP_2048_224 = 23
    MODP_2048_256 = 24
    ECP_192 = 25
    ECP_224 = 26
    BRAINPOOL_224 = 27
    BRAINPOOL_256 = 28
    BRAINPOOL_384 = 29
    BRAINPOOL_512 = 30
    CURVE25519 = 31
    CURVE448 = 32


class LifeType(Registry):
    """RFC 2409 appendix A and RFC 2407 section 4.5."""

    SECONDS = 1
    KILOBYTES = 2


class Encapsulation(Registry):
    """Encapsulation modes, RFC 2407 section 4.5, RFC 3947 section 5.1."""

    TUNNEL = 1
    TRANSPORT = 2
    UDP_TUNNEL = 3
    UDP_TRANSPORT = 4
    UDP_TUNNEL_DRAFT = 61443  # drafts 02 and 03 of RFC 3947
    UDP_TRANSPORT_DRAFT = 61444


class Integrity(Registry):
    """ESP and AH authentication algorithms, RFC 2407 section 4.5 and RFC 4868."""

    NONE = 0
    HMAC_MD5 = 1
    HMAC_SHA1 = 2
    DES_MAC = 3
    KPDK = 4
    HMAC_SHA2_256 = 5
    HMAC_SHA2_384 = 6
    HMAC_SHA2_512 = 7
    AES_XCBC = 9


class IdType(Registry):
    """Identification types, RFC 2407 section 4.6.2.1."""

    IPV4_ADDR = 1
    FQDN = 2
    USER_FQDN = 3
    IPV4_SUBNET = 4
    IPV6_ADDR = 5
    IPV6_SUBNET = 6
    IPV4_RANGE = 7
    IPV6_RANGE = 8
    DER_ASN1_DN = 9
    DER_ASN1_GN = 10
    KEY_ID = 11


class NotifyType(Registry):
    """Notify message types, RFC 2408 section 3.14.1, RFC 2407 section 4.6.3, RFC 3706 section 5.1, and Cisco's own."""

    INVALID_PAYLOAD_TYPE = 1
    DOI_NOT_SUPPORTED = 2
    SITUATION_NOT_SUPPORTED = 3
    INVALID_COOKIE = 4
    INVALID_MAJOR_VERSION = 5
    INVALID_MINOR_VERSION = 6
    INVALID_EXCHANGE_TYPE = 7
    INVALID_FLAGS = 8
    INVALID_MESSAGE_ID = 9
    INVALID_PROTOCOL_ID = 10
    INVALID_SPI = 11
    INVALID_TRANSFORM_ID = 12
    ATTRIBUTES_NOT_SUPPORTED = 13
    NO_PROPOSAL_CHOSEN = 14
    BAD_PROPOSAL_SYNTAX = 15
    PAYLOAD_MALFORMED = 16
    INVALID_KEY_INFORMATION = 17
    INVALID_ID_INFORMATION = 18
    INVALID_CERT_ENCODING = 19
    INVALID_CERTIFICATE = 20
    CERT_TYPE_UNSUPPORTED = 21
    INVALID_CERT_AUTHORITY = 22
    INVALID_HASH_INFORMATION = 23
    AUTHENTICATION_FAILED = 24
    INVALID_SIGNATURE = 25
    ADDRESS_NOTIFICATION = 26
    NOTIFY_SA_LIFETIME = 27
    CERTIFICATE_UNAVAILABLE = 28
    UNSUPPORTED_EXCHANGE_TYPE = 29
    UNEQUAL_PAYLOAD_LENGTHS = 30
    CONNECTED = 16384
    RESPONDER_LIFETIME = 24576
    REPLAY_STATUS = 24577
    INITIAL_CONTACT = 24578
    CISCO_HELLO = 30000
    CISCO_WWTEBR = 30001
    CISCO_SHUT_UP = 30002
    R_U_THERE = 36136
    R_U_THERE_ACK = 36137
    CISCO_LOAD_BALANCE = 40501
    CISCO_40502 = 40502
    CISCO_PRESHARED_KEY_HASH = 40503

    @property
    def is_error(self) -> bool:
        """Error types are 1 to 16383 (RFC 2408 section 3.14.1)."""
        return self < 16384


class AhTransform(Registry):
    """AH transform identifiers, RFC 2407 section 4.4.3 and IANA."""

    MD5 = 2
    SHA1 = 3
    DES = 4
    SHA2_256 = 5
    SHA2_384 = 6
    SHA2_512 = 7
    RIPEMD = 8
    AES_XCBC = 9
    AES_128_GMAC = 11
    AES_192_GMAC = 12
    AES_256_GMAC = 13


class IpcompTransform(Registry):
    """IPCOMP transform identifiers, RFC 2407 section 4.4.5 and IANA."""

    OUI = 1
    DEFLATE = 2
    LZS = 3
    LZJH = 4
