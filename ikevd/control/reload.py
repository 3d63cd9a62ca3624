"""What a file that is read again changes, as plain data."""

from __future__ import annotations

from collections.abc import Iterable

from ikevd.control import reload_shapes, shapes
from ikevd.policy.changes import ChangedChild, ChangedConnection, Changes, Reach

REACH: dict[Reach, reload_shapes.Reach] = {Reach.OURS: "ours", Reach.RENEWED: "renewed", Reach.REPLACED: "replaced"}


def reload_view(found: Changes, *, dry_run: bool, remarks: Iterable[str] = ()) -> reload_shapes.Reload:
    """Of a file that can be used."""
    return {
        "schema": shapes.SCHEMA,
        "ok": True,
        "dry_run": dry_run,
        "problems": [],
        "unchanged": found.unchanged,
        "changed": list(map(_connection, found.changed)),
        "removed": list(found.removed),
        "added": list(found.added),
        "settings": [{"key": one.key, "at_next_start": one.at_next_start} for one in found.settings],
        "remarks": list(remarks),
    }


def refused_view(problems: Iterable[str], *, dry_run: bool) -> reload_shapes.Reload:
    """Nothing has changed, for these reasons."""
    return {**reload_view(Changes(), dry_run=dry_run), "ok": False, "problems": list(problems)}


def _connection(changed: ChangedConnection) -> reload_shapes.ChangedConnection:
    return {
        "name": changed.name,
        "keys": list(changed.keys),
        "reach": REACH[changed.reach],
        "children": list(map(_child, changed.children)),
        "added": list(changed.added),
        "removed": list(changed.removed),
    }


def _child(changed: ChangedChild) -> reload_shapes.ChangedChild:
    return {"name": changed.name, "keys": list(changed.keys), "reach": REACH[changed.reach]}
