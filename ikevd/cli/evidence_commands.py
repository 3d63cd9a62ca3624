"""The commands that show what was negotiated, message by message.

Each imports what it needs when it runs, as those of `main` do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ikevd.cli.options import a_name, an_spi, filter_options, names, peer_option, socket_option, spi_option


@click.command()
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


@click.command()
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


@click.command()
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


ALL: tuple[click.Command, ...] = (trace, capture, decode)
