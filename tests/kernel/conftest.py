"""Network namespaces, and asserts of the contract suite that show their values."""

import os
from collections.abc import Iterator

import pytest

from tests.kernel.namespaces import Namespace, new_namespace

pytest.register_assert_rewrite("tests.kernel.contract", "tests.kernel.contract_links", "tests.kernel.contract_routes")

GUEST_ONLY = ("lacks", "missing_modules", "test_clock")
"""Tests that need a kernel without some module, or set the clock: a real machine is left alone."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Drop them where the rig found that the machine's own kernel serves."""
    if os.environ.get("RIG_KERNEL") not in ("uml", "qemu"):
        items[:] = [item for item in items if not any(word in item.nodeid for word in GUEST_ONLY)]


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """An empty network namespace."""
    namespace = new_namespace()
    yield namespace
    namespace.close()


@pytest.fixture
def pair() -> Iterator[tuple[Namespace, Namespace]]:
    """Two gateways on one wire, 192.0.2.1 and .2, 2001:db8::1 and ::2; behind them 10.1.0.1 and 10.2.0.1."""
    left, right = new_namespace(), new_namespace()
    left.run("ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", right.path)
    for namespace, me, other in ((left, 1, 2), (right, 2, 1)):
        for command in (
            f"addr add 192.0.2.{me}/24 dev wire",
            f"addr add 2001:db8::{me}/64 dev wire nodad",
            f"addr add 10.{me}.0.1/32 dev lo",
            "link set dev wire up",
            f"route add 10.{other}.0.0/24 via 192.0.2.{other} src 10.{me}.0.1",
        ):
            namespace.run("ip", *command.split())
    yield left, right
    left.close()
    right.close()
