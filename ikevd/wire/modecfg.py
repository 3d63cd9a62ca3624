"""The payload of Mode Config and XAUTH (draft-ietf-ipsec-isakmp-mode-cfg-05 section 3.2)."""

from __future__ import annotations

from dataclasses import field
from typing import ClassVar

from ikevd.frozen import frozen
from ikevd.wire import attributes
from ikevd.wire.attributes import Attribute
from ikevd.wire.buffer import Reader, Writer
from ikevd.wire.registry import PayloadType, Registry


class ConfigType(Registry):
    """What an Attributes payload does, draft-ietf-ipsec-isakmp-mode-cfg-05 section 3.2."""

    REQUEST = 1
    REPLY = 2
    SET = 3
    ACK = 4


class ConfigAttribute(Registry):
    """Of Mode Config (its draft, section 3.3), of XAUTH (draft-beaulieu-ike-xauth-02 section 6.2), and Cisco's."""

    INTERNAL_IP4_ADDRESS = 1
    INTERNAL_IP4_NETMASK = 2
    INTERNAL_IP4_DNS = 3
    INTERNAL_IP4_NBNS = 4
    INTERNAL_ADDRESS_EXPIRY = 5
    INTERNAL_IP4_DHCP = 6
    APPLICATION_VERSION = 7
    INTERNAL_IP6_ADDRESS = 8
    INTERNAL_IP6_NETMASK = 9
    INTERNAL_IP6_DNS = 10
    INTERNAL_IP6_NBNS = 11
    INTERNAL_IP6_DHCP = 12
    INTERNAL_IP4_SUBNET = 13
    SUPPORTED_ATTRIBUTES = 14
    INTERNAL_IP6_SUBNET = 15
    XAUTH_TYPE = 16520
    XAUTH_USER_NAME = 16521
    XAUTH_USER_PASSWORD = 16522
    XAUTH_PASSCODE = 16523
    XAUTH_MESSAGE = 16524
    XAUTH_CHALLENGE = 16525
    XAUTH_DOMAIN = 16526
    XAUTH_STATUS = 16527
    XAUTH_NEXT_PIN = 16528
    XAUTH_ANSWER = 16529
    UNITY_BANNER = 28672
    UNITY_SAVE_PASSWORD = 28673
    UNITY_DEF_DOMAIN = 28674
    UNITY_SPLIT_DNS = 28675
    UNITY_SPLIT_INCLUDE = 28676
    UNITY_NATT_PORT = 28677
    UNITY_LOCAL_LAN = 28678
    UNITY_PFS = 28679
    UNITY_FW_TYPE = 28680
    UNITY_BACKUP_SERVERS = 28681
    UNITY_DDNS_HOSTNAME = 28682
    UNITY_28683 = 28683


@frozen
class AttributesPayload:
    """Settings asked for or given. Its values may be passwords: they do not show in a repr.

    `type (8)  reserved (8)  identifier (16)  attributes`
    """

    TYPE: ClassVar = PayloadType.ATTRIBUTES
    type: ConfigType
    identifier: int
    attributes: tuple[Attribute, ...] = field(repr=False)
    reserved: int = 0

    @property
    def body(self) -> bytes:
        """The octets behind the generic header."""
        head = Writer().u8(self.type, self.reserved).u16(self.identifier)
        return head.octets(attributes.encode_all(self.attributes)).done()

    @property
    def parts(self) -> int:
        """How many attributes there are to read."""
        return len(self.attributes)

    @classmethod
    def decode(cls, body: bytes) -> AttributesPayload:
        """Read the body of an Attributes payload."""
        reader = Reader(body, "attributes payload")
        kind, reserved, identifier = ConfigType(reader.u8()), reader.u8(), reader.u16()
        return cls(kind, identifier, attributes.decode_all(reader), reserved)
