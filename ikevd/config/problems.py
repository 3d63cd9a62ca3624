"""Collects what is wrong with a configuration file: each problem with file, line, column and path, all at once."""

from __future__ import annotations

import re

from ikevd.config.yaml_locations import TOP, Located, Mark, YamlPath
from ikevd.policy.connection import Location
from ikevd.wording import shown

_SECRET = ("psk", "secret", "password")
_NAMES_OF_THE_OPERATOR = ("connections", "children")


class Problems:
    """The errors and warnings of one file."""

    def __init__(self, file: str, located: Located) -> None:
        self.file = file
        self.located = located
        self._errors: list[tuple[Mark, str]] = []
        self._warnings: list[tuple[Mark, str]] = []

    def error(self, path: YamlPath, message: str, *, at_key: bool = False) -> None:
        """The file cannot be used. The message goes on from the path: `has no value; wanted ...`."""
        if not self._unread(path):
            self._errors.append(self._entry(path, self.mark(path, at_key=at_key), message))

    def error_at(self, path: YamlPath, mark: Mark, message: str) -> None:
        """As `error`, where the place is known."""
        self._errors.append(self._entry(path, mark, message))

    def warn(self, path: YamlPath, message: str) -> None:
        """The file can be used, but somebody should look at this."""
        self._warnings.append(self._entry(path, self.mark(path), message))

    @property
    def errors(self) -> tuple[str, ...]:
        """In the order of the file."""
        return tuple(dict.fromkeys(text for _, text in sorted(self._errors)))

    @property
    def warnings(self) -> tuple[str, ...]:
        """In the order of the file."""
        return tuple(dict.fromkeys(text for _, text in sorted(self._warnings)))

    def location(self, path: YamlPath, *, at_key: bool = False) -> Location:
        """Where the value (or the key) of a path stands."""
        mark = self.mark(path, at_key=at_key)
        return Location(self.file, mark.line, mark.column)

    def mark(self, path: YamlPath, *, at_key: bool = False) -> Mark:
        """Where the value (or the key) stands; for what is not in the file, where the mapping around it stands."""
        where = self.located.keys if at_key else self.located.values
        for end in range(len(path), -1, -1):
            if path[:end] in where:
                return where[path[:end]]
        return TOP

    def _unread(self, path: YamlPath) -> bool:
        unread = self.located.unread
        return bool(unread) and any(path[:end] in unread for end in range(len(path) + 1))

    def _entry(self, path: YamlPath, mark: Mark, message: str) -> tuple[Mark, str]:
        place = Location(self.file, mark.line, mark.column)
        text = self._path_text(path)
        return mark, f"{place}: {text}: {message}" if text else f"{place}: {message}"

    def _path_text(self, path: YamlPath) -> str:
        text = ""
        for index, part in enumerate(path):
            if isinstance(part, int):
                # One item may stand without brackets: then the file has no such index.
                text += f"[{part}]" if path[: index + 1] in self.located.values else ""
                continue
            name = part if re.fullmatch(r"[A-Za-z0-9_.-]{1,80}", part) else shown(part)
            text += f".{name}" if text else name
            named = index and path[index - 1] in _NAMES_OF_THE_OPERATOR
            if part.lower().startswith(_SECRET) and not named:
                break  # what follows may be the secret itself, in the wrong place
        return text
