"""`docs/json.schema.json` and `docs/json.md`, from `ikevd.control.shapes` and the modules that it names.

Run: `python -m tools.json_docs`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from ikevd.control import line_shapes, reload_shapes, shapes, status_shapes
from ikevd.finding_kinds import FINDINGS
from ikevd.observe.views import kind_of

DOCS = Path(__file__).resolve().parent.parent / "docs"
SCHEMA, PAGE = DOCS / "json.schema.json", DOCS / "json.md"
Answer = (
    status_shapes.Status
    | shapes.Trace
    | line_shapes.Line
    | shapes.Version
    | shapes.Names
    | shapes.Keys
    | reload_shapes.Reload
)
Schema = dict[str, Any]

INTRODUCTION = f"""\
# JSON of the commands and of the control API

Made from `ikevd/control/shapes.py` and the modules that it names by `make docs`; a test compares it, and holds
real output against it. As a JSON Schema: [{SCHEMA.name}]({SCHEMA.name}).

| command | prints | API (HTTP on the unix socket) |
|---|---|---|
| `ikevd status [NAME] [--peer ADDRESS] --json` | [Status](#status) | `GET /v1/status?name=…&peer=…` |
| `ikevd trace [NAME] [--spi HEX] [--peer ADDRESS] [--last N] [--decode] --json` | [Trace](#trace) | \
`GET /v1/trace?spi=…&connection=…&peer=…&last=…&decode=1` |
| `ikevd up NAME --json`, `ikevd down NAME --json` | lines: an [Owner](#owner) with the fields of a fact each, \
[End](#end) last | `POST /v1/up/NAME?timeout=…`, `POST /v1/down/NAME?timeout=…`; \
for all connections (`--all`) without `/NAME`, for `--open` with `open=1` |
| `ikevd rekey NAME --json`, `ikevd reset CONNECTION --json` | likewise | `POST /v1/rekey/NAME?timeout=…`, \
with `--ike` `ike=1`; `POST /v1/reset/CONNECTION?timeout=…` |
| `ikevd reload [--dry-run] --json` | [Reload](#reload) | `POST /v1/reload?dry_run=1` |
| `ikevd version --json` | [Version](#version) | `GET /v1/version` |
| | [Names](#names) | `GET /v1/names` |
| `ikevd capture FILE` | a pcap file | `GET /v1/capture?spi=…&connection=…&peer=…&last=…` |
| `ikevd capture FILE --keys FILE` | [Keys](#keys) | `GET /v1/keys?spi=…&connection=…&peer=…` |

Every answer has `schema`: {shapes.SCHEMA}. Under one number fields are only added, so a reader should ignore those
that it does not know; what is removed or changes its meaning raises the number. Times are seconds (of an event: Unix
time), volumes octets unless the name says otherwise, octets and SPIs hex without `0x`. A request that the API refuses
is answered with an HTTP status of 400 or above and `{{"error": "one sentence"}}`; commands say it on standard error and
exit with 1.
"""


def schema_of(kind: Any) -> Schema:
    """A JSON Schema with descriptions from the docstrings, without the titles that only repeat the names."""
    schema = TypeAdapter[Any](kind, config=ConfigDict(use_attribute_docstrings=True)).json_schema()
    plain: Schema = _without_titles(schema)
    return plain


def _without_titles(part: Any) -> Any:
    match part:
        case dict():
            return {k: _without_titles(v) for k, v in part.items() if k != "title" or not isinstance(v, str)}
        case list():
            return [_without_titles(item) for item in part]
        case _:
            return part


def schema_text() -> str:
    """The schema of every answer."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "JSON of ikevd"}
    return json.dumps({**head, **schema_of(Answer)}, indent=2) + "\n"


def page_text() -> str:
    """The page for people."""
    shown = {**schema_of(list[Answer])["$defs"], "Owner": schema_of(list[line_shapes.Owner])["$defs"]["Owner"]}
    order = ["Status", "Trace", "Owner", "End", "Version", "Names"]
    names = [name for name in shown if not name.startswith("Owned")]
    names = [*order, *(name for name in names if name not in order)]
    sections = (line for name in names for line in _section(name, shown[name]))
    return "\n".join([INTRODUCTION, *sections, *_findings()])


def _findings() -> Iterator[str]:
    """The kinds of `finding`."""
    yield from ("## Findings", "", "What `finding` holds: `kind`, and the fields of that kind.", "")
    yield from ("| kind | fields | meaning |", "|---|---|---|")
    for kind in FINDINGS.values():
        names = ", ".join(f"`{field.name}`" for field in fields(kind))
        yield f"| `{kind_of(kind)}` | {names} | {' '.join((kind.__doc__ or '').split())} |"
    yield ""


def _section(name: str, schema: Schema) -> Iterator[str]:
    yield from (f"## {name}", "", schema["description"], "", "| field | type | meaning |", "|---|---|---|")
    for field, part in schema["properties"].items():
        missing = "" if field in schema["required"] else ", may be missing"
        meaning = " ".join(part.get("description", "").split()).replace("|", "\\|")
        yield f"| `{field}` | {_type(part)}{missing} | {meaning} |"
    yield ""


def _type(part: Schema) -> str:
    match part:
        case {"const": value}:
            return f"`{json.dumps(value)}`"
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            return f"[{name}](#{name.lower()})"
        case {"anyOf": choices} | {"oneOf": choices}:
            return " or ".join(map(_type, choices))
        case {"type": "array", "items": items}:
            return f"list of {_type(items)}"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"object of {_type(values)}"
        case _:
            return str(part["type"])


def main() -> None:
    """Write both files."""
    SCHEMA.write_text(schema_text())
    PAGE.write_text(page_text())


if __name__ == "__main__":
    main()
