"""`ikevd decode`: every field of the messages in a capture file, in a datagram or in hex. Needs no daemon."""

from __future__ import annotations

import gzip
import io
import json
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click

from ikevd.errors import Malformed
from ikevd.observe.capture import message_views, resembles_message, text, without_marker
from ikevd.observe.decode import decoded
from ikevd.observe.frames import Losses, datagrams
from ikevd.observe.outline import outline
from ikevd.observe.pcap import frames, is_capture
from ikevd.observe.text import printable

View = dict[str, Any]

MEBIBYTE = 1 << 20
LIMIT = 256 * MEBIBYTE
"""Octets that are read, counted without gzip."""
MAX_DATAGRAM = 65_535
GZIP = b"\x1f\x8b"
NO_HEX = re.compile(rb"0[xX]|[\s:,]")
BLANK_LINE = re.compile(rb"\n\s*\n")


def show_file(file: Path, as_json: bool) -> int:
    """Exit code 1 where nothing can be read, or not all of it: then the causes stand on standard error."""
    views: list[View] = []
    losses = Losses()
    causes: list[str] = []
    try:
        for view in _messages(contents(file), losses):
            views.append(view)  # noqa: PERF402 - those before a fault in the file are shown
    except (OSError, Malformed) as error:
        causes.append(getattr(error, "strerror", None) or str(error))
    causes += _shortcomings(views, losses)
    if as_json:
        click.echo(json.dumps({"schema": 1, "messages": views}, indent=2))
    elif views:
        click.echo("\n\n".join(text(view) if "time" in view else outline(view["message"]) for view in views))
    if not causes and not views:
        causes = ["no IKE message is in it"]
    for cause in causes:
        click.echo(printable(f"{file}: {cause}"), err=True)
    return 1 if causes else 0


def _shortcomings(views: Sequence[View], losses: Losses) -> Iterator[str]:
    """What is not shown in full, and why."""
    messages = [view["message"] for view in views if view["kind"] == "isakmp"]
    if count := sum("malformed" in message for message in messages):
        yield f"malformed messages: {count} of {len(messages)}"
    if count := sum("cut" in message for message in messages):
        yield f"messages that the capture kept only in part: {count} of {len(messages)} (tcpdump -s 0 keeps all)"
    if losses.cut:
        yield f"packets of which the capture kept no more than headers: {losses.cut} (tcpdump -s 0 keeps all)"
    if losses.fragments:
        yield f"UDP packets without all of their fragments: {losses.fragments}"


def contents(file: Path, limit: int = LIMIT) -> bytes:
    """What the file or standard input holds, without gzip. Raises `OSError`, and `Malformed` beyond `limit` octets."""
    if str(file) == "-":
        data = _up_to(sys.stdin.buffer, limit)
    else:
        with file.open("rb") as stream:
            data = _up_to(stream, limit)
    return _unpacked(data, limit) if data.startswith(GZIP) else data


def _unpacked(data: bytes, limit: int) -> bytes:
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            return _up_to(stream, limit)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise Malformed(f"damaged gzip: {error}") from error


def _up_to(stream: BinaryIO | gzip.GzipFile, limit: int) -> bytes:
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise Malformed(f"more than {limit / MEBIBYTE:g} MiB; tcpdump -r can pick the packets of IKE from a capture")
    return data


def _messages(data: bytes, losses: Losses) -> Iterator[View]:
    if is_capture(data):
        yield from message_views(datagrams(frames(data), losses))
        return
    for number, octets in enumerate(_from_hex(data) or _datagram(data), start=1):
        yield {"number": number, "kind": "isakmp", "message": decoded(without_marker(octets))}


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
