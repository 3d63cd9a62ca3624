"""`ikevd cert`: what stands in a file, and certificates for a lab; no daemon is needed.

Each imports what it needs when it runs, as those of `main` do.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

DAYS_OF_CA, DAYS = 3650, 825


@click.group()
def cert() -> None:
    """Show certificates, keys and CRLs, and make them for a lab."""


@cert.command()
@click.argument("files", type=click.Path(path_type=Path, dir_okay=False), nargs=-1, required=True)
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Holds the passphrase of the key or the PKCS#12; else it is asked for on a terminal.",
)
def show(files: tuple[Path, ...], passphrase_file: Path | None) -> None:
    """Show what stands in FILES: certificates, CRLs and private keys, PEM, DER, PKCS#12 or PKCS#7.

    It warns of what ikevd or a peer would refuse. Of a key only the kind is shown, and whose it is.

    Exit code 1 if a file could not be read.
    """
    from ikevd.cli.cert_show import show_files

    raise SystemExit(show_files(files, passphrase_file))


def _making(days: int) -> Callable[[Command], Command]:
    """The options that all commands have which make a certificate."""

    def decorated(command: Command) -> Command:
        return _folder(_days(days)(_key(command)))

    return decorated


_folder = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("."),
    help="Where the files of the CA are, and the new ones go; the current one by default.",
)
_key = click.option(
    "--key",
    type=click.Choice(["rsa", "ecdsa"]),
    default="rsa",
    show_default=True,
    help="RSA of 3072 bits, which every peer of IKEv1 takes, or ECDSA with P-256.",
)


def _days(default: int) -> Callable[[Command], Command]:
    return click.option(
        "--days", type=click.IntRange(1, 36500), default=default, show_default=True, help="How long it is valid."
    )


@cert.command()
@click.argument("name", default="ikevd lab CA")
@_making(DAYS_OF_CA)
def ca(name: str, **how: Any) -> None:
    """Make a CA for a lab: ca.pem, which all ends trust, and ca.key.

    NAME is "ikevd lab CA" by default. Whoever reads ca.key can be everybody: it is not for tunnels that matter.
    """
    from ikevd.cli.cert_make import write_ca

    raise SystemExit(write_ca(name, **how))


@cert.command()
@click.argument("names", nargs=-1, required=True)
@_making(DAYS)
def gateway(names: tuple[str, ...], **how: Any) -> None:
    """Make certificate and key of a gateway, by the CA of `ikevd cert ca`.

    NAMES: its host name, and addresses or further names that it calls itself. The first one names the files:
    gw.example.net.pem and gw.example.net.key.
    """
    from ikevd.cli.cert_make import write_gateway

    raise SystemExit(write_gateway(names, **how))


@cert.command()
@click.argument("name")
@_making(DAYS)
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Holds the passphrase of the PKCS#12; else a new one is made and printed.",
)
@click.option(
    "--legacy", is_flag=True, help="A PKCS#12 for old clients (3DES, SHA-1): macOS, iOS, Windows before 2019."
)
def user(name: str, **how: Any) -> None:
    """Make certificate and key of a user, by the CA of `ikevd cert ca`.

    NAME: alice@example.net, for example. It gets alice@example.net.pem, alice@example.net.key, and for import on a
    phone or a laptop alice@example.net.p12, which holds both and the CA.
    """
    from ikevd.cli.cert_make import write_user

    raise SystemExit(write_user(name, **how))


ALL: tuple[click.Command, ...] = (cert,)
