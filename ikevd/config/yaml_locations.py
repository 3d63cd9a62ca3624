"""YAML to plain data, with the line and column of every key and value.

A careful subset: mappings, lists and scalars. A plain `true` or `false` is a boolean, a plain decimal number is an
integer, and everything else is text: none of YAML 1.1's octal or base-60 numbers, dates, or `no` for false.
Anchors, aliases, merge keys, tags, duplicate keys and second documents are refused. No value of the file is ever
part of a message, since it may be a secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_DEPTH = 32

YamlPath = tuple[str | int, ...]
"""Keys and list indices from the top of the file: `("connections", "berlin", "ike_proposals", 1)`."""

_COMMENT = re.compile(r"[ \t]+#")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")

_PLAIN_WORDS = {
    "mapping values are not allowed in this context": (
        "a ':' is not allowed here: check the indentation of this line and the one before, or put the value in quotes"
    ),
    "found character that cannot start any token": (
        "no value can begin with this character: indent with spaces instead of tabs, and put text that begins with "
        "@, ` or % in quotes"
    ),
    "could not find expected ':'": "a ':' is missing after the key on this line or the one before",
    "did not find expected key": "wanted a key here: check the indentation and the quotes",
    "did not find expected '-' indicator": "wanted another '- ' item of the list here: check the indentation",
    "did not find expected ',' or ']'": "wanted ',' or ']' here, to go on with the list or to end it",
    "did not find expected ',' or '}'": "wanted ',' or '}' here, to go on with the mapping or to end it",
    "did not find expected node content": "wanted a value here",
    "found undefined tag handle": "tags are not supported: put text that begins with '!' in quotes",
}

_FLOWS = ("while parsing a flow sequence", "while parsing a flow mapping")


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in the file, counted from 1."""

    line: int
    column: int


TOP = Mark(1, 1)


class YamlError(ValueError):
    """The text is not YAML, or uses a part of it that cannot be read around."""

    def __init__(self, mark: Mark, message: str) -> None:
        super().__init__(message)
        self.mark = mark
        self.message = message


class _TooDeep(YamlError):
    """Lists and mappings are nested more than MAX_DEPTH deep."""

    def __init__(self, mark: Mark) -> None:
        super().__init__(mark, f"lists and mappings are nested more than {MAX_DEPTH} deep")


@dataclass(slots=True)
class Located:
    """What a YAML text holds, and where. `data` is None for a text without a document."""

    data: object = field(default=None, repr=False)
    keys: dict[YamlPath, Mark] = field(default_factory=dict)
    values: dict[YamlPath, Mark] = field(default_factory=dict)
    problems: list[tuple[YamlPath, Mark, str]] = field(default_factory=list)
    """What is refused but does not stop the reading."""
    unread: set[YamlPath] = field(default_factory=set)
    """Paths whose value stood for something else (alias, merge key): nothing can be said about what is there."""
    commented: set[YamlPath] = field(default_factory=set)
    """Paths whose value stands without quotes and ends at a comment: what follows ` #` is no part of it."""


def read(text: str) -> Located:
    """Read one document. Raises YamlError where reading cannot go on."""
    builder = _Builder(text)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        _refuse_nesting(text, error)
        raise _syntax_error(error) from None
    except yaml.reader.ReaderError as error:
        raise _reader_error(text, error) from None
    return builder.located


@dataclass(slots=True)
class _Frame:
    """One open mapping or list."""

    path: YamlPath
    target: dict[str, object] | list[object]
    recording: bool
    key: str | None = None
    """In a mapping: the key whose value comes next."""
    duplicate: bool = False


