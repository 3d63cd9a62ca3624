"""Whether what the peer sends would be dropped by this machine before it is seen."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from ikevd.config.load import load
from ikevd.config.surroundings import FirstHop, InterfaceAddress, Surroundings
from tests.config.files import connection

FIRST, SECOND = (
    InterfaceAddress(f"wan{number}", ip_address(f"192.0.{number}.1"), ip_network(f"192.0.{number}.0/24"))
    for number in (1, 2)
)


def doubts(folder: Path, *, leaves: str | None, strict: tuple[str, ...], **keys: str) -> list[str]:
    """Of a connection whose `local` is an address of wan2."""
    path = folder / "ikevd.yaml"
    path.write_text(connection(**{"local": "192.0.2.1"} | keys))
    path.chmod(0o600)
    hop = FirstHop(leaves, None) if leaves else None
    machine = Surroundings((FIRST, SECOND), first_hop=lambda destination: hop, strict=frozenset(strict))
    return [warning for warning in load(path, {}, known=machine).warnings if "rp_filter" in warning]


def test_a_strict_interface_that_is_not_that_of_the_way_back_is_doubted(tmp_path: Path) -> None:
    (found,) = doubts(tmp_path, leaves="wan1", strict=("wan1", "wan2"))
    assert "berlin.local: 192.0.2.1 is an address of wan2, and the way to 198.51.100.1 begins at wan1: what" in found
    assert found.endswith("or run: sysctl -w net.ipv4.conf.wan2.rp_filter=2")


@pytest.mark.parametrize(
    ("leaves", "strict"),
    [("wan2", ("wan1", "wan2")), ("wan1", ("wan1",)), (None, ("wan2",)), ("wan1", ())],
    ids=["one way there and back", "another interface is strict", "no way is known", "loose"],
)
def test_nothing_is_said_where_nothing_is_dropped(tmp_path: Path, leaves: str | None, strict: tuple[str, ...]) -> None:
    assert doubts(tmp_path, leaves=leaves, strict=strict) == []


def test_nothing_is_said_of_a_peer_whose_place_is_not_known(tmp_path: Path) -> None:
    assert doubts(tmp_path, leaves="wan1", strict=("wan2",), remote="any") == []
    assert doubts(tmp_path, leaves="wan1", strict=("wan2",), remote="gw.example.net", remote_id="gw.example.net") == []
