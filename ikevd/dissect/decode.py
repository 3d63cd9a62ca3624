"""A datagram as a tree of all its fields: what `ikevd decode` and `ikevd trace --decode` show.

Works on octets alone and raises nothing, whatever they are: what cannot be read is told in `malformed`, after all that
could be.
"""

from __future__ import annotations

from contextlib import suppress

from ikevd.dissect.fields import View, named, payload_view
from ikevd.dissect.lazy import whole
from ikevd.errors import Malformed
from ikevd.wire.buffer import Reader
from ikevd.wire.message import HEADER_OCTETS, Header, decode_chain_untrusted
from ikevd.wire.payloads import Payload
from ikevd.wire.registry import Flags

MAJOR = 1


def decoded(datagram: bytes, chain: bytes = b"") -> View:
    """The tree of one ISAKMP message without a non-ESP marker. `chain`: its payloads if they were encrypted."""
    view: View = whole(lazily_decoded(datagram, chain))
    return view


def lazily_decoded(datagram: bytes, chain: bytes = b"") -> View:
    """The same as a view of `dissect.lazy`."""
    view: View = {"octets": len(datagram)}
    try:
        header = Header.decode_untrusted(datagram)
    except Malformed as error:
        return view | {"malformed": str(error)}
    body = datagram[HEADER_OCTETS : header.length]
    view["header"] = _header(header)
    if header.major != MAJOR:
        view["not_decoded"] = f"{len(body)} octets of version {header.major}; only those of version 1 are read"
    elif header.encrypted and not chain:
        view["encrypted"] = len(body)
    else:
        view |= ({"encrypted": len(body)} if header.encrypted else {}) | _payloads(header, chain or body)
    if trailer := len(datagram) - header.length:
        view["trailer"] = trailer
    return view


def cut_short(octets: bytes, missing: int, keeper: str = "capture") -> View:
    """The tree of a message of which the `keeper` did not keep the last `missing` octets: what its header says."""
    view: View = {"octets": len(octets)}
    if len(octets) >= HEADER_OCTETS:
        with suppress(Malformed):
            view["header"] = _header(Header.decode_untrusted(octets + bytes(missing)))
    return view | {"cut": f"the {keeper} kept only {len(octets)} of {len(octets) + missing} octets"}


def _header(header: Header) -> View:
    flags = [flag.name for flag in Flags if flag and header.flags & flag]
    unnamed = int(header.flags) & ~sum(int(flag) for flag in Flags)
    return {
        "initiator_cookie": header.initiator.hex(),
        "responder_cookie": header.responder.hex(),
        "next_payload": named(header.next_payload),
        "version": f"{header.major}.{header.version & 15}",
        "exchange": named(header.exchange),
        "flags": [*flags, f"0x{unnamed:02x}"] if unnamed else flags,
        "message_id": f"{header.message_id:08x}",
        "length": header.length,
    }


def _payloads(header: Header, chain: bytes) -> View:
    reader = Reader(chain, "payload chain")
    payloads: list[Payload] = []
    cookies = header.initiator, header.responder
    view: View = {"payloads": (payload_view(payload, cookies) for payload in payloads)}
    try:
        payloads.extend(decode_chain_untrusted(header.next_payload, reader))
    except Malformed as error:
        return view | {"malformed": str(error)}  # those before it are in the list
    return view | ({"padding": reader.remaining} if reader.remaining else {})
