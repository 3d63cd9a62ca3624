"""`ikevd cert ca`, `gateway` and `user`: new files beside one another, those with a key for their owner alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from ikevd.cli.secret import generate
from ikevd.crypto.secret import Secret
from ikevd.files import open_regular
from ikevd.owners import Account, intruder
from ikevd.pki import authority, credential
from ikevd.pki.authority import Issued, KeyKind
from ikevd.pki.contents import Octets
from ikevd.pki.files import read
from ikevd.policy.identity import Identity

CA, CA_KEY = "ca.pem", "ca.key"
PUBLIC, PRIVATE = 0o644, 0o600
PASSPHRASE_BITS = 128
MAX_PASSPHRASE = 1024


def write_ca(name: str, folder: Path, days: int, key: str) -> int:
    """Exit code 0 or 1."""
    try:
        made = authority.make_ca(name, KeyKind(key), days, _now())
        written = _write(folder, {CA_KEY: authority.key_pem(made.key), CA: authority.pem(made.certificate)})
    except ValueError as error:
        return _failed(error)
    _tell(written, f"trust it on all ends; next: ikevd cert gateway gw.example.net{_where(folder)}")
    return 0


def write_gateway(names: Sequence[str], folder: Path, days: int, key: str) -> int:
    """Exit code 0 or 1."""
    try:
        identities = [Identity.parse(name) for name in names]
        issued = authority.make_gateway(_ca(folder), identities, KeyKind(key), days, _now())
        written = _write(folder, _files(names[0], issued))
    except ValueError as error:
        return _failed(error)
    _tell(written, f"the other ends need {folder / CA} alone; next: ikevd cert user alice@example.net{_where(folder)}")
    return 0


def write_user(name: str, folder: Path, days: int, key: str, passphrase_file: Path | None, legacy: bool) -> int:
    """Exit code 0 or 1."""
    try:
        ca = _ca(folder)
        passphrase = _passphrase(passphrase_file)
        issued = authority.make_user(ca, Identity.parse(name), KeyKind(key), days, _now())
        files = _files(name, issued)
        files[f"{_stem(name)}.p12"] = authority.bundle(issued, ca.certificate, name, passphrase, legacy=legacy)
        written = _write(folder, files)
    except ValueError as error:
        return _failed(error)
    shown = "" if passphrase_file else f"; its passphrase: {passphrase.reveal().decode()}"
    _tell(written, f"{folder / _stem(name)}.p12 is for the user{shown}")
    return 0


def _files(name: str, issued: Issued) -> dict[str, bytes]:
    """The key comes first: a certificate without its key is of no use."""
    stem = _stem(name)
    return {f"{stem}.key": authority.key_pem(issued.key), f"{stem}.pem": authority.pem(issued.certificate)}


def _stem(name: str) -> str:
    """A name as that of a file: no folder, and none that is hidden."""
    stem = "".join(char if char.isalnum() or char in "@.-_" else "_" for char in name).lstrip(".-")
    if not stem:
        raise ValueError(f"{name[:80]!r} gives no name of a file")
    return stem


def _ca(folder: Path) -> Issued:
    """What `ikevd cert ca` has left there."""
    if not (folder / CA).exists():
        raise ValueError(f"there is no {folder / CA}; make it first: ikevd cert ca{_where(folder)}")
    account = Account.current()
    found = credential.load(read(folder / CA, account, secret=False), read(folder / CA_KEY, account, secret=True), None)
    return Issued(found.certificate, found.key)


def _passphrase(path: Path | None) -> Secret:
    return read_passphrase(path) if path else Secret(generate(PASSPHRASE_BITS).encode())


def read_passphrase(path: Path) -> Secret:
    """Its first line. Raises ValueError."""
    with open(open_regular(path), "rb") as file:
        words = file.read(MAX_PASSPHRASE).partition(b"\n")[0].removesuffix(b"\r")
    if not words:
        raise ValueError(f"{path} holds no passphrase")
    return Secret(words)


def read_any(path: Path) -> Octets:
    """Of any owner: it is looked at only. Raises ValueError."""
    from ikevd.pki.files import MAX_FILE

    with open(open_regular(path), "rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise ValueError(f"{path} is larger than {MAX_FILE} octets")
    return Octets(data, str(path))


def _write(folder: Path, files: dict[str, bytes]) -> list[Path]:
    """All of them or none, and none in the place of another one. Raises ValueError."""
    written = list[Path]()
    try:
        for name, data in files.items():
            path = folder / name
            mode = PUBLIC if name.endswith(".pem") else PRIVATE
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
            written.append(path)
            with open(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                file.write(data)
    except OSError as error:
        for one in written:
            one.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise ValueError(f"{path} exists; what is in use is not replaced") from None
        raise ValueError(f"{path} cannot be written: {error.strerror}") from None
    return written


def _tell(written: list[Path], more: str) -> None:
    for path in sorted(written):
        click.echo(path)
    if stranger := intruder(written[0], Account.current()):
        click.echo(f"warning: {stranger}", err=True)
    click.echo(more)


def _where(folder: Path) -> str:
    return "" if folder == Path(".") else f" --folder {folder}"


def _failed(error: ValueError) -> int:
    click.echo(str(error), err=True)
    return 1


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
