"""The command line. Each command imports what it needs when it runs, so that `ikevd version` starts at once.

Exit codes: 0 done, 1 failed (the cause is the last line on standard error), 2 wrong usage, 130 interrupted. `run` ends
with 2 for a configuration that cannot be used, too: the systemd unit then starts it no more
(`RestartPreventExitStatus=2`).
"""

from __future__ import annotations

import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

from ikevd import __version__
from ikevd.cli.options import (
    a_name,
    an_spi,
    config_option,
    filter_options,
    json_lines_option,
    names,
    peer_option,
    socket_option,
    spi_option,
    timeout_option,
)
from ikevd.cli.paths import BLOCKS


class Commands(click.Group):
    """Knows which command was probably meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As `click.Group`, with a suggestion."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from ikevd.wording import closest

            meant = closest(args[0], self.list_commands(ctx))
            if meant is None or "Did you mean" in error.message:
                raise
            raise click.UsageError(f"{error.message} Did you mean {meant!r}?", ctx) from None


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted; `run` also: 2 unusable configuration.",
)
@click.version_option(__version__, prog_name="ikevd", message="%(prog)s %(version)s")
def main() -> None:
    """An IKEv1 daemon for Linux."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Unicode gets `?`, no traceback


@main.command()
@config_option
@filter_options
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Overrides log.level.")
@click.option("--log-format", type=click.Choice(["console", "json"]), help="Overrides log.format.")
@click.option(
    "--key-log",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Append the encryption key of each ISAKMP SA to this file, as Wireshark reads it. The file becomes its "
    "owner's alone; a link, and a file or folder of another user, are refused.",
)
@click.option(
    "--loop", type=click.Choice(["uvloop", "asyncio"]), default="uvloop", show_default=True, help="The event loop."
)
def run(**options: Any) -> None:
    """Run the daemon in the foreground.

    With --spi, --connection or --peer the log shows only those negotiations. Exit code 2: the configuration cannot be
    used, so starting again would not help.
    """
    from ikevd.cli.run import run_daemon

    raise SystemExit(run_daemon(**options))


@main.command()
@config_option
def check(config: Path) -> None:
    """Check the configuration file: every problem with its place and what would be right.

    Of a file that can be used it tells what deserves a second look, also against the addresses, networks and
    forwarding of this machine, and length and form of each key. Root checks the file of another user as that user's
    daemon would.

    Exit code 0 if it can be used, else 1.
    """
    from ikevd.cli.check import check_config

    raise SystemExit(check_config(config))


@main.command()
@click.argument("name", required=False, callback=a_name, shell_complete=names)
@peer_option
@click.option("--json", "as_json", is_flag=True, help="As JSON (docs/json.md).")
@click.option("--config", is_flag=True, help="Also the configured proposals, best first.")
@click.option("--wide", is_flag=True, help="One line for each child, however long; for `less -S`.")
@socket_option
def status(name: str | None, peer: str | None, as_json: bool, config: bool, wide: bool, socket: Path) -> None:
    """Show peers, children and SAs with what they carried.

    NAME is a connection, a child (of several networks: of all its pairs, or of one as lan[2]), or connection/child;
    without it all are shown. From 120 columns on children stand in a table where it fits. What is no terminal gets 80
    columns and no colours.

    Exit code without NAME: 0 if something is shown. With NAME, for monitoring: 0 only if all of it is up, 3 if not
    all of it is (also where it waits for its first packet). 1 if no daemon answers or nothing fits. Who may look and
    not act names the socket of control.read_only with --socket.
    """
    from ikevd.cli.show import show_status

    raise SystemExit(show_status(socket, name, peer, as_json, wide, config))


@main.command()
@click.argument("name", callback=a_name, shell_complete=names)
@timeout_option
@json_lines_option
@socket_option
def up(name: str, timeout: float, as_json: bool, socket: Path) -> None:
    """Bring up a child, or all children of a connection, and wait for it.

    NAME is a connection, a child (of several networks: all its pairs, or one as lan[2]), or connection/child. Ctrl-C
    ends the waiting (exit code 130), not the attempt, which `ikevd down` ends.
    """
    from ikevd.cli.act import bring_up

    raise SystemExit(bring_up(name, timeout, as_json, socket))


@main.command()
@click.argument("name", required=False, callback=a_name, shell_complete=names)
@click.option("--all", "every", is_flag=True, help="All connections.")
@click.option("--open", "in_clear", is_flag=True, help="From then on the traffic may leave in the clear.")
@timeout_option
@json_lines_option
@socket_option
def down(name: str | None, every: bool, in_clear: bool, timeout: float, as_json: bool, socket: Path) -> None:
    """Take down a child, or a connection with its ISAKMP SA, and wait for it.

    NAME is as that of `ikevd up`; or --all. `ikevd down --all --open` leaves the way free for another IKE daemon.
    """
    from ikevd.cli.act import take_down

    if every == (name is not None):
        raise click.UsageError("wanted either the NAME of a connection or child, or --all")
    raise SystemExit(take_down(name, timeout, as_json, socket, in_clear=in_clear))


@main.command()
@click.argument("name", callback=a_name, shell_complete=names)
@click.option("--ike", "phase1", is_flag=True, help="The ISAKMP SA, too, where NAME is a child.")
@timeout_option
@json_lines_option
@socket_option
def rekey(name: str, phase1: bool, timeout: float, as_json: bool, socket: Path) -> None:
    """Negotiate a child anew, or a connection with its ISAKMP SA, and wait for it. No packet is lost.

    NAME is as that of `ikevd up`. Of a connection another phase 1 begins while what stands serves; under it all its
    children that are up are negotiated anew, and what they have carries on until then. What is not up stays down.
    """
    from ikevd.cli.act import negotiate_anew

    raise SystemExit(negotiate_anew(name, timeout, as_json, socket, phase1=phase1))