class _Builder:
    """Builds the data from parser events, without recursion, so that no text can exhaust the stack."""

    def __init__(self, text: str) -> None:
        self.located = Located()
        self._text = text
        self._frames: list[_Frame] = []
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise YamlError(
                        _mark(event.start_mark), "a second document begins here; one file holds one document"
                    )
            case yaml.AliasEvent():
                self._refuse_key_of(event, "an alias")
                path = self._path()
                self._problem(
                    path, event, "aliases are not supported: write the value out, or quote text that begins with '*'"
                )
                self.located.unread.add(path)
                self._place(event, None)
            case yaml.ScalarEvent():
                if self._awaits_key():
                    self._take_key(event)
                else:
                    if not self._check_node(event):
                        self.located.unread.add(self._path())
                    if event.implicit[0] and event.end_mark and _COMMENT.match(self._text, event.end_mark.index):
                        self.located.commented.add(self._path())
                    self._place(event, _scalar(event))
            case yaml.MappingStartEvent():
                self._open(event, {})
            case yaml.SequenceStartEvent():
                self._open(event, [])
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._frames.pop()
            case _:
                pass

    def _open(self, event: Any, target: dict[str, object] | list[object]) -> None:
        self._refuse_key_of(event, "a list or mapping")
        self._check_node(event)
        if len(self._frames) >= MAX_DEPTH:
            raise _TooDeep(_mark(event.start_mark))
        path = self._path()
        recording = self._place(event, target)
        self._frames.append(_Frame(path, target, recording))

    def _awaits_key(self) -> bool:
        return bool(self._frames) and isinstance(self._frames[-1].target, dict) and self._frames[-1].key is None

    def _refuse_key_of(self, event: Any, what: str) -> None:
        if self._awaits_key():
            raise YamlError(_mark(event.start_mark), f"{what} cannot be a key; a key is plain text")

    def _path(self) -> YamlPath:
        """Where the next value belongs."""
        if not self._frames:
            return ()
        frame = self._frames[-1]
        if isinstance(frame.target, list):
            return (*frame.path, len(frame.target))
        return (*frame.path, frame.key or "")

    def _take_key(self, event: yaml.ScalarEvent) -> None:
        frame = self._frames[-1]
        assert isinstance(frame.target, dict)
        frame.key = str(event.value)
        frame.duplicate = frame.key in frame.target
        path, mark = self._path(), _mark(event.start_mark)
        self._check_node(event)
        if frame.duplicate:
            first = self.located.keys.get(path)
            where = f"; it stands on line {first.line} already" if first and frame.recording else ""
            self._problem(path, event, f"is given twice{where}")
        elif frame.recording:
            self.located.keys[path] = mark
        if frame.key == "<<" and event.implicit[0]:
            self._problem(path, event, "merge keys are not supported: write the values out")
            self.located.unread.add(path)

    def _place(self, event: Any, value: object) -> bool:
        """Put a value where it belongs. False: it belongs to a duplicate key and nothing in it is recorded."""
        if not self._frames:
            self.located.data = value
            self.located.values[()] = _mark(event.start_mark)
            return True
        frame = self._frames[-1]
        path = self._path()
        recording = frame.recording and not frame.duplicate
        if recording:
            self.located.values[path] = _mark(event.start_mark)
        if isinstance(frame.target, list):
            frame.target.append(value)
        else:
            assert frame.key is not None
            if not frame.duplicate:
                frame.target[frame.key] = value
            frame.key, frame.duplicate = None, False
        return recording

    def _check_node(self, event: Any) -> bool:
        if event.tag is not None:
            self._problem(self._path(), event, "tags are not supported: put text that begins with '!' in quotes")
        if event.anchor is not None:
            self._problem(self._path(), event, "anchors are not supported: put text that begins with '&' in quotes")
        return event.tag is None and event.anchor is None

    def _problem(self, path: YamlPath, event: Any, message: str) -> None:
        self.located.problems.append((path, _mark(event.start_mark), message))


def _scalar(event: yaml.ScalarEvent) -> object:
    text = str(event.value)
    return plain_scalar(text) if event.implicit[0] else text  # else quoted, a block, or tagged


def plain_scalar(text: str) -> object:
    """What a text without quotes means."""
    if text == "":
        return None
    if text in ("true", "false"):
        return text == "true"
    return int(text) if _INTEGER.fullmatch(text) and text != "-0" else text


def _mark(mark: Any) -> Mark:
    return TOP if mark is None else Mark(mark.line + 1, mark.column + 1)


def _refuse_nesting(text: str, error: yaml.MarkedYAMLError) -> None:
    """Raise `_TooDeep` if the text before a parser's error is nested too deep: the parser looks ahead, and has a limit
    of its own since PyYAML 6.0.4, so the error may have come before the events that show the nesting."""
    before = text[: error.problem_mark.index] if error.problem_mark else text
    builder = _Builder(before)
    try:
        for event in yaml.parse(before, Loader=yaml.CSafeLoader):
            builder.take(event)
    except _TooDeep:
        raise
    except (YamlError, yaml.YAMLError):
        return


def _syntax_error(error: yaml.MarkedYAMLError) -> YamlError:
    """libyaml's own words are constants: they never quote the file."""
    problem = str(error.problem or error.context or "unreadable")
    if problem == "found unexpected end of stream":
        return YamlError(_mark(error.context_mark), "the quote that opens here is never closed")
    message = _PLAIN_WORDS.get(problem, f"this is not YAML: {problem}")
    begin, mark = _mark(error.context_mark), _mark(error.problem_mark)
    if error.context in _FLOWS and begin.line != mark.line:
        message += f" (it begins on line {begin.line}, column {begin.column})"
    return YamlError(mark, message)


def _reader_error(text: str, error: yaml.reader.ReaderError) -> YamlError:
    before = text.encode()[: error.position].decode(errors="ignore")  # libyaml counts octets
    mark = Mark(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
    character = f"U+{error.character:04X}" if isinstance(error.character, int) else "a character"
    return YamlError(mark, f"the character {character} is not allowed in YAML")
