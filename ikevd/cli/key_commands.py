"""The commands for pre-shared keys; they need no daemon.

Each imports what it needs when it runs, as those of `main` do.
"""

from __future__ import annotations

from pathlib import Path

import click

from ikevd.cli.options import config_option, names


@click.command()
@click.option("--bits", type=click.IntRange(128, 512), default=256, show_default=True, help="How hard to guess.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it to this new file, mode 600, instead of printing it.",
)
def genpsk(bits: int, output: Path | None) -> None:
    """Make a good pre-shared key.

    Letters and digits that are not taken for one another, from the system's random numbers. Carry it to the other
    end by a way that nobody else reads, and compare there with `ikevd fingerprint`.
    """
    from ikevd.cli.secret import generate_psk

    raise SystemExit(generate_psk(bits, output))


@click.command()
@click.argument("connection", required=False, shell_complete=names)
@click.option("--salt", metavar="WORDS", help="The words that the other end printed.")
@config_option
def fingerprint(connection: str | None, salt: str | None, config: Path) -> None:
    """Show fingerprints of pre-shared keys, to compare by phone: is it the same key at both ends?

    The first end runs it alone and says the words of the salt; the other runs it with --salt and these words, the
    last of which tells if another was misheard. Equal keys give equal digits, and different ones do so once in 100
    million.

    Who listens can test guesses of the key against the digits, each for the price of one scrypt (128 MiB, some tenths
    of a second); of wrong guesses one in 100 million passes. A random key (`ikevd genpsk`) stays out of reach. A word
    or a name does not, no more than in IKE itself, where a guess costs far less (CVE-2018-5389).
    """
    from ikevd.cli.secret import show_fingerprints

    raise SystemExit(show_fingerprints(config, connection, salt))


ALL: tuple[click.Command, ...] = (genpsk, fingerprint)
