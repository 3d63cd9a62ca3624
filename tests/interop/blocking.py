"""A router that drops ESP, pings that go on meanwhile, and what ikevd says of it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.node import Node
from tests.interop.topology import Topology

ESP = ("-p", "esp")
ESP_IN_UDP = ("-p", "udp", "-m", "udp", "--dport", "4500", "-m", "u32", "!", "--u32", "0>>22&0x3C@8=0")
"""On port 4500 what has no non-ESP marker: ESP in UDP, and not IKE."""
QUICK = ("dpd: {mode: idle, delay: 3s, timeout: 20s}",)
"""The peer is looked at each 3 s."""


@contextmanager
def dropped(router: Node, *rules: tuple[str, ...]) -> Iterator[None]:
    for rule in rules:
        router.run("iptables-legacy", "-I", "FORWARD", *rule, "-j", "DROP")
    try:
        yield
    finally:
        for rule in rules:
            router.run("iptables-legacy", "-D", "FORWARD", *rule, "-j", "DROP")


@contextmanager
def pinging(topology: Topology) -> Iterator[None]:
    """Five a second, from the host behind ikevd."""
    command = topology.host_b.command("ping", "-q", "-i", "0.2", topology.host_a.address)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as ping:
        try:
            yield
        finally:
            ping.kill()


def one_way(ikevd: Ikevd) -> dict[str, Any]:
    """What `status` says of it."""
    return dict(ikevd.status()["connections"][0]["one_way"] or {"state": None, "found": None})


def comes_of_it(ikevd: Ikevd, state: str) -> None:
    eventually(lambda: one_way(ikevd)["state"] == state, within=150)


def in_udp(node: Node) -> list[bool]:
    """Of each SA there."""
    return [state.encap is not None for state in node.xfrm_state()]
