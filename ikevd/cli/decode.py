"""`ikevd decode`: every field of the messages in a capture file, in a datagram or in hex. Needs no daemon."""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ikevd.errors import Malformed
from ikevd.observe.capture import message_views, text, without_marker
from ikevd.observe.decode import decoded
from ikevd.observe.frames import datagrams
from ikevd.observe.outline import outline
from ikevd.observe.pcap import frames, is_capture
from ikevd.observe.text import printable

View = dict[str, Any]

GZIP = b"\x1f\x8b"
NO_HEX = re.compile(rb"0[xX]|[\s:,]")
BLANK_LINE = re.compile(rb"\n\s*\n")


def show_file(file: Path, as_json: bool) -> int:
    """Exit code 1 where nothing can be read, or not all of it: then the cause stands on standard error."""
    views: list[View] = []
    cause = None
    try:
        for view in _messages(_read(file)):
            views.append(view)  # noqa: PERF402 - those before a fault in the file are shown
    except (OSError, EOFError, Malformed) as error:
        cause = f"{file}: {getattr(error, 'strerror', None) or error}"
    if as_json:
        click.echo(json.dumps({"schema": 1, "messages": views}, indent=2))
    elif views:
        click.echo("\n\n".join(text(view) if "time" in view else outline(view["message"]) for view in views))
    if cause is None and not views:
        cause = f"{file}: no IKE message is in it"
    if cause:
        click.echo(printable(cause), err=True)
    return 1 if cause else 0


def _read(file: Path) -> bytes:
    data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    return gzip.decompress(data) if data.startswith(GZIP) else data


def _messages(data: bytes) -> Iterator[View]:
    if is_capture(data):
        yield from message_views(datagrams(frames(data)))
        return
    for number, octets in enumerate(_from_hex(data) or [data] * bool(data), start=1):
        yield {"number": number, "kind": "isakmp", "message": decoded(without_marker(octets))}


def _from_hex(data: bytes) -> list[bytes]:
    """The datagrams in a text of hex digits, blank lines between them; nothing if it is no such text."""
    blocks = [NO_HEX.sub(b"", block) for block in BLANK_LINE.split(data)]
    try:
        return [bytes.fromhex(block.decode()) for block in blocks if block]
    except ValueError:
        return []
