"""Readers for vectors by others: NIST .fax and .rsp, RFC test cases, JSON. All values are hex."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ikevd.wire.registry import Hash

SHIPPED = Path(__file__).resolve().parent.parent / "vectors"

HASHES = {
    "MD5": Hash.MD5,
    "SHA1": Hash.SHA1,
    "SHA256": Hash.SHA2_256,
    "SHA384": Hash.SHA2_384,
    "SHA512": Hash.SHA2_512,
}


def named_hash(name: str) -> Hash:
    """The hash that a vector file calls `SHA-256` or `sha256`."""
    return HASHES[name.upper().replace("-", "")]


@dataclass(frozen=True)
class Vector:
    """One block of `NAME = value` lines, with the bracketed headers above it."""

    headers: tuple[str, ...]
    values: dict[str, str]

    def octets(self, name: str) -> bytes:
        """A value that is hex."""
        return bytes.fromhex(self.values[name])

    def __str__(self) -> str:
        return f"{' '.join(self.headers)} COUNT {self.values.get('COUNT', '?')}"


def read_blocks(path: Path) -> Iterator[Vector]:
    """The blocks of a file: blank lines part them, lines in brackets name their section."""
    headers: tuple[str, ...] = ()
    for block in re.split(r"\n\s*\n", path.read_text()):
        lines = [line.strip() for line in block.splitlines() if line.strip() and not line.startswith("#")]
        found = tuple(line for line in lines if line.startswith("["))
        headers = found or headers
        pairs = (line.split(" = ", 1) for line in lines if " = " in line and not line.startswith("["))
        values = dict(pairs)
        if values:
            yield Vector(headers, values)


def read_json(path: Path) -> list[dict[str, str]]:
    """A list of objects whose values are strings (a few hold lists that nobody here reads)."""
    vectors: list[dict[str, str]] = json.loads(path.read_text())
    return vectors
