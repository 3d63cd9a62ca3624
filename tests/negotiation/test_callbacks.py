"""Nobody calls upwards: three kinds of callback are left above `conversation/`, and no other may come."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import ikevd.negotiation

FOLDER = Path(ikevd.negotiation.__file__).parent
KINDS = {
    "on_due": "a timer",
    "on_echo": "a datagram",
    "_kernel_event": "an event of the kernel",
}
MODULES = sorted(FOLDER.glob("*.py"))


def callbacks(tree: ast.Module) -> set[str]:
    """Parameters that are told of something, by their name; and methods of ours that are handed to somebody else to be
    called later."""
    names = {
        arg.arg for node in ast.walk(tree) if isinstance(node, ast.arguments) for arg in node.args + node.kwonlyargs
    }
    told = {name for name in names if name.startswith("on_")}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    handed = {
        arg.attr
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr.startswith("on_")
        for arg in call.args
        if isinstance(arg, ast.Attribute)
    }
    return told | handed


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_is_told_only_of_a_datagram_a_timer_or_an_event_of_the_kernel(module: Path) -> None:
    assert callbacks(ast.parse(module.read_text())) <= KINDS.keys()


def test_each_kind_is_there() -> None:
    found = set().union(*(callbacks(ast.parse(module.read_text())) for module in MODULES))
    assert found == KINDS.keys()
