"""How messages to the operator show what came and what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

MAX_SHOWN = 80
MAX_NAMES = 20

Names = Mapping[str, Mapping[str, Sequence[str]]]
"""Of connections, each with the entries of its children; each entry with the children that its networks make, where
they make several."""


def shown(value: object) -> str:
    """What came, on one line, without control characters, cut where it is long. Never call it on a secret."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return repr(value) if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]!r}..."
        case list() | tuple():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return shown(str(value)).strip("'")


def either(words: Iterable[object]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *most, last = [str(word) for word in words]
    return f"{', '.join(most)} or {last}" if most else last


def closest(word: str, known: Sequence[str], cutoff: float = 0.6) -> str | None:
    """The known word that was probably meant; `cutoff` as in `difflib`."""
    lower = word.lower()
    if lower in known:
        return lower
    return next(iter(get_close_matches(lower[:MAX_SHOWN], known, n=1, cutoff=cutoff)), None)


def suggestion(word: str, known: Sequence[str], others: Mapping[str, str] | None = None) -> str:
    """`did you mean 'x'?`, or else every word that would be right. `others`: what foreign words mean."""
    meant = (others or {}).get(word.lower()) or closest(word, known)
    return f"did you mean {meant!r}?" if meant else f"wanted {either(known)}"


def names_of_children(entries: Mapping[str, Sequence[str]]) -> list[str]:
    """Each entry, and behind it the children that its networks make."""
    return [name for entry, members in entries.items() for name in (entry, *members)]


def unknown_name(name: str, configured: Names) -> str:
    """For the name of a connection or child that is none of the `configured`."""
    known = {connection: names_of_children(its) for connection, its in configured.items()}
    children = [child for its in known.values() for child in its]
    paths = [f"{connection}/{child}" for connection, its in known.items() for child in its]
    meant = closest(name, [*configured, *children, *(paths if "/" in name else ())])
    if meant:
        return f"no connection or child is named {name}; did you mean {meant}?"
    told = [f"{connection} ({', '.join(its)})" if its else connection for connection, its in configured.items()]
    more = f" and {len(told) - MAX_NAMES} more connections" if len(told) > MAX_NAMES else ""
    return f"no connection or child is named {name}; configured: {', '.join(told[:MAX_NAMES]) or 'nothing'}{more}"
