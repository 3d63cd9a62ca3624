"""Where a pre-shared key comes from, and reading it from there.

No message, `repr` or warning of this module holds a key, a part of one, or its exact length; only `Found.form`,
which is for the operator's screen, tells the length.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from pathlib import Path

from ikevd import files, owners
from ikevd.config import secret_doubts
from ikevd.config.secret_form import Form, form
from ikevd.crypto.secret import Secret
from ikevd.frozen import frozen, replace
from ikevd.wording import closest, shown

MAX_SECRET = 4096
"""Octets of a secret file; HMAC hashes whatever is longer than its block anyway."""

KINDS = ("file", "env", "credential")
WANTED = "{file: NAME}, {env: NAME}, {credential: NAME} or the key itself"


@frozen
class Inline:
    """The key stands in the configuration itself."""

    text: Secret


@frozen
class FromFile:
    """`{file: berlin.psk}`: relative to the folder of the configuration file."""

    path: str


@frozen
class FromEnvironment:
    """`{env: NAME}`."""

    name: str


@frozen
class FromCredential:
    """`{credential: NAME}`: a credential of the systemd unit (`LoadCredential=`), guarded by systemd."""

    name: str


FIXED = (FromEnvironment, FromCredential)
"""What is the same for as long as a process runs."""
Source = Inline | FromFile | FromEnvironment | FromCredential


@frozen
class Found:
    """A key as it was read."""

    key: Secret
    origin: str
    """In words, for example `file /etc/ikevd/berlin.psk`."""
    form: Form
    """What it looks like."""
    doubt: str | None = None
    """Why it may be something else than the key that was meant; tells nothing of it."""


def parse(value: object) -> Source:
    """What stands at `psk:` in the file. ValueError says what would be right and shows nothing of what came."""
    match value:
        case None:
            raise ValueError(f"has no value; wanted {WANTED}")
        case bool():
            return Inline(Secret(str(value).lower().encode()))
        case int() | str():
            return Inline(Secret(_octets(str(value))))
        case dict():
            return _parse_mapping(value)
        case _:
            raise ValueError(f"is a list; wanted {WANTED}")


def _parse_mapping(value: Mapping[object, object]) -> Source:
    if len(value) != 1 or not value.keys() <= set(KINDS):
        # What came is not named: somebody may have written `psk: {the-key}`.
        meant = closest(str(next(iter(value), "")), KINDS, cutoff=0.7) if len(value) == 1 else None
        hint = f"did you mean {meant!r}?" if meant else f"wanted {WANTED}"
        raise ValueError(f"is a mapping with other keys than one of file, env or credential; {hint}")
    ((kind, raw),) = value.items()
    if raw is None or raw == "" or isinstance(raw, list | dict):
        raise ValueError(f"{kind}: has no name; wanted {WANTED}")
    name = str(raw)
    if kind == "file":
        if "\0" in name:
            raise ValueError("file: the name holds a NUL character")
        return FromFile(name)
    if kind == "env":
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError("env: wanted the name of an environment variable (letters, digits and _)")
        return FromEnvironment(name)
    if not re.fullmatch(r"[A-Za-z0-9_.@:-]+", name) or name in (".", ".."):
        raise ValueError("credential: wanted the name of a systemd credential, without a folder")
    return FromCredential(name)


def find(
    source: Source, folder: Path, environ: Mapping[str, str], exposed: str | None, account: owners.Account
) -> Found:
    """Read a key.

    `folder`: of the configuration file. `exposed`: why the configuration file cannot hold a key itself, or None.
    `account`: whom the daemon runs as.
    Raises ValueError, which says where it was looked for and what would be right.
    """
    match source:
        case Inline(text):
            if exposed:
                raise ValueError(f"stands in the file itself, but {exposed}; or keep the key in a file of its own")
            found = _found(text.reveal(), "inline")
            doubt = secret_doubts.of_inline(text.reveal().decode("utf-8", "replace"), folder)
            return replace(found, doubt=doubt or found.doubt)
        case FromFile(name):
            path = folder / name
            return _found(_read(path, account), f"file {path}")
        case FromEnvironment(name):
            if name not in environ:
                raise ValueError(f"the environment variable {name} is not set")
            return _found(_octets(environ[name]), f"environment variable {name}")
        case FromCredential(name):
            return _found(_read(credential_path(name, environ), None), f"credential {name}")


def credential_path(name: str, environ: Mapping[str, str]) -> Path:
    """Where systemd has put it. Raises ValueError where there are none."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        raise ValueError(
            f"there is no credential {name}, since CREDENTIALS_DIRECTORY is not set; "
            f"wanted LoadCredential={name}:... in the systemd unit"
        )
    return Path(directory) / name


def _read(path: Path, account: owners.Account | None) -> bytes:
    """`account`: None where systemd guards the file."""
    descriptor = files.open_regular(path)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if account and (unsafe := owners.intruder(path, account) or owners.exposure(path, status, account)):
            raise ValueError(unsafe)
        try:
            octets = file.read(MAX_SECRET + 1)
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror or 'unknown reason'}") from None
    if len(octets) > MAX_SECRET:
        raise ValueError(f"{path} is larger than {MAX_SECRET} octets, too large for a key")
    for ending in (b"\r\n", b"\n"):
        if octets.endswith(ending):
            return octets.removesuffix(ending)
    return octets


def _octets(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        pass  # its traceback would hold the text
    raise ValueError("holds a character that cannot be written in UTF-8")


def _found(octets: bytes, origin: str) -> Found:
    where = "" if origin == "inline" else f" ({shown(origin)[1:-1]})"
    if octets.startswith(b"0x"):
        key = _decoded(octets, where, "0x", "an even number of hexadecimal digits")
    elif octets.startswith(b"0s"):
        key = _decoded(octets, where, "0s", "base64")
    else:
        key = octets
    if not key:
        raise ValueError(f"the key{where} is empty")
    return Found(Secret(key), origin, form(key, text=key is octets), secret_doubts.of_text(octets))


def _decoded(octets: bytes, where: str, prefix: str, wanted: str) -> bytes:
    digits = octets[2:]
    try:
        return binascii.unhexlify(digits) if prefix == "0x" else base64.b64decode(digits, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise ValueError(f"the key{where} begins with {prefix}, but what follows is not {wanted}")
