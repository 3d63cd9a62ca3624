"""`ikevd decode`: every field of the messages in a capture file, in a datagram or in hex. Needs no daemon."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

import click

from ikevd.cli.forms import FORMS
from ikevd.dissect.bounded import MEBIBYTE, opened
from ikevd.dissect.brief import fits
from ikevd.dissect.capture import message_views, resembles_message, without_marker
from ikevd.dissect.decode import decoded
from ikevd.dissect.frames import Losses, datagrams
from ikevd.dissect.pcap import frames, is_capture
from ikevd.errors import Malformed
from ikevd.text import printable

View = dict[str, Any]

EXCHANGES = {
    "main": "MAIN_MODE",
    "aggressive": "AGGRESSIVE",
    "quick": "QUICK_MODE",
    "informational": "INFORMATIONAL",
    "transaction": "TRANSACTION",
}
"""As they are called on the command line."""
MAX_MESSAGES = 10_000
"""They take some seconds."""
MAX_TEXT = MEBIBYTE
"""Octets of hex."""
MAX_DATAGRAM = 65_535
NO_HEX = re.compile(rb"0[xX]|[\s:,]")
BLANK_LINE = re.compile(rb"\n\s*\n")


def show_file(file: Path, form: str, **wanted: str | None) -> int:
    """Show each message that fits as soon as it is read; `form` is one of `FORMS`, `wanted` the filters of `fits`.

    Exit code 1 where nothing can be read, or not all of it, or nothing fits: then the causes stand on standard error.
    """
    losses, causes, count = Losses(), list[str](), Counter[str]()
    printer = FORMS[form]()
    for view in _read(file, losses, causes):
        count["views"] += 1
        if fits(view, **wanted):
            _count(view, count)
            printer.show(view)
    causes += [*printer.end(), *_shortcomings(count, losses)]
    if not causes and not count["shown"]:
        causes = ["none of its messages fits" if count["views"] else "no IKE message is in it"]
    for cause in causes:
        click.echo(printable(f"{file}: {cause}"), err=True)
    return 1 if causes else 0


def _read(file: Path, losses: Losses, causes: list[str]) -> Iterator[View]:
    """The messages before a fault in the file, or before a bound, which is added to `causes`."""
    try:
        with opened(file) as stream:
            for number, view in enumerate(_messages(stream, losses)):
                if number == MAX_MESSAGES:
                    raise Malformed(f"more than {MAX_MESSAGES} messages; tcpdump can pick some (-c, host, net)")
                yield view
    except (OSError, Malformed) as error:
        causes.append(getattr(error, "strerror", None) or str(error))


def _count(view: View, count: Counter[str]) -> None:
    count["shown"] += 1
    if view["kind"] == "isakmp":
        count["messages"] += 1
        count["malformed"] += "malformed" in view["message"]
        count["cut"] += "cut" in view["message"]


def _shortcomings(count: Counter[str], losses: Losses) -> Iterator[str]:
    """What is not shown in full, and why."""
    if count["malformed"]:
        yield f"malformed messages: {count['malformed']} of {count['messages']}"
    if count["cut"]:
        cut = f"{count['cut']} of {count['messages']} (tcpdump -s 0 keeps all)"
        yield f"messages that the capture kept only in part: {cut}"
    if losses.cut:
        yield f"packets of which the capture kept no more than headers: {losses.cut} (tcpdump -s 0 keeps all)"
    if losses.fragments:
        yield f"UDP packets without all of their fragments: {losses.fragments}"


def _messages(stream: BufferedReader, losses: Losses) -> Iterator[View]:
    if is_capture(stream.peek(4)):
        yield from message_views(datagrams(frames(stream), losses))
        return
    data = stream.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        raise Malformed(f"no capture, and more than {MAX_TEXT / MEBIBYTE:g} MiB of anything else are not read")
    for number, octets in enumerate(_from_hex(data) or _datagram(data), start=1):
        message = without_marker(octets)
        yield {"number": number, "kind": "isakmp", "wire": message.hex(), "message": decoded(message)}


def _datagram(data: bytes) -> list[bytes]:
    """Nothing of nothing."""
    if data and (len(data) > MAX_DATAGRAM or not resembles_message(without_marker(data))):
        raise Malformed("no datagram, no capture, no hex")
    return [data] if data else []


def _from_hex(data: bytes) -> list[bytes]:
    """The datagrams in a text of hex digits, blank lines between them; nothing if it is no such text."""
    blocks = [NO_HEX.sub(b"", block) for block in BLANK_LINE.split(data)]
    try:
        return [bytes.fromhex(block.decode()) for block in blocks if block]
    except ValueError:
        return []