@main.command()
@click.argument("name", metavar="CONNECTION", callback=a_name, shell_complete=names)
@timeout_option
@json_lines_option
@socket_option
def reset(name: str, timeout: float, as_json: bool, socket: Path) -> None:
    """End all with the peers of a connection at once, and begin anew what is wanted.

    The peers hear Delete. What was up by `ikevd up` or by start: always comes up again, and is waited for; its traffic
    is blocked meanwhile. What the peer brought up waits for the peer.
    """
    from ikevd.cli.act import reset as reset_connection

    raise SystemExit(reset_connection(name, timeout, as_json, socket))


@main.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would change.")
@click.option("--json", "as_json", is_flag=True, help="As JSON (docs/json.md).")
@socket_option
def reload(dry_run: bool, as_json: bool, socket: Path) -> None:
    """Have the running daemon read its configuration file again, with all secrets, and carry out what it changes.

    Tunnels of which the file says the same do not notice. Those that have changed are negotiated anew, those that are
    gone are deleted, new ones are brought up as at the start. A file that cannot be used changes nothing. SIGHUP does
    the same and tells it to the log.

    Exit code 0 if the file can be used, else 1 with all that is wrong with it.
    """
    from ikevd.cli.reload import reload_file

    raise SystemExit(reload_file(socket, dry_run=dry_run, as_json=as_json))


@main.command()
@click.argument("name", required=False, callback=a_name, shell_complete=names)
@spi_option
@peer_option
@click.option(
    "--last", metavar="N", type=click.IntRange(1, 2000), default=20, show_default=True, help="Only the newest so many."
)
@click.option("--decode", is_flag=True, help="Every field of every message, also of the encrypted ones.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with the octets of every message.")
@socket_option
def trace(name: str | None, as_json: bool, socket: Path, **wanted: Any) -> None:
    """Draw the ladder of each negotiation from its record.

    NAME is as that of `ikevd status`; without it all are drawn. Of negotiations that failed alike the
    last one is drawn, and the others are counted; so are copies of a message. Times are UTC, and milliseconds since the
    negotiation began.
    """
    from ikevd.cli.show import show_trace

    raise SystemExit(show_trace(socket, name, as_json, **wanted))


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@filter_options
@click.option("--last", type=click.IntRange(1, 2000), default=2000, help="Of the newest so many negotiations.")
@click.option(
    "--keys",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write to this file the keys with which Wireshark decrypts what was sent under the ISAKMP SAs that stand; "
    "the configuration must have control.export_keys.",
)
@socket_option
def capture(file: Path, keys: Path | None, socket: Path, **wanted: Any) -> None:
    """Write the messages on record to FILE as a capture (pcap), with their addresses, ports and times.

    tcpdump and Wireshark read it, and so does `ikevd decode`; - is standard output. A FILE that exists is overwritten.
    What was written is counted on standard error.
    """
    from ikevd.cli.capture import write_capture

    raise SystemExit(write_capture(socket, file, keys, **wanted))


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default=BLOCKS)
def blocks(file: Path) -> None:
    """Install the blocks that the last good start of ikevd wrote to FILE.

    For the unit ikevd-boot.service, which runs before the network is there: until ikevd runs, and while its
    configuration cannot be used, nothing that belongs into a tunnel leaves in the clear. FILE is by default
    /var/lib/ikevd/blocks.

    Exit code 1 if not all of it could be installed; the rest is installed all the same.
    """
    from ikevd.cli.blocks import install_blocks

    raise SystemExit(install_blocks(file))


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that lets a shell complete commands, options and names.

    \b
    bash: ikevd completion bash > /etc/bash_completion.d/ikevd
    zsh:  ikevd completion zsh > /usr/local/share/zsh/site-functions/_ikevd
    fish: ikevd completion fish > /etc/fish/completions/ikevd.fish

    Names come from the running daemon or, where none answers, from the configuration file.
    """
    from ikevd.cli.complete import script

    click.echo(script(main, shell))


@main.command()
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


@main.command()
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


@main.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    from ikevd.config.json_schema import text

    click.echo(text(), nl=False)


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--brief", "form", flag_value="brief", help="One line for each message.")
@click.option("--ladder", "form", flag_value="ladder", help="Of a capture: a ladder for each pair of cookies.")
@click.option("--json", "form", flag_value="json", help="As JSON.")
@peer_option
@click.option(
    "--spi", metavar="HEX", callback=an_spi, help="Only messages with this cookie, pair or ESP SPI (or its beginning)."
)
@click.option(
    "--exchange",
    type=click.Choice(["main", "aggressive", "quick", "informational", "transaction"], case_sensitive=False),
    help="Only messages of this exchange.",
)
def decode(file: Path, form: str | None, exchange: str | None, **wanted: str | None) -> None:
    """Show every field of the IKE messages in FILE; needs no daemon.

    FILE is a capture (pcap or pcapng, also with gzip), one datagram, or hex with blank lines between datagrams; - is
    standard input. At most 10,000 messages are shown, and 256 MiB are read, counted without gzip: of a gzip above 16
    MiB at most 50 times its size.

    Exit code 1: not all of it could be read, because the file is damaged or something else, a message is malformed or
    the capture holds it only in part; or nothing fits. Standard error says which; what could be read is shown all the
    same.
    """
    from ikevd.cli.decode import EXCHANGES, show_file

    raise SystemExit(show_file(file, form or "outline", exchange=EXCHANGES[exchange] if exchange else None, **wanted))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON (docs/json.md).")
def version(as_json: bool) -> None:
    """Print the version."""
    click.echo(f'{{"schema": 1, "version": "{__version__}"}}' if as_json else f"ikevd {__version__}")
