"""Peers on a topology. Both live as long as a test module; what a test did is undone after it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.machine import Machine
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

pytest.register_assert_rewrite("tests.interop.crossing", "tests.interop.rekeying", "tests.interop.trial")

HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.interop)


@pytest.fixture(autouse=True, scope="session")
def _inside(in_rig: None) -> None:
    """Every test here needs the rig."""


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    """The reference topology, IPv4 and IPv6, shared by the tests of a module."""
    with Topology(ipv6=True) as net:
        yield net


@pytest.fixture(scope="module")
def module_charon_a(topology: Topology) -> Iterator[StrongSwan]:
    with StrongSwan(topology.gw_a) as charon:
        yield charon


@pytest.fixture(scope="module")
def module_charon_b(topology: Topology) -> Iterator[StrongSwan]:
    with StrongSwan(topology.gw_b) as charon:
        yield charon


@pytest.fixture
def charon_a(module_charon_a: StrongSwan) -> Iterator[StrongSwan]:
    """strongSwan on gateway A, without any configuration or SA."""
    yield module_charon_a
    module_charon_a.reset()


@pytest.fixture
def charon_b(module_charon_b: StrongSwan) -> Iterator[StrongSwan]:
    """strongSwan on gateway B, without any configuration or SA."""
    yield module_charon_b
    module_charon_b.reset()


@pytest.fixture
def charon(site: Site) -> Iterator[StrongSwan]:
    """strongSwan on the far gateway of the module's `site`, which a test may kill."""
    with StrongSwan(site.there) as charon:
        yield charon


@pytest.fixture
def peer(charon: StrongSwan, site: Site) -> Iterator[StrongSwan]:
    """The same, with its half of the tunnel."""
    charon.configure(site.mirrored())
    yield charon
    charon.forget()


@pytest.fixture(scope="module")
def switched_on(topology: Topology) -> Iterator[Machine]:
    """Gateway A, with systemd."""
    with Machine(topology.gw_a) as machine:
        machine.switch_on()
        yield machine


@pytest.fixture
def machine(switched_on: Machine, charon_b: StrongSwan) -> Iterator[Machine]:
    """On, and without a running ikevd. strongSwan is there for longer: else ikevd would call while it forgets."""
    yield switched_on
    switched_on.forget_ikevd()
