"""The man page: made from the help of every command, and taken by mandoc and groff without a word."""

from __future__ import annotations

import shutil
import subprocess

import click
import pytest

from ikevd.cli.main import main
from tools import man_page


def options() -> list[tuple[str, str]]:
    params = [(name, option) for name, command in main.commands.items() for option in command.params]
    return [(name, flag) for name, option in params if isinstance(option, click.Option) for flag in option.opts]


def test_the_committed_page_is_that_of_the_program() -> None:
    assert man_page.PAGE.read_text() == man_page.page_text(), "run `make docs`"


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_has_its_section_with_its_options(name: str) -> None:
    _, _, rest = man_page.PAGE.read_text().partition(f"\n.Ss {name}")
    section = rest.partition("\n.S")[0].split()
    assert section
    for flag in [flag for command, flag in options() if command == name]:
        assert section[section.index(flag[1:]) - 1] == "Fl"


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_and_option_says_what_it_is_for(name: str) -> None:
    command = main.commands[name]
    assert command.help
    assert [p.opts for p in command.params if isinstance(p, click.Option) and not p.help] == []


def judged(*command: str) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} not found (package {command[0]})")
    ran = subprocess.run([*command, str(man_page.PAGE)], capture_output=True, text=True, timeout=30, check=False)
    lines = (ran.stdout + ran.stderr).splitlines()
    return "\n".join(line for line in lines if "mandoc.db" not in line)  # which other pages this machine has


def test_mandoc_finds_nothing_to_say() -> None:
    assert judged("mandoc", "-T", "lint", "-W", "style") == ""


def test_groff_finds_nothing_to_say() -> None:
    assert judged("groff", "-mdoc", "-ww", "-z") == ""
