"""The environment of an updown program: the names of strongSwan's updown where the meaning is the same, and ours.

docs/hooks.md has the table. A peer has a part in some values: these are text without an octet that is not printable.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from ikevd.host.hooks import HookCall
from ikevd.policy.selectors import TrafficSelector
from ikevd.text import printable
from ikevd.wire.registry import Protocol

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
VERSION = "1.1"
"""Of these names, as strongSwan counts."""
ICMP, ICMPV6 = 1, 58


def environment(call: HookCall, *, up: bool, interface: str | None) -> dict[str, str]:
    """All of it. `interface`: where the way to the peer begins; None: there is no way now."""
    sa = call.sa
    found = {
        "PATH": PATH,
        "PLUTO_VERSION": VERSION,
        "PLUTO_VERB": _verb(call, up=up),
        "PLUTO_CONNECTION": sa.child,
        "PLUTO_INTERFACE": interface or "unknown",
        "PLUTO_REQID": str(sa.reqid),
        "PLUTO_PROTO": "ah" if sa.suite.protocol == Protocol.AH else "esp",
        "PLUTO_UNIQUEID": str(call.number),
        "PLUTO_ME": str(sa.local),
        "PLUTO_MY_ID": str(call.local_id),
        "PLUTO_PEER": str(sa.remote),
        "PLUTO_PEER_ID": str(call.remote_id),
        **dict(_selector("MY", sa.local_selector, sa.local_selector.port >> 8)),
        **dict(_selector("PEER", sa.remote_selector, sa.local_selector.port & 0xFF)),
        "IKEVD_CONNECTION": call.connection,
        "IKEVD_LOCAL": str(sa.local_selector),
        "IKEVD_REMOTE": str(sa.remote_selector),
    }
    if sa.cpis is not None:
        found["PLUTO_IPCOMP"] = "1"
    if sa.encap is not None:
        found["PLUTO_UDP_ENC"] = str(sa.encap.remote_port)
    for way, mark in (("IN", call.mark_in), ("OUT", call.mark_out)):
        if call.if_id:
            found[f"PLUTO_IF_ID_{way}"] = str(call.if_id)
        if mark is not None:
            found[f"PLUTO_MARK_{way}"] = f"{mark.value}/{mark.mask:#010x}"
    if call.interface is not None:
        found["IKEVD_INTERFACE"] = call.interface
    return {name: printable(value) for name, value in found.items()}


def _verb(call: HookCall, *, up: bool) -> str:
    local, end = call.sa.local_selector, call.sa.local
    is_host = local.first == local.last == end
    return f"{'up' if up else 'down'}-{'host' if is_host else 'client'}{'-v6' if local.first.version == 6 else ''}"


def _selector(side: str, selector: TrafficSelector, icmp: int) -> Iterator[tuple[str, str]]:
    """`icmp`: what stands for the port where there is none: the type on our side, the code on the peer's."""
    yield f"PLUTO_{side}_CLIENT", _subnet(selector)
    yield f"PLUTO_{side}_PORT", str(icmp if selector.protocol in (ICMP, ICMPV6) else selector.port)
    yield f"PLUTO_{side}_PROTOCOL", str(selector.protocol)


def _subnet(selector: TrafficSelector) -> str:
    """The smallest one that holds a range."""
    bits = selector.first.max_prefixlen - (int(selector.first) ^ int(selector.last)).bit_length()
    return str(ip_network((selector.first, bits), strict=False))
