"""`ikevd genpsk` and `ikevd fingerprint`."""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import click

from ikevd.config.secret_form import ALPHABET, form, random_bits
from ikevd.owners import Account, intruder


class Source(Protocol):
    """Where signs are drawn from, for example `secrets.SystemRandom`."""

    def choice(self, signs: Sequence[str], /) -> str:
        """One of `signs`, each as likely."""


def generate(bits: int, source: Source | None = None) -> str:
    """A key from the system's random numbers, worth at least `bits` bits; none that `ikevd check` would doubt."""
    source = source or secrets.SystemRandom()
    length = math.ceil(bits / math.log2(len(ALPHABET)))
    while True:
        key = "".join(source.choice(ALPHABET) for _ in range(length))
        if not form(key.encode(), text=True).doubted:
            return key


def generate_psk(bits: int, output: Path | None) -> int:
    """Print a key, or write it to a new file that only its owner reads."""
    key = generate(bits)
    if output is None:
        click.echo(key)
        return 0
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        click.echo(f"{output} exists; a key that is in use is not replaced", err=True)
        return 1
    except OSError as error:
        click.echo(f"{output} cannot be written: {error.strerror}", err=True)
        return 1
    with open(descriptor, "w") as file:
        os.fchmod(descriptor, 0o600)
        file.write(f"{key}\n")
    if stranger := intruder(output, Account.current()):
        click.echo(f"warning: {stranger}", err=True)
    click.echo(
        f"{output}: {len(key)} characters, about {random_bits(key)} bits; in the configuration: psk: {{file: {output}}}"
    )
    return 0


def show_fingerprints(config: Path, connection: str | None, salt: str | None) -> int:
    """One line for each connection, after the words to repeat at the other end."""
    from ikevd.config.load import load
    from ikevd.crypto.fingerprint import fingerprint, new_salt, read_salt
    from ikevd.errors import ConfigError

    try:
        words = new_salt() if salt is None else read_salt(salt)
        loaded = load(config, os.environ, Account.owner_of(config))
    except (ConfigError, ValueError) as error:
        click.echo(str(error), err=True)
        return 1
    connections = [c for c in loaded.config.connections if connection in (None, c.name)]
    if not connections:
        click.echo(_no_connection(connection, [c.name for c in loaded.config.connections]), err=True)
        return 1
    click.echo(f'salt "{words}" (at the other end: ikevd fingerprint --salt "{words}")')
    width = max(len(c.name) for c in connections)
    for each in connections:
        click.echo(f"{each.name:{width}}  {fingerprint(each.psk.key, [words])}")
    return 0


def _no_connection(wanted: str | None, names: Sequence[str]) -> str:
    from ikevd.wording import closest

    if wanted is None or not names:
        return "there are no connections"
    meant = closest(wanted, names)
    hint = f"did you mean {meant!r}?" if meant else f"there are: {', '.join(names)}"
    return f"there is no connection {wanted}; {hint}"
