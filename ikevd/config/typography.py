"""Signs that word processors and web pages put in the place of plain ones: quotes, dashes, blanks."""

from __future__ import annotations

from ikevd.config.problems import Problems
from ikevd.config.yaml_locations import YamlPath, plain_scalar

QUOTES = frozenset("\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\u00ab\u00bb\u2039\u203a")
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
BLANKS = "\u00a0\u2007\u202f\ufeff"
_PLAIN = str.maketrans({**dict.fromkeys(DASHES, "-"), **dict.fromkeys(BLANKS, " ")})
_AS_THEY_ARE = ("local_id", "remote_id")
"""A distinguished name may hold such signs, but does not stand in such quotes."""


def plain(problems: Problems, data: object, path: YamlPath = ()) -> object:
    """The data with plain signs in the place of those, each of which is a problem; keys of peers stay as they are."""
    match data:
        case dict():
            return {key: value if key == "psk" else plain(problems, value, (*path, key)) for key, value in data.items()}
        case list():
            return [plain(problems, value, (*path, index)) for index, value in enumerate(data)]
        case str():
            return _plain(problems, data, path)
        case _:
            return data


def _plain(problems: Problems, text: str, path: YamlPath) -> object:
    if text[:1] in QUOTES or text[-1:] in QUOTES:
        problems.error(path, 'stands in quotation marks of a word processor; wanted plain ones (") or none')
        return plain_scalar(text.strip("".join(QUOTES)))
    replaced = text.translate(_PLAIN)
    if replaced == text or set(path) & set(_AS_THEY_ARE):
        return text
    sign = next(old for old, new in zip(text, replaced, strict=True) if old != new)
    wanted = "'-'" if sign in DASHES else "' '"
    problems.error(path, f"holds the character U+{ord(sign):04X}, which only looks like {wanted}; wanted {wanted}")
    return replaced
