"""The command line, called in this process; and what its tests share."""

from __future__ import annotations

from click.testing import CliRunner, Result

from ikevd.cli.main import main
from tests.plugins.secrets import MARK

SECONDS = 30
"""In which any command has ended."""
GOOD = f"""\
connections:
  berlin:
    remote: 198.51.100.1
    psk: a long and {MARK} indeed
    children:
      lan: {{local: 10.1.0.0/24, remote: 10.2.0.0/24}}
"""
"""A configuration that can be used."""
HEAVY = {"aiohttp", "pydantic", "cryptography", "structlog", "yaml", "uvloop", "rich", "asyncio"}
"""Modules that take long to import."""


def ikevd(*words: str) -> Result:
    return CliRunner().invoke(main, words)
