"""A process under valgrind's callgrind, which counts the instructions of user space while it is told to."""

from __future__ import annotations

import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.processes import Responder

NEEDED = ("valgrind", "vgdb")
HOW_TO_GET = "valgrind is not installed. On Debian: apt-get install --no-install-recommends valgrind"


def has_callgrind() -> bool:
    """Is valgrind installed?"""
    return all(map(shutil.which, NEEDED))


class Counted(Responder):
    """Another responder, under callgrind. Slow: some 50 million instructions a second while they are counted."""

    name = "counted"

    def __init__(self, inner: Responder) -> None:
        super().__init__(inner.place)
        self._inner = inner
        self._dumps = inner.place.directory / "callgrind"

    def command(self) -> list[str]:
        """The other's, under callgrind, not counting yet."""
        options = ("--instr-atstart=no", "--dump-line=no", f"--callgrind-out-file={self._dumps}")
        return ["valgrind", "-q", "--tool=callgrind", *options, *self._inner.command()]

    def is_ready(self) -> bool:
        """As the other says."""
        return self._inner.is_ready()

    def environment(self) -> dict[str, str]:
        """The other's; dictionaries have the same order in each run."""
        return self._inner.environment() | {"PYTHONHASHSEED": "0"}

    def begin(self) -> None:
        """Count from here on, from zero."""
        self._tell("instrumentation", "on")
        self._tell("zero")

    def end(self) -> Mapping[str, int]:
        """Stop counting: the instructions since `begin`, by the object file that ran them."""
        self.quiet_cpu()
        self._tell("dump")
        self._tell("instrumentation", "off")
        dump = max(self._dumps.parent.glob(f"{self._dumps.name}.*"), key=lambda file: int(file.suffix[1:]))
        return by_object(dump.read_text().splitlines())

    def _tell(self, *words: str) -> None:
        subprocess.run(["vgdb", f"--pid={self.pid}", *words], check=True, capture_output=True)


def by_object(dump: Iterable[str]) -> dict[str, int]:
    """Self cost by object file, of the lines of a callgrind dump (valgrind's manual, callgrind format specification).

    `ob=(1) /usr/bin/python3` names an object once, `ob=(1)` later on. A line of cost is a position and a number; the
    one after `calls=` is the callee's and is counted there.
    """
    names, found = dict[str, str](), defaultdict[str, int](int)
    current, of_callee = "", False
    for line in dump:
        if line.startswith(("ob=", "cob=")):
            key, _, value = line.partition("=")
            number, _, path = value.partition(" ")
            name = names.setdefault(number, Path(path).name)
            current = name if key == "ob" else current
        elif line.startswith("calls="):
            of_callee = True
        elif line[:1] in set("0123456789+-*"):
            if not of_callee:
                found[current] += int(line.split()[1])
            of_callee = False
    return dict(found)
