"""How figures are printed: as ratios beside their aims; what misses its aim says so."""

from __future__ import annotations

from collections.abc import Sequence


def verdict(value: float, aim: float | None, unit: str = "") -> str:
    """`aim 1.2, met`; empty where there is no aim. An aim is an upper bound."""
    if aim is None:
        return ""
    return f"aim {' '.join(filter(None, (f'{aim:g}', unit)))}, {'met' if value <= aim else 'MISSED'}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(cells))
        for cells in (tuple(zip(row, widths, strict=True)) for row in (head, *rows))
    )
