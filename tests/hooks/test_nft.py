"""The MSS of TCP connections by the program nft: what it is given, and what is told when it fails."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from ikevd.errors import KernelRefused
from ikevd.hooks.nft import NftClamps, table_of, text_of
from ikevd.host.clamps import Clamp
from tests.hooks.calls import script

OURS, THEIRS, DMZ = (ip_network(f"10.{number}.0.0/24") for number in (1, 2, 3))
LAN = Clamp(1360, 4, "berlin", None, (OURS,), (THEIRS, DMZ))
LAN6 = Clamp(1340, 6, "berlin", None, (ip_network("fd00:1::/64"),), (ip_network("::/0"),))
ROUTED = Clamp(1300, 4, "paris", "paris0")
EMPTY = "add table inet ikevd\ndelete table inet ikevd\n"


class Events:
    """Of nftables."""

    def __init__(self) -> None:
        self.listeners = list[Callable[[], None]]()
        self.closed = False

    def __call__(self, changed: Callable[[], None]) -> Events:
        self.listeners.append(changed)
        return self

    def close(self) -> None:
        self.closed = True


def program(folder: Path, text: str) -> None:
    """It stands for nft."""
    script(folder, text).rename(folder / "nft")


def clamps(folder: Path, events: Events | None = None, **more: Any) -> NftClamps:
    return NftClamps("ikevd", events or Events(), str(folder), **more)


def test_both_directions_of_a_policy_based_tunnel_are_known_by_networks_and_ipsec() -> None:
    assert text_of("ikevd", [LAN, LAN6]) == EMPTY + (
        "table inet ikevd {\n"
        "\tchain forward {\n"
        "\t\ttype filter hook forward priority mangle; policy accept;\n"
        "\t\ttcp flags & (syn | rst) == syn jump mss\n"
        "\t}\n"
        "\tchain mss {\n"
        "\t\tip saddr { 10.1.0.0/24 } ip daddr { 10.2.0.0/24, 10.3.0.0/24 } rt ipsec exists "
        'tcp option maxseg size set 1360 comment "berlin"\n'
        "\t\tip saddr { 10.2.0.0/24, 10.3.0.0/24 } ip daddr { 10.1.0.0/24 } meta ipsec exists "
        'tcp option maxseg size set 1360 comment "berlin"\n'
        "\t\tip6 saddr { fd00:1::/64 } ip6 daddr { ::/0 } rt ipsec exists "
        'tcp option maxseg size set 1340 comment "berlin"\n'
        "\t\tip6 saddr { ::/0 } ip6 daddr { fd00:1::/64 } meta ipsec exists "
        'tcp option maxseg size set 1340 comment "berlin"\n'
        "\t}\n"
        "}\n"
    )


def test_and_of_a_route_based_one_by_its_interface() -> None:
    rules = [line.strip() for line in text_of("ikevd", [ROUTED]).splitlines() if "paris" in line]
    assert rules == [
        f'{way} "paris0" meta nfproto ipv4 tcp option maxseg size set 1300 comment "paris"'
        for way in ("oifname", "iifname")
    ]


def test_without_any_the_table_goes() -> None:
    assert text_of("ikevd", []) == EMPTY


@pytest.mark.parametrize(
    ("addresses", "name"),
    [((), "ikevd"), (("192.0.2.1", "192.0.2.2"), "ikevd-192.0.2.1"), (("2001:db8::1",), "ikevd-2001-db8--1")],
)
def test_an_ikevd_for_some_addresses_has_a_table_beside_that_of_another(addresses: tuple[str, ...], name: str) -> None:
    assert table_of([ip_address(address) for address in addresses]) == name


async def test_nft_is_given_the_table_on_its_standard_input(tmp_path: Path) -> None:
    program(tmp_path, f'echo "$@" > {tmp_path}/arguments; exec /bin/cat > {tmp_path}/given')
    with clamps(tmp_path) as ours:
        await ours.put([LAN])
    assert (tmp_path / "arguments").read_text() == "-f -\n"
    assert (tmp_path / "given").read_text() == text_of("ikevd", [LAN])


async def test_changes_are_watched_once_something_was_put(tmp_path: Path) -> None:
    program(tmp_path, "exit 0")
    events, told = Events(), list[int]()
    with clamps(tmp_path, events) as ours:
        ours.watch(lambda: told.append(1))
        assert events.listeners == []
        await ours.put([LAN])
        await ours.put([LAN])
        for changed in events.listeners:
            changed()
    assert told == [1]
    assert events.closed


@pytest.mark.parametrize(("code", "stands"), [(0, True), (1, False)])
async def test_whether_it_stands_is_asked_of_nft(tmp_path: Path, code: int, stands: bool) -> None:
    program(tmp_path, f'test "$*" = "list chain inet ikevd mss" && exit {code}')
    with clamps(tmp_path) as ours:
        assert await ours.stand() is stands


async def test_where_there_is_no_nft_the_package_is_named(tmp_path: Path) -> None:
    with clamps(tmp_path) as ours, pytest.raises(KernelRefused) as refused:
        await ours.put([LAN])
    assert str(refused.value) == (
        "cannot set the MSS of TCP connections (nftables, table ikevd): there is no program nft (package nftables); "
        "wanted it installed, or no `mss`"
    )


async def test_what_nft_says_is_told(tmp_path: Path) -> None:
    program(tmp_path, "echo 'Error: Could not process rule: Operation not supported' >&2; exit 1")
    with (
        clamps(tmp_path) as ours,
        pytest.raises(KernelRefused, match=r"nft ended with 1: Error: Could not .*nf_tables"),
    ):
        await ours.put([LAN])


async def test_an_nft_that_hangs_is_ended(tmp_path: Path) -> None:
    program(tmp_path, "exec /bin/sleep 60")
    with clamps(tmp_path, seconds=0.2) as ours, pytest.raises(KernelRefused, match=r"nft had not ended after 0\.2 s"):
        await ours.put([LAN])


async def test_where_nftables_are_not_in_use_nothing_is_removed(tmp_path: Path) -> None:
    """So that no module is loaded for it."""
    program(tmp_path, f": > {tmp_path}/ran")
    with clamps(tmp_path, in_use=str(tmp_path / "nf_tables")) as ours:
        await ours.put([])
        assert not (tmp_path / "ran").exists()
        (tmp_path / "nf_tables").touch()
        await ours.put([])
    assert (tmp_path / "ran").exists()
