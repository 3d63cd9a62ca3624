"""`ikevd capture`: the messages on record as a pcap file, and the keys to them where the configuration allows it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from ikevd.control.client import Client, ControlError
from ikevd.observe.capture import counted
from ikevd.observe.frames import datagrams
from ikevd.observe.pcap import frames
from ikevd.observe.pcap_writer import file_header
from ikevd.observe.text import printable


def write_capture(socket: Path, file: Path, keys: Path | None, *, last: int, **filters: Any) -> int:
    """Exit code 1 where nothing fits, nothing can be written, or keys are not given out; then no file is written."""
    try:
        client = Client(socket)
        lines = client.keys(**filters) if keys else []
        octets = client.capture(last=last, **filters)
        if octets == file_header():
            click.echo("no negotiation on record fits", err=True)
            return 1
        if keys:
            _write(keys, "".join(f"{line}\n" for line in lines).encode(), 0o600)
        _write(file, octets, 0o644)
        messages, negotiations = counted(datagrams(frames(octets)))
        click.echo(f"{messages} messages of {negotiations} negotiations", err=True)
    except ControlError as error:
        click.echo(printable(str(error)), err=True)
        return 1
    except OSError as error:
        click.echo(printable(f"{error.filename}: {error.strerror}"), err=True)
        return 1
    return 0


def _write(file: Path, octets: bytes, mode: int) -> None:
    if str(file) == "-":
        sys.stdout.buffer.write(octets)
        sys.stdout.buffer.flush()
        return
    number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    with os.fdopen(number, "wb") as stream:
        if mode == 0o600:
            os.fchmod(number, mode)
        stream.write(octets)
