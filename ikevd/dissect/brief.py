"""A message of a capture in one line, and which messages are meant. Works on the views of `ikevd.dissect.capture`."""

from __future__ import annotations

from typing import Any

from ikevd.dissect.fields import View
from ikevd.text import printable

EXCHANGE_NAMES = {
    "MAIN_MODE": "Main Mode",
    "AGGRESSIVE": "Aggressive Mode",
    "QUICK_MODE": "Quick Mode",
    "INFORMATIONAL": "Informational",
    "TRANSACTION": "Transaction",
}
"""As RFC 2409 and engineers write them."""


def payload_names(message: View) -> list[str]:
    """Their names, of a notification with its type; or why there are none."""
    for why in ("encrypted", "not_decoded", "cut"):
        if why in message and "payloads" not in message:
            return [why.replace("_", " ")]
    names = [_name(payload) for payload in message.get("payloads", ())]
    return [*names, *(["malformed"] if "malformed" in message else [])]


def _name(payload: View) -> str:
    name, kind = str(payload["payload"]["name"]), payload.get("type")
    return f"{name} {kind['name']}" if name == "N" and isinstance(kind, dict) else name


def brief(view: View) -> str:
    """One message in one line, however long."""
    where = f"{view['time']}  {view['source']} -> {view['destination']}  " if "time" in view else ""
    start = f"{view['number']}  {where}"
    match view["kind"]:
        case "keepalive":
            return f"{start}NAT keepalive"
        case "esp":
            return f"{start}ESP in UDP  {view['spi']}  sequence {view['sequence']}, {view['octets']} B"
    message = view["message"]
    header, payloads = message.get("header"), ", ".join(payload_names(message)) or "no payload"
    if header is None:
        return printable(f"{start}{payloads}  {message['octets']} B")
    name = EXCHANGE_NAMES.get(header["exchange"]["name"], header["exchange"]["name"])
    message_id = f"  ID {header['message_id']}" if int(header["message_id"], 16) else ""
    cookies = f"{header['initiator_cookie']}:{header['responder_cookie']}"
    return printable(f"{start}{name}  {cookies}{message_id}  {payloads}  {message['octets']} B")


def fits(view: View, peer: str | None = None, spi: str | None = None, exchange: str | None = None) -> bool:
    """Does a message fit every filter given? `spi`: hex of a cookie, of both, or of the ESP SPI, or the beginning."""
    header = view.get("message", {}).get("header")
    if peer is not None and peer not in (address_of(view.get("source", "")), address_of(view.get("destination", ""))):
        return False
    if exchange is not None and (header is None or header["exchange"]["name"] != exchange):
        return False
    return spi is None or any(name.startswith(spi.lower().removeprefix("0x")) for name in _spis(view, header))


def _spis(view: View, header: dict[str, Any] | None) -> tuple[str, ...]:
    if header is None:
        return (view["spi"],) if "spi" in view else ()
    initiator, responder = header["initiator_cookie"], header["responder_cookie"]
    return initiator, responder, f"{initiator}:{responder}"


def address_of(endpoint: str) -> str:
    """Of `192.0.2.1:500` and `[2001:db8::1]:500`."""
    return endpoint.rpartition(":")[0].strip("[]")
