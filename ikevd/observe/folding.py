"""What is equal stands once, with how often it happened. Works from the JSON view alone, as the ladder does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ikevd.frozen import frozen

View = Mapping[str, Any]

SAID = ("label", "wire", "octets", "answered", "reason", "notify", "text")
"""The fields that make two facts of one kind equal."""


@frozen
class Alike:
    """So many negotiations that failed alike; the first began at `since` (Unix seconds)."""

    count: int
    since: float
    at_least: bool = False
    """May there be more of them, before those that were asked for?"""


def folded(events: Iterable[View]) -> list[View]:
    """Equal facts at the place of the first: `times` tells how many there were, `until` when the last came."""
    found: dict[tuple[object, ...], dict[str, Any]] = {}
    for event in events:
        key = event["fact"], *(event.get(name) for name in SAID)
        if first := found.get(key):
            first["times"] = max(first.get("times", 1) + 1, event.get("copy", 1))
            first["until"] = event["at"]
        else:
            found[key] = dict(event)
    return list(found.values())


def folded_failures(records: Sequence[View], last: int | None = None) -> list[tuple[View, Alike]]:
    """The newest of each run of negotiations of one kind that failed for one reason; every other record by itself.
    `last`: no more records than so many were asked for."""
    runs: list[list[View]] = []
    newest: dict[tuple[object, ...], list[View]] = {}
    for record in records:
        owner = (*(record[name] for name in ("exchange", "initiator", "connection", "child")), _host(record["peer"]))
        run = newest.get(owner)
        if run is None or _failure(record) is None or _failure(record) != _failure(run[-1]):
            run = newest[owner] = []
            runs.append(run)
        run.append(record)
    runs.sort(key=lambda run: int(run[-1]["number"]))
    return [(run[-1], Alike(len(run), run[0]["started"], len(records) == last)) for run in runs]


def _failure(record: View) -> str | None:
    """Why it failed; None of one that stands, or is under way."""
    last = next((event for event in reversed(record["events"]) if event["fact"] in ("failed", "established")), None)
    return None if last is None or last["fact"] == "established" else str(last["reason"])


def _host(endpoint: str) -> str:
    return endpoint.rpartition(":")[0]
