"""Reading certificates and keys from files. Whoever could change a CA's file could let in whom they like."""

from __future__ import annotations

import os
from pathlib import Path

from ikevd import files, owners
from ikevd.pki.contents import Octets

MAX_FILE = 8 * 1024 * 1024
"""Octets: CRLs of large CAs."""


def read(path: Path, account: owners.Account, *, secret: bool) -> Octets:
    """`secret`: nobody but root and `account` may read it, either, as with pre-shared keys.

    Raises ValueError, which says what would be right.
    """
    return _read(path, f"file {path}", account, secret)


def read_credential(path: Path, name: str) -> Octets:
    """A credential of the systemd unit, which systemd guards."""
    return _read(path, f"credential {name}", None, secret=False)


def _read(path: Path, origin: str, account: owners.Account | None, secret: bool) -> Octets:
    descriptor = files.open_regular(path)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        unsafe = account and owners.intruder(path, account)
        if account and secret:
            unsafe = unsafe or owners.exposure(path, status, account)
        if unsafe:
            raise ValueError(unsafe)
        try:
            data = file.read(MAX_FILE + 1)
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror or 'unknown reason'}") from None
    if len(data) > MAX_FILE:
        raise ValueError(f"{path} is larger than {MAX_FILE} octets")
    return Octets(data, origin)
