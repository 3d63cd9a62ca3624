"""`ikevd capture`: the messages on record as a pcap file, and the keys to them where the configuration allows it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ikevd.control.client import Client, ControlError
from ikevd.dissect.capture import counted
from ikevd.dissect.frames import datagrams
from ikevd.dissect.pcap import frames
from ikevd.dissect.pcap_writer import file_header
from ikevd.files import open_private
from ikevd.text import printable


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
            _write(keys, "".join(f"{line}\n" for line in lines).encode(), _open_private)
        _write(file, octets, _open)
        messages, negotiations = counted(datagrams(frames(octets)))
        click.echo(f"{messages} messages of {negotiations} negotiations", err=True)
    except ControlError as error:
        click.echo(printable(str(error)), err=True)
        return 1
    except OSError as error:
        click.echo(printable(f"{error.filename}: {error.strerror}"), err=True)
        return 1
    except ValueError as error:
        click.echo(printable(f"{keys}: {error}"), err=True)
        return 1
    return 0


def _write(file: Path, octets: bytes, opened: Callable[[Path], int]) -> None:
    if str(file) == "-":
        sys.stdout.buffer.write(octets)
        sys.stdout.buffer.flush()
        return
    with os.fdopen(opened(file), "wb") as stream:
        stream.write(octets)


def _open(file: Path) -> int:
    return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)


def _open_private(file: Path) -> int:
    descriptor = open_private(file, 0)
    os.ftruncate(descriptor, 0)
    return descriptor
