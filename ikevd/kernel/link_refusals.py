"""One plain sentence for each way in which a kernel refuses an interface, an address of it or a route."""

from __future__ import annotations

import errno

from ikevd.errors import IkeError, KernelRefused
from ikevd.host.links import FoundLink, Link, LinkAddress, Route, Thing
from ikevd.kernel.refusals import refused
from ikevd.policy.interface import InterfaceKind

WORDS = {InterfaceKind.XFRM: "XFRM interface", InterfaceKind.VTI: "VTI"}
MODULES = {InterfaceKind.XFRM: "xfrm_interface", InterfaceKind.VTI: "ip_vti, or ip6_vti between IPv6 addresses"}
NUMBERS = {InterfaceKind.XFRM: "if_id", InterfaceKind.VTI: "key"}


def describe_thing(thing: Thing) -> str:
    """For example `the route to 10.2.0.0/16 through berlin0`."""
    there = f" in the network namespace {thing.namespace}" if thing.namespace else ""
    return f"{_described(thing)}{there}"


def _described(thing: Thing) -> str:
    match thing:
        case Link(name, kind, number):
            return f"the interface {name} ({WORDS[kind]}, {NUMBERS[kind]} {number:#x})"
        case LinkAddress(link, address):
            return f"the address {address} of {link}"
        case Route(to, link, table, metric):
            way = f"through {link}" if link is not None else "that says unreachable"
            return f"the route to {to} {way} (table {table}, metric {metric})"


def kind_missing(link: Link) -> KernelRefused:
    """This kernel has no such interfaces."""
    return KernelRefused(
        f"cannot make {describe_thing(link)}: this kernel has none of that kind (module {MODULES[link.kind]}); wanted "
        f"`modprobe`, or another `kind` of the interface",
        errno.EOPNOTSUPP,
    )


def number_taken(link: Link) -> KernelRefused:
    """There is one with that number, or of a VTI with those ends."""
    what = "that if_id" if link.kind is InterfaceKind.XFRM else "these ends and that key"
    kind = "xfrm" if link.kind is InterfaceKind.XFRM else "vti"
    return KernelRefused(
        f"cannot make {describe_thing(link)}: another interface has {what} already (`ip -d link show type {kind}` "
        "shows which); wanted another `if_id` of the interface, or that one removed",
        errno.EEXIST,
    )


def link_taken(link: Link, found: FoundLink) -> KernelRefused:
    """One of that name is another's."""
    whose = f"connection {found.owner} of an ikevd" if found.ours else "somebody else"
    return KernelRefused(
        f"cannot make {describe_thing(link)}: {whose} has an interface of that name already; wanted another `name`, or "
        f"that one removed (`ip link delete {link.name}`, if nobody needs it)",
        errno.EEXIST,
    )


def link_down(thing: Thing) -> KernelRefused:
    """Its interface is gone, or down."""
    return KernelRefused(f"cannot set {describe_thing(thing)}: the interface is not up", errno.ENETDOWN)


def thing_refused(thing: Thing, code: int, detail: str = "") -> IkeError:
    """Any other refusal."""
    verb = "make" if isinstance(thing, Link) else "set"
    if code == errno.EEXIST and isinstance(thing, Route):
        version = "-6 " if thing.to.version == 6 else ""
        return KernelRefused(
            f"cannot set {describe_thing(thing)}: another one to this network has that metric (`ip {version}route show "
            f"{thing.to} table {thing.table}`); wanted another `metric` or `table` of the interface",
            code,
        )
    if code == errno.EACCES and isinstance(thing, LinkAddress) and thing.address.version == 6:
        return KernelRefused(
            f"cannot set {describe_thing(thing)}: IPv6 is switched off there (sysctl net.ipv6.conf.*.disable_ipv6)",
            code,
        )
    return refused(f"{verb} {describe_thing(thing)}", code, detail)
