"""The configurations of both sides: a hub (the responder that is measured) and any number of spokes (our initiator).

Everything happens on the loopback interface: the hub is 127.0.0.1, spoke N is the Nth address of 127.64.0.0/10.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

HUB = IPv4Address("127.0.0.1")
SPOKES = IPv4Network("127.64.0.0/10")
INSIDE = IPv4Network("10.64.0.0/10")
PATIENT = 10
"""Seconds: nothing is lost here, and under callgrind or on a busy machine an answer may take some."""
SILENT = 3600
"""Seconds in which nobody asks whether its peer lives: under callgrind a run may take longer than the usual 30."""
KEY = "a long key for measurements and for nothing else"


@dataclass(frozen=True, slots=True)
class Suite:
    """One proposal of each phase, in our notation."""

    name: str
    ike: str
    esp: str


def suite(group: str, *, pfs: bool = False) -> Suite:
    """AES-128 and SHA-256 in both phases; the group again in phase 2 with PFS."""
    return Suite(
        f"{group}{' with PFS' if pfs else ''}", f"aes128-sha256-{group}", f"aes128-sha256{f'-{group}' if pfs else ''}"
    )


@dataclass(frozen=True, slots=True)
class Spoke:
    """One peer of the hub with its children."""

    number: int
    suite: Suite
    children: int = 1

    @property
    def name(self) -> str:
        """Of its connection, on both sides."""
        return f"spoke{self.number}"

    @property
    def address(self) -> IPv4Address:
        """Where it calls from."""
        return SPOKES[self.number + 1]

    def networks(self) -> Iterable[tuple[str, IPv4Network]]:
        """Each child with the network behind the spoke."""
        first = int(INSIDE.network_address) + (self.number << 8)
        for child in range(self.children):
            yield f"net{child}", IPv4Network((first + (child << 2), 30))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a side listens and keeps its files."""

    directory: Path
    address: IPv4Address
    port: int
    nat_port: int
    network: str
    """Behind the hub; two hubs on one kernel must not share it."""


def ikevd_yaml(spokes: Iterable[Spoke], place: Place, *, hub: bool) -> str:
    """The configuration file of one side."""
    lines = ["connections:"]
    for spoke in spokes:
        lines += _connection(spoke, place.network, hub=hub)
    lines += [
        f"listen: {{addresses: [{place.address}], port: {place.port}, nat_port: {place.nat_port}, holder: false}}",
        f"control: {{socket: {place.directory}/control.sock}}",
        f"runtime_directory: {place.directory}/run",
        "log: {level: error}",
    ]
    return "\n".join(lines) + "\n"


def _connection(spoke: Spoke, hub_network: str, *, hub: bool) -> Iterable[str]:
    here, there = (HUB, spoke.address) if hub else (spoke.address, HUB)
    yield f"  {spoke.name}:"
    yield f"    {{local: {here}, remote: {there}, psk: {KEY}, ike_proposals: [{spoke.suite.ike}],"
    yield f"     retransmit: {{interval: {PATIENT}}}, dpd: {{delay: {SILENT}}},"
    yield "     children: {"
    for name, network in spoke.networks():
        ours, theirs = (hub_network, network) if hub else (network, hub_network)
        yield (
            f"       {name}: {{local: {ours}, remote: {theirs}, esp_proposals: [{spoke.suite.esp}], start: manual}},"
        )
    yield "     }}"
