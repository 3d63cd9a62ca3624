"""The seam between exchange, core and session is typed: nothing passes it of which the type checker knows nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

IKEVD = Path(__file__).parent.parent.parent / "ikevd"
SEAM = [*sorted((IKEVD / "conversation").glob("*.py")), IKEVD / "exchanges" / "link.py"]


@pytest.mark.parametrize("path", SEAM, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_no_any_passes_the_seam(path: Path) -> None:
    named = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
    assert not named & {"Any", "cast"}
