"""The man pages: made from commands and schema, and taken by mandoc and groff without a word."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import click
import pytest

from ikevd.cli.main import main
from ikevd.config import json_schema
from tools import man_page

OTHER_PAGES = ("mandoc.db", "referenced manual not found")
"""What mandoc says of pages that this machine lacks."""
PAGES = (man_page.COMMANDS, man_page.KEYS)


def options() -> list[tuple[str, str]]:
    params = [(name, option) for name, command in man_page.every(main) for option in command.params]
    return [(name, flag) for name, option in params if isinstance(option, click.Option) for flag in option.opts]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_committed_page_is_that_of_the_program(page: Path) -> None:
    assert page.read_text() == man_page.pages()[page], "run `make docs`"


@pytest.mark.parametrize("name", [name for name, _ in man_page.every(main)])
def test_every_command_has_its_section_with_its_options(name: str) -> None:
    _, _, rest = man_page.COMMANDS.read_text().partition(f"\n.Ss {name}")
    section = rest.partition("\n.S")[0].split()
    assert section
    for flag in [flag for command, flag in options() if command == name]:
        assert section[section.index(flag[1:]) - 1] == "Fl"


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_and_option_says_what_it_is_for(name: str) -> None:
    command = main.commands[name]
    assert command.help
    assert [p.opts for p in command.params if isinstance(p, click.Option) and not p.help] == []


def test_every_key_of_the_configuration_is_named() -> None:
    text = man_page.KEYS.read_text()
    schema = json_schema.schema()
    for section in (schema, *schema["$defs"].values()):
        assert not [key for key in section["properties"] if f".It Ic {key}\n" not in text]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.parametrize(
    "command", [("mandoc", "-T", "lint", "-W", "style"), ("groff", "-mdoc", "-ww", "-z")], ids=lambda words: words[0]
)
def test_mandoc_and_groff_find_nothing_to_say(command: tuple[str, ...], page: Path) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} not found (package {command[0]})")
    ran = subprocess.run([*command, str(page)], capture_output=True, text=True, timeout=30, check=False)
    lines = (ran.stdout + ran.stderr).splitlines()
    assert [line for line in lines if not any(words in line for words in OTHER_PAGES)] == []
