"""Every field of one payload as plain data.

HASH, SIG, and the passwords of XAUTH are told by their length only: with a HASH somebody could guess the pre-shared key
offline.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from ikevd.addresses import Address
from ikevd.errors import Malformed
from ikevd.wire import attributes, registry
from ikevd.wire.attributes import Attribute
from ikevd.wire.buffer import Reader
from ikevd.wire.certificates import CertPayload, CertReqPayload, SigPayload
from ikevd.wire.fragment import FragmentPayload
from ikevd.wire.message import GENERIC_OCTETS
from ikevd.wire.modecfg import AttributesPayload, ConfigAttribute
from ikevd.wire.nat import NatOaPayload
from ikevd.wire.payloads import DeletePayload, HashPayload, IdPayload, NotifyPayload, Payload, SaPayload, VidPayload
from ikevd.wire.registry import IdType, IkeAttribute, IpsecAttribute, NotifyType, Protocol, Registry
from ikevd.wire.sa import Proposal, Transform
from ikevd.wire.vendor_ids import name_of

View = dict[str, Any]
Names = Mapping[int, type[Registry]]

IKE_VALUES: Names = {
    int(IkeAttribute.ENCRYPTION): registry.Cipher,
    int(IkeAttribute.HASH): registry.Hash,
    int(IkeAttribute.AUTH_METHOD): registry.AuthMethod,
    int(IkeAttribute.GROUP): registry.Group,
    int(IkeAttribute.LIFE_TYPE): registry.LifeType,
}
IPSEC_VALUES: Names = {
    int(IpsecAttribute.LIFE_TYPE): registry.LifeType,
    int(IpsecAttribute.GROUP): registry.Group,
    int(IpsecAttribute.ENCAPSULATION): registry.Encapsulation,
    int(IpsecAttribute.AUTHENTICATION): registry.Integrity,
}
TRANSFORMS: Names = {
    int(Protocol.ISAKMP): registry.Phase1Transform,
    int(Protocol.AH): registry.AhTransform,
    int(Protocol.ESP): registry.EspTransform,
    int(Protocol.IPCOMP): registry.IpcompTransform,
}
PASSWORDS = (
    ConfigAttribute.XAUTH_USER_PASSWORD,
    ConfigAttribute.XAUTH_PASSCODE,
    ConfigAttribute.XAUTH_NEXT_PIN,
    ConfigAttribute.XAUTH_ANSWER,
)
MAX_NUMBER_OCTETS = 8


def payload_view(payload: Payload, cookies: tuple[bytes, bytes]) -> View:
    """One payload, lazily: its type, its length with the generic header, and its fields. `cookies`: initiator,
    responder."""
    head = {"payload": named(payload.TYPE), "length": len(payload.body) + GENERIC_OCTETS}
    return head | _fields(payload, cookies)


def named(number: Registry) -> View:
    """A number of a registry with its name."""
    return {"name": str(number), "number": int(number)}


def octets(data: bytes) -> View:
    """Octets in hex, and as text if they are text."""
    view: View = {"octets": len(data), "hex": data.hex()}
    if data and data.isascii() and data.decode().isprintable():
        view["text"] = data.decode()
    return view


def hidden(data: bytes) -> View:
    """The length of what nobody is shown."""
    return {"octets": len(data), "hidden": True}


def _fields(payload: Payload, cookies: tuple[bytes, bytes]) -> View:
    match payload:
        case SaPayload():
            return _sa(payload)
        case IdPayload(kind, protocol, port, data):
            return {"type": named(kind), "protocol": protocol, "port": port, "value": _identity(kind, data)}
        case HashPayload(body) | SigPayload(body):
            return {"data": hidden(body)}
        case NotifyPayload():
            return _notify(payload)
        case DeletePayload(protocol, spis, doi):
            return {"doi": named(doi), "protocol": named(protocol), "spis": [spi.hex() for spi in spis]}
        case VidPayload(body):
            return {"name": _vendor(body, cookies), "data": octets(body)}
        case CertPayload(encoding, data):
            return {"encoding": named(encoding), "data": octets(data)}
        case CertReqPayload(encoding, authority):
            return {"encoding": named(encoding), "authority": octets(authority)}
        case AttributesPayload(kind, identifier, found):
            settings = (_setting(attribute) for attribute in found)
            return {"type": named(kind), "identifier": identifier, "attributes": settings}
        case NatOaPayload(id_type=kind, data=data):
            return {"type": named(kind), "value": _identity(kind, data)}
        case FragmentPayload(identifier, number, flags, data):
            return {"id": identifier, "fragment": number, "flags": flags, "last": payload.last, "data": octets(data)}
        case _:
            return {"data": octets(payload.body)}


# -- SA ---------------------------------------------------------------------------------------------------------------


def _sa(sa: SaPayload) -> View:
    reader = Reader(sa.body)
    doi, situation = registry.Doi(reader.u32()), reader.u32()
    return {
        "doi": named(doi),
        "situation": situation,
        "proposals": (_proposal(proposal) for proposal in sa.proposals),
    }


def _proposal(proposal: Proposal) -> View:
    return {
        "proposal": proposal.number,
        "protocol": named(proposal.protocol),
        "spi": proposal.spi.hex(),
        "transforms": (_transform(transform, proposal.protocol) for transform in proposal.transforms),
    }


def _transform(transform: Transform, protocol: Protocol) -> View:
    kind = TRANSFORMS.get(protocol)
    return {
        "transform": transform.number,
        "id": named(kind(transform.id)) if kind else transform.id,
        "attributes": (_attribute(attribute, protocol) for attribute in transform.attributes),
    }


def _attribute(attribute: Attribute, protocol: Protocol) -> View:
    phase1 = protocol == Protocol.ISAKMP
    kind: Registry = IkeAttribute(attribute.type) if phase1 else IpsecAttribute(attribute.type)
    names = (IKE_VALUES if phase1 else IPSEC_VALUES).get(attribute.type)
    value: object = octets(attribute.value)
    if 1 <= len(attribute.value) <= MAX_NUMBER_OCTETS:
        number = attribute.as_number()
        value = named(names(number)) if names else number
    return {"attribute": named(kind), "value": value, "basic": attribute.basic}


# -- others -----------------------------------------------------------------------------------------------------------


def _identity(kind: IdType, data: bytes) -> object:
    """An address, a subnet or a range in the usual notation if it is one, else the octets."""
    match kind, len(data):
        case (IdType.IPV4_ADDR, 4):
            return str(IPv4Address(data))
        case (IdType.IPV6_ADDR, 16):
            return str(IPv6Address(data))
        case (IdType.IPV4_SUBNET, 8):
            return _subnet(IPv4Address(data[:4]), IPv4Address(data[4:]))
        case (IdType.IPV6_SUBNET, 32):
            return _subnet(IPv6Address(data[:16]), IPv6Address(data[16:]))
        case (IdType.IPV4_RANGE, 8):
            return f"{IPv4Address(data[:4])} - {IPv4Address(data[4:])}"
        case (IdType.IPV6_RANGE, 32):
            return f"{IPv6Address(data[:16])} - {IPv6Address(data[16:])}"
        case _:
            return octets(data)


def _subnet(address: Address, mask: Address) -> str:
    """With the length of the prefix, unless the mask has holes."""
    ones = f"{int(mask):0{mask.max_prefixlen}b}".rstrip("0")
    return f"{address} mask {mask}" if "0" in ones else f"{address}/{len(ones)}"


def _notify(notify: NotifyPayload) -> View:
    view = {
        "doi": named(notify.doi),
        "protocol": named(notify.protocol),
        "type": named(notify.type),
        "spi": notify.spi.hex(),
    }
    match notify.type:
        case NotifyType.R_U_THERE | NotifyType.R_U_THERE_ACK | NotifyType.REPLAY_STATUS if len(notify.data) == 4:
            meaning = "replay" if notify.type == NotifyType.REPLAY_STATUS else "sequence"
            return view | {meaning: int.from_bytes(notify.data, "big")}
        case NotifyType.CISCO_PRESHARED_KEY_HASH:
            return view | {"data": hidden(notify.data)}
        case NotifyType.RESPONDER_LIFETIME:
            return view | _lifetime(notify)
    return view | {"data": octets(notify.data)} if notify.data else view


def _lifetime(notify: NotifyPayload) -> View:
    try:
        found = attributes.decode_all(Reader(notify.data))
    except Malformed:
        return {"data": octets(notify.data)}
    return {"attributes": [_attribute(attribute, notify.protocol) for attribute in found]}


def _vendor(vendor_id: bytes, cookies: tuple[bytes, bytes]) -> str:
    """The message does not tell who sent it: either cookie may be the sender's."""
    initiator, responder = (name_of(vendor_id, cookie) for cookie in cookies)
    return responder if initiator.startswith("unknown") else initiator


def _setting(attribute: Attribute) -> View:
    """One attribute of Mode Config; a short value is a number, four octets of some are an address."""
    kind = ConfigAttribute(attribute.type)
    value: object = octets(attribute.value)
    if kind in PASSWORDS:
        value = hidden(attribute.value)
    elif attribute.basic:
        value = attribute.as_number()
    elif str(kind).startswith("INTERNAL_IP4") and len(attribute.value) == 4:
        value = str(IPv4Address(attribute.value))
    return {"attribute": named(kind), "value": value, "basic": attribute.basic}
