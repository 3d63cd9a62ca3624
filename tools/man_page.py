"""`man/ikevd.8` from the help of every command, `man/ikevd.yaml.5` from the schema; the rest of both from `man/*.in`.

Run: `python -m tools.man_page`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click

from ikevd.cli.main import main as ikevd
from ikevd.config import json_schema
from ikevd.config.json_schema import Json
from tools.config_docs import SECTIONS, default_of

MAN = Path(__file__).resolve().parent.parent / "man"
COMMANDS, KEYS = MAN / "ikevd.8", MAN / "ikevd.yaml.5"
COLUMNS = 78
END_OF_SENTENCE = re.compile(r"(?<=[a-z0-9)`\"][.?!]) (?=[A-Z`])")


def pages() -> dict[Path, str]:
    """Both pages, in mdoc."""
    commands = (line for name, command in every(ikevd) for line in _command(name, command))
    return {COMMANDS: _filled(COMMANDS, "@COMMANDS@", commands), KEYS: _filled(KEYS, "@KEYS@", _keys())}


def every(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """All commands with their names, in order; behind one that has commands of its own, these."""
    for name in sorted(group.commands):
        command = group.commands[name]
        yield before + name, command
        if isinstance(command, click.Group):
            yield from every(command, f"{before}{name} ")


def _filled(page: Path, place: str, lines: Iterator[str]) -> str:
    return page.with_name(f"{page.name}.in").read_text().replace(place, "\n".join(lines))


def _keys() -> Iterator[str]:
    """The keys of the configuration, by section."""
    schema = json_schema.schema()
    for title, name in SECTIONS.items():
        section: Json = schema if name == "FileSection" else schema["$defs"][name]
        yield f".Ss {title}"
        yield from _text(section["description"])
        yield ".Bl -tag -width Ds"
        for key, one in section["properties"].items():
            default = default_of(section, key, one).replace("`", "")
            meaning = one["description"][:1].upper() + one["description"][1:].rstrip(".") + "."
            yield f".It Ic {key}"
            yield from _text(meaning + (" Required." if default == "*required*" else ""))
            if default and default != "*required*":
                yield from _text(f"Default: {default}.")
        yield ".El"


def _command(name: str, command: click.Command) -> Iterator[str]:
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    yield f".Ss {name} {' '.join(map(_argument, arguments))}".rstrip()
    for number, paragraph in enumerate(cleandoc(command.help or "").split("\n\n")):
        yield from [".Pp"] if number else []
        yield from _paragraph(paragraph)
    if options:
        yield ".Bl -tag -width Ds"
        for option in options:
            yield f".It {' , '.join(_flag(flag, option) for flag in option.opts)}"
            yield from _text(_meaning(option))
        yield ".El"


def _argument(argument: click.Argument) -> str:
    return f"{'' if argument.required else 'Op '}Ar {_value(argument)}"


def _flag(flag: str, option: click.Option) -> str:
    """`--json` is `.Fl -json` in mdoc."""
    value = "" if option.is_flag or flag != option.opts[-1] else f" Ar {_value(option)}"
    return f"Fl {flag[1:]}{value}"


def _value(parameter: click.Parameter) -> str:
    if isinstance(parameter.type, click.Choice):
        return "|".join(map(str, parameter.type.choices))
    if isinstance(parameter.type, click.Path):
        return parameter.metavar or "FILE"
    return parameter.metavar or (parameter.name or "").upper().replace("_", "-")


def _meaning(option: click.Option) -> str:
    words = option.help or ""
    if option.show_default:
        words += f" Default: {option.default}."
    if option.envvar:
        words += f" Environment: {option.envvar}."
    return words.strip()


def _paragraph(paragraph: str) -> Iterator[str]:
    """Behind `\\b` lines stay as they are, as in click's own help."""
    if paragraph.startswith("\b"):
        yield from (".Bd -literal -compact", *map(_escaped, paragraph.splitlines()[1:]), ".Ed")
    else:
        yield from _text(" ".join(paragraph.split()))


def _text(text: str) -> Iterator[str]:
    """One sentence begins one line, as mdoc wants it."""
    for sentence in END_OF_SENTENCE.split(text):
        lines = textwrap.wrap(sentence, COLUMNS, break_long_words=False, break_on_hyphens=False)
        yield from map(_escaped, lines)


def _escaped(line: str) -> str:
    line = line.replace("\\", "\\e")
    return "\\&" + line if line.startswith((".", "'")) else line


def main() -> None:
    """Write both pages."""
    for page, text in pages().items():
        page.write_text(text)


if __name__ == "__main__":
    main()
