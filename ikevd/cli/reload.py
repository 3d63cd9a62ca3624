"""`ikevd reload`: what the file changes, one line for each thing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from ikevd.control.client import Client, ControlError, View
from ikevd.text import printable

NOTHING_CHANGED = "nothing has changed"
EFFECTS = {
    "ours": "holds from now on",
    "renewed": "negotiated anew; what stands carries the traffic until then",
    "replaced": "ends now and begins anew; its traffic is blocked meanwhile",
}


def reload_file(socket: Path, *, dry_run: bool, as_json: bool) -> int:
    """Exit code 0 if the file could be used, else 1 with all that is wrong on standard error."""
    try:
        answer = Client(socket).reload(dry_run=dry_run)
    except ControlError as error:
        click.echo(printable(str(error)), err=True)
        return 1
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    elif answer["ok"]:
        for line in _lines(answer):
            click.echo(printable(line))
    else:
        for problem in answer["problems"]:
            click.echo(printable(problem), err=True)
        click.echo(f"the file cannot be used: {NOTHING_CHANGED}", err=True)
    return 0 if answer["ok"] else 1


def _lines(answer: View) -> Iterator[str]:
    yield f"{_count(answer['unchanged'], 'connection')} unchanged"
    for connection in answer["changed"]:
        yield from _changed(connection)
    yield from (f"removed: {name}" for name in answer["removed"])
    yield from (f"added: {name}" for name in answer["added"])
    for setting in answer["settings"]:
        if not setting["at_next_start"]:
            yield f"changed: {setting['key']} ({EFFECTS['ours']})"
    yield from answer["remarks"]
    if answer["dry_run"]:
        yield f"only looked at: {NOTHING_CHANGED}"


def _changed(connection: View) -> Iterator[str]:
    name = connection["name"]
    if connection["keys"]:
        yield f"changed: {name}: {', '.join(connection['keys'])} ({EFFECTS[connection['reach']]})"
    for child in connection["children"]:
        yield f"changed: {name}/{child['name']}: {', '.join(child['keys'])} ({EFFECTS[child['reach']]})"
    yield from (f"removed: {name}/{child}" for child in connection["removed"])
    yield from (f"added: {name}/{child}" for child in connection["added"])


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
