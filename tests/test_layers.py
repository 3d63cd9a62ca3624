"""The import table of docs/architecture.md holds: a module imports from its own part and from rows above it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "docs" / "architecture.md"
ASYNCIO_STARTS = "negotiation"


def rows() -> list[list[str]]:
    """The table's first column, top to bottom; parts that stand in one row may not import one another."""
    lines = TABLE.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| part"))
    cells = [line.split("|")[1] for line in lines[start + 2 :] if line.startswith("|")]
    return [[name.strip().strip("`").rstrip("/") for name in cell.split(",")] for cell in cells]


def rank_of_part() -> dict[str, int]:
    return {part: rank for rank, row in enumerate(rows()) for part in row}


def part_of(module: str, ranks: dict[str, int]) -> str:
    """`ikevd.wire.registry` is a part of its own; else the part is the package or module below `ikevd`."""
    words = module.split(".")[1:]
    two = ".".join(words[:2])
    return two if two in ranks else words[0]


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules() -> list[Path]:
    return sorted(
        path for path in (ROOT / "ikevd").rglob("*.py") if path.parent != ROOT / "ikevd" or path.stem != "__init__"
    )


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_module_imports_only_from_its_own_part_and_rows_above(path: Path) -> None:
    ranks = rank_of_part()
    own = part_of(name_of(path), ranks)
    assert own in ranks, f"{own} stands in no row of {TABLE.name}"
    for imported in imports(ast.parse(path.read_text())):
        if not imported.startswith("ikevd.") or imported == "ikevd.__version__":
            continue
        other = part_of(imported, ranks)
        assert other == own or ranks[other] < ranks[own], f"{own} imports {imported}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_asyncio_and_sockets_stay_out_of_the_protocol(path: Path) -> None:
    ranks = rank_of_part()
    if ranks[part_of(name_of(path), ranks)] >= ranks[ASYNCIO_STARTS]:
        return
    forbidden = {"asyncio", "socket", "time", "random", "structlog", "uvloop", "aiohttp"}
    found = {name.split(".")[0] for name in imports(ast.parse(path.read_text()))} & forbidden
    if part_of(name_of(path), ranks) == "observe":
        found -= {"structlog", "time"}  # the log is their only user
    assert not found
