"""The bodies of rtnetlink messages about interfaces and their addresses, built and read; pure."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Interface, IPv6Interface

from ikevd.addresses import Address
from ikevd.host.links import ALIAS, GROUP, FoundLink, Link, LinkAddress
from ikevd.kernel.netlink import attribute, attributes
from ikevd.kernel.rtnetlink import (
    IFADDRMSG,
    IFF_MULTICAST,
    IFF_UP,
    IFINFOMSG,
    KEY,
    KIND_MASK,
    NUMBER,
    SCOPE_UNIVERSE,
    Ifa,
    Ifla,
    Info,
    VtiInfo,
    XfrmInfo,
    address_of,
    family,
)
from ikevd.policy.interface import InterfaceKind

KINDS = {"xfrm": InterfaceKind.XFRM, "vti": InterfaceKind.VTI, "vti6": InterfaceKind.VTI}
MAX_ALIAS = 255


def build_new_link(link: Link, below: int = 0) -> bytes:
    """The body of NEWLINK that makes it, down. It has our group at once; an alias can be given later only. Routing
    daemons look for the flag of multicast, which Linux sets on neither kind. `below`: of an XFRM interface the index of
    the VRF (or of an interface in it) by whose routes ESP leaves; 0: by those of its own."""
    kind = b"xfrm" if link.kind is InterfaceKind.XFRM else _vti_kind(link)
    info = attribute(Info.KIND, kind + b"\0") + attribute(Info.DATA, _data(link, below))
    body = IFINFOMSG.pack(0, 0, 0, IFF_MULTICAST, IFF_MULTICAST) + attribute(Ifla.IFNAME, link.name.encode() + b"\0")
    return body + attribute(Ifla.GROUP, NUMBER.pack(GROUP)) + attribute(Ifla.LINKINFO, info)


def build_change(index: int, link: Link) -> bytes:
    """The body of NEWLINK that lets a link be as `link`, as far as that can change."""
    body = IFINFOMSG.pack(0, 0, index, IFF_UP if link.up else 0, IFF_UP)
    body += attribute(Ifla.IFALIAS, f"{ALIAS}{link.owner}".encode()[:MAX_ALIAS])
    return body + attribute(Ifla.MTU, NUMBER.pack(link.mtu)) if link.mtu else body


def build_move(name: str, handle: int) -> bytes:
    """The body of NEWLINK that moves the link of this name into the network namespace of a descriptor."""
    body = IFINFOMSG.pack(0, 0, 0, 0, 0) + attribute(Ifla.IFNAME, name.encode() + b"\0")
    return body + attribute(Ifla.NET_NS_FD, NUMBER.pack(handle))


def build_name(index: int, name: str) -> bytes:
    """The body of NEWLINK that gives a link, which is down, another name."""
    return IFINFOMSG.pack(0, 0, index, 0, 0) + attribute(Ifla.IFNAME, name.encode() + b"\0")


def build_up(index: int) -> bytes:
    """The body of NEWLINK that sets a link up."""
    return IFINFOMSG.pack(0, 0, index, IFF_UP, IFF_UP)


def build_link_id(index: int = 0, name: str = "") -> bytes:
    """The body of GETLINK and DELLINK."""
    body = IFINFOMSG.pack(0, 0, index, 0, 0)
    return body + attribute(Ifla.IFNAME, name.encode() + b"\0") if name else body


def read_link(body: bytes) -> FoundLink:
    """The body of an answered NEWLINK."""
    _, _, index, flags, _ = IFINFOMSG.unpack_from(body)
    present = _nested(body[IFINFOMSG.size :])
    info = _nested(present.get(Ifla.LINKINFO, b""))
    kind = KINDS.get(_text(info.get(Info.KIND, b"")))
    data = _nested(info.get(Info.DATA, b"")) if kind else {}
    return FoundLink(
        name=_text(present[Ifla.IFNAME]),
        index=index,
        ours=_number(present, Ifla.GROUP) == GROUP,
        kind=kind,
        number=_link_number(kind, data),
        alias=_text(present.get(Ifla.IFALIAS, b"")),
        up=bool(flags & IFF_UP),
        mtu=_number(present, Ifla.MTU),
        local=_end(data, VtiInfo.LOCAL) if kind is InterfaceKind.VTI else None,
        remote=_end(data, VtiInfo.REMOTE) if kind is InterfaceKind.VTI else None,
        below=_number(data, XfrmInfo.LINK) if kind is InterfaceKind.XFRM else 0,
    )


def build_address(index: int, found: LinkAddress) -> bytes:
    """The body of NEWADDR and DELADDR."""
    address = found.address
    body = IFADDRMSG.pack(family(address.version), address.network.prefixlen, 0, SCOPE_UNIVERSE, index)
    return body + attribute(Ifa.LOCAL, address.ip.packed) + attribute(Ifa.ADDRESS, address.ip.packed)


def build_address_dump(index: int) -> bytes:
    """The body of GETADDR: those of one interface."""
    return IFADDRMSG.pack(0, 0, 0, 0, index)


def read_address(body: bytes, names: Mapping[int, str]) -> LinkAddress | None:
    """The body of an answered NEWADDR; None for that of another interface."""
    _, prefix, _, _, index = IFADDRMSG.unpack_from(body)
    if index not in names:
        return None
    present = _nested(body[IFADDRMSG.size :])
    octets = present.get(Ifa.LOCAL) or present[Ifa.ADDRESS]
    if len(octets) == 4:
        return LinkAddress(names[index], IPv4Interface((octets, prefix)))
    return LinkAddress(names[index], IPv6Interface((octets, prefix)))


def _vti_kind(link: Link) -> bytes:
    """By the outer addresses."""
    end = link.remote or link.local
    return b"vti6" if end is not None and end.version == 6 else b"vti"


def _data(link: Link, below: int) -> bytes:
    if link.kind is InterfaceKind.XFRM:
        parent = attribute(XfrmInfo.LINK, NUMBER.pack(below)) if below else b""
        return parent + attribute(XfrmInfo.IF_ID, NUMBER.pack(link.number))
    keys = attribute(VtiInfo.IKEY, KEY.pack(link.number)) + attribute(VtiInfo.OKEY, KEY.pack(link.number))
    ends = ((VtiInfo.LOCAL, link.local), (VtiInfo.REMOTE, link.remote))
    return keys + b"".join(attribute(kind, end.packed) for kind, end in ends if end is not None)


def _link_number(kind: InterfaceKind | None, data: Mapping[int, bytes]) -> int:
    if kind is InterfaceKind.XFRM:
        return _number(data, XfrmInfo.IF_ID)
    return int(KEY.unpack(data[VtiInfo.IKEY])[0]) if VtiInfo.IKEY in data else 0


def _end(data: Mapping[int, bytes], kind: VtiInfo) -> Address | None:
    return address_of(data[kind]) if kind in data else None


def _nested(octets: bytes) -> dict[int, bytes]:
    return {kind & KIND_MASK: value for kind, value in attributes(octets)}


def _number(present: Mapping[int, bytes], kind: int) -> int:
    return int(NUMBER.unpack(present[kind])[0]) if kind in present else 0


def _text(octets: bytes) -> str:
    return octets.rstrip(b"\0").decode(errors="replace")
