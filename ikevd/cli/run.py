"""`ikevd run`."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ikevd.config.load import Loaded, load
from ikevd.daemon import Machine, Options, serve
from ikevd.errors import ConfigError, IkeError
from ikevd.frozen import replace
from ikevd.observe import log
from ikevd.observe.words import say_error
from ikevd.obstacles import enough_descriptors
from ikevd.policy.naming import children_named, configured_names, names_on_record
from ikevd.policy.settings import Config, LogFormat
from ikevd.wording import unknown_name

OK, FAILED, UNUSABLE = 0, 1, 2


def run_daemon(
    *,
    config: Path,
    log_level: str | None,
    log_format: str | None,
    key_log: Path | None,
    loop: str,
    machine: Machine | None = None,
    **only: Any,
) -> int:
    """Load the configuration and serve until SIGTERM. On SIGHUP it is read again.

    Exit code `UNUSABLE` is for what only the operator can mend, in the configuration; a service manager that meets
    `FAILED` may try again.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the event loop has a line for it
    try:
        loaded = load(config, os.environ)
    except ConfigError as error:
        click.echo(str(error), err=True)
        return UNUSABLE
    overridden = {"log_level": log_level, "log_format": LogFormat(log_format) if log_format else None}
    settings = _overridden(loaded, overridden).config
    if nobody := _unknown(only.get("connection"), settings):
        click.echo(f"--connection: {nobody}", err=True)
        return UNUSABLE
    log.configure(settings.log_format, settings.log_level)
    for warning in loaded.warnings:
        log.config_warning(warning)
    options = Options(
        key_log=key_log,
        only=_filter(settings, **only),
        read=lambda: _overridden(load(config, os.environ), overridden),
        told=loaded.warnings,
    )
    try:
        enough_descriptors()
        with asyncio.Runner(loop_factory=_factory(loop)) as runner:
            runner.run(serve(settings, options, os.environ, machine))
    except ConfigError as error:
        click.echo(str(error), err=True)
        return UNUSABLE
    except IkeError as error:
        click.echo(f"ikevd cannot run: {say_error(error)}", err=True)
        return FAILED
    return OK


def _overridden(loaded: Loaded, options: Mapping[str, object]) -> Loaded:
    """By the command line."""
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    return replace(loaded, config=replace(loaded.config, **given))


def _unknown(name: str | None, config: Config) -> str | None:
    """What to say of a name that no connection and no child has."""
    fits = name is None or children_named(name, config.connections)
    return None if fits or name is None else unknown_name(name, configured_names(config.connections))


def _filter(config: Config, *, connection: str | None = None, **only: Any) -> log.Filter:
    return log.Filter(names=None if connection is None else names_on_record(connection, config.connections), **only)


def _factory(loop: str) -> Any:
    if loop == "asyncio":
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop
