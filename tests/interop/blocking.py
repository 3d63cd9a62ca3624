"""A router that drops what it should forward, and what ikevd says of ESP that does not come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.node import Node

ESP = ("-p", "esp")
ESP_IN_UDP = ("-p", "udp", "-m", "udp", "--dport", "4500", "-m", "u32", "!", "--u32", "0>>22&0x3C@8=0")
"""On port 4500 what has no non-ESP marker: ESP in UDP, and not IKE."""
QUICK = ("dpd: {mode: idle, delay: 3s, timeout: 20s}",)
"""The peer is looked at each 3 s."""


@contextmanager
def obeying(router: Node, *rules: tuple[str, ...]) -> Iterator[None]:
    """The router has more rules for what it forwards; the target is part of each."""
    for rule in rules:
        router.run("iptables-legacy", "-I", "FORWARD", *rule)
    try:
        yield
    finally:
        for rule in rules:
            router.run("iptables-legacy", "-D", "FORWARD", *rule)


def dropped(router: Node, *rules: tuple[str, ...]) -> AbstractContextManager[None]:
    """The router drops what these describe."""
    return obeying(router, *((*rule, "-j", "DROP") for rule in rules))


def one_way(ikevd: Ikevd) -> dict[str, Any]:
    """What `status` says of it."""
    return dict(ikevd.status()["connections"][0]["one_way"] or {"state": None, "found": None})


def comes_of_it(ikevd: Ikevd, state: str) -> None:
    eventually(lambda: one_way(ikevd)["state"] == state, within=150)


def in_udp(node: Node) -> list[bool]:
    """Of each SA there."""
    return [state.encap is not None for state in node.xfrm_state()]
