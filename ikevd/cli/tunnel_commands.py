"""The commands that ask the running daemon for its tunnels, and change them.

Each imports what it needs when it runs, as those of `main` do.
"""

from __future__ import annotations

from pathlib import Path

import click

from ikevd.cli.options import a_name, json_lines_option, names, peer_option, socket_option, timeout_option


@click.command()
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


@click.command()
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


@click.command()
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


@click.command()
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


@click.command()
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


@click.command()
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


ALL: tuple[click.Command, ...] = (status, up, down, rekey, reset, reload)
