"""The contract of `Links` on Linux, for interfaces that stand in another network namespace than their SAs."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from ikevd.errors import KernelRefused
from ikevd.host.links import FoundLinks, Link, Thing
from ikevd.kernel.links import LinuxLinks
from ikevd.kernel.network_namespaces import is_gone
from ikevd.policy.interface import InterfaceKind
from tests.kernel.contract_links import ADDRESSES, HERE, PEER, ROUTES, UNREACHABLE, link_of
from tests.kernel.namespaces import Namespace

pytestmark = pytest.mark.kernel


class Bench:
    """`home` has the SAs, `red` the interfaces."""

    def __init__(self, home: Namespace, red: str, kind: InterfaceKind) -> None:
        self.home, self.red, self.kind = home, red, kind
        self.links = LinuxLinks()
        with home.entered():
            self.links.open()

    def plant(self, link: Link) -> None:
        """Another program makes such an interface, and moves it."""
        how = f"vti local {HERE} remote {PEER} key" if self.kind is InterfaceKind.VTI else "xfrm if_id"
        self.home.ip(f"link add {link.name} type {how} {link.number}", f"link set {link.name} netns {self.red}")

    def take(self, name: str) -> None:
        """Another program removes it."""
        ip("-n", self.red, "link", "delete", name)

    def link(self, *, up: bool = True) -> Link:
        return replace(link_of(self, up=up), namespace=self.red)

    def there(self, thing: Thing) -> Thing:
        return replace(thing, namespace=self.red)

    async def read(self) -> FoundLinks:
        return await self.links.read("tun", self.red)

    def names_at_home(self) -> str:
        return self.home.run("ip", "-br", "link")


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture
def red() -> Iterator[str]:
    name = f"red{os.getpid()}"
    ip("netns", "add", name)
    ip("-n", name, "link", "set", "lo", "up")
    yield name
    with suppress(subprocess.CalledProcessError):
        ip("netns", "delete", name)


@pytest_asyncio.fixture(
    params=[InterfaceKind.VTI, pytest.param(InterfaceKind.XFRM, marks=pytest.mark.xfrm_interface)],
    ids=["vti", "xfrm"],
)
async def bench(namespace: Namespace, red: str, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    with (bench := Bench(namespace, red, request.param)).links:
        yield bench


async def test_an_interface_is_made_there_and_none_is_left_here(bench: Bench) -> None:
    for up in (True, False, True):
        await bench.links.put(bench.link(up=up))
        (found,) = (await bench.read()).links
        assert found.stands_as(bench.link(up=up))
    assert "tun" not in bench.names_at_home()
    assert "ikevd" not in bench.names_at_home()
    await bench.links.remove(bench.link())
    assert (await bench.read()).links == []


async def test_addresses_and_routes_are_set_there_and_go_with_it(bench: Bench) -> None:
    all_of_it: tuple[Thing, ...] = (*UNREACHABLE, *ADDRESSES, *ROUTES)
    things = [bench.there(thing) for thing in all_of_it]
    await bench.links.put(bench.link())
    for thing in things:
        await bench.links.put(thing)
    found = await bench.read()
    assert set(things) <= {*found.addresses, *found.routes}
    ours = await bench.links.read_ours([bench.red, "gone"])
    assert [link.namespace for link in ours.links] == [bench.red]
    assert set(ours.routes) == {bench.there(route) for route in (*UNREACHABLE, *ROUTES)}
    await bench.links.remove(bench.link())
    assert set((await bench.read()).routes) == {bench.there(route) for route in UNREACHABLE}


async def test_one_of_that_name_here_is_not_in_its_way(bench: Bench) -> None:
    bench.home.ip("link add tun type dummy")
    await bench.links.put(bench.link())
    assert (await bench.read()).links[0].stands_as(bench.link())
    assert "tun" in bench.names_at_home()


async def test_one_that_somebody_else_put_there_is_adopted(bench: Bench) -> None:
    bench.plant(bench.link())
    await bench.links.put(bench.link())
    await bench.links.remove(bench.link())
    (found,) = (await bench.read()).links
    assert (found.ours, found.up) == (False, True)


async def test_what_was_left_on_its_way_is_in_the_way_of_nothing(bench: Bench) -> None:
    await bench.links.put(replace(bench.link(up=False), name="ikevd-moves", namespace=""))
    await bench.links.put(bench.link())
    assert (await bench.read()).links[0].stands_as(bench.link())


async def test_with_its_namespace_all_of_it_is_gone_and_it_can_be_made_anew(bench: Bench) -> None:
    await bench.links.put(bench.link())
    ip("netns", "delete", bench.red)
    with pytest.raises(KernelRefused, match=f"there is no network namespace {bench.red} .*`ip netns add") as told:
        await bench.links.put(bench.link())
    assert is_gone(told.value)
    await bench.links.remove(bench.link())
    ip("netns", "add", bench.red)
    for attempt in range(50):  # the kernel removes what was in the former one in its own time
        with suppress(KernelRefused):
            await bench.links.put(bench.link())
            break
        assert attempt < 49
        await asyncio.sleep(0.1)
    assert (await bench.read()).links[0].stands_as(bench.link())


@pytest.fixture
def no_namespace() -> Iterator[str]:
    """A file, as a namespace leaves it that was deleted in another mount namespace."""
    path = Path(f"/run/netns/not{os.getpid()}")
    path.touch()
    yield path.name
    path.unlink()


async def test_a_file_in_its_place_is_no_namespace(bench: Bench, no_namespace: str) -> None:
    with pytest.raises(KernelRefused, match="there is no network namespace not"):
        await bench.links.read("tun", no_namespace)
