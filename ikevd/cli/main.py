"""The command line. Each command imports what it needs when it runs, so that `ikevd version` starts at once.

Exit codes: 0 done, 1 failed (the cause is the last line on standard error), 2 wrong usage, 130 interrupted. `run` ends
with 2 for a configuration that cannot be used, too: the systemd unit then starts it no more
(`RestartPreventExitStatus=2`).
"""

from __future__ import annotations

import gc
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

from ikevd import __version__
from ikevd.cli import cert_commands, evidence_commands, key_commands, tunnel_commands
from ikevd.cli.options import config_option, filter_options
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
    gc.disable()  # nearly all that is loaded now stays; `serve` enables it once ikevd has started

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
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    from ikevd.config.json_schema import text

    click.echo(text(), nl=False)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON (docs/json.md).")
def version(as_json: bool) -> None:
    """Print the version."""
    click.echo(f'{{"schema": 1, "version": "{__version__}"}}' if as_json else f"ikevd {__version__}")


for command in (*tunnel_commands.ALL, *evidence_commands.ALL, *key_commands.ALL, *cert_commands.ALL):
    main.add_command(command)
