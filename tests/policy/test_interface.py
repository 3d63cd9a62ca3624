"""Numbers of interfaces, and of what kind one becomes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.policy.changes import Reach, changes
from ikevd.policy.digest import digest
from ikevd.policy.interface import NUMBERS_FIRST, NUMBERS_LAST, Interface, InterfaceKind, bearing, distinct_numbers
from ikevd.policy.marks import Mark
from ikevd.policy.route_based import leaves_open, resolved
from ikevd.policy.settings import Config
from tests.builders import child, connection

OPEN = Interface("tun0", 42)
VIEW = connection(interface=OPEN, children=(child(if_id=42, routed=True), child(name="lan2")))


def test_numbers_depend_on_the_name_and_differ() -> None:
    names = [f"site{number}" for number in range(3000)]
    found = distinct_numbers(names, ())
    assert len(set(found.values())) == 3000
    assert all(NUMBERS_FIRST <= number <= NUMBERS_LAST for number in found.values())
    assert distinct_numbers(["site7"], ()) == {"site7": found["site7"]}


def test_a_number_that_is_taken_is_not_given() -> None:
    (wish,) = distinct_numbers(["berlin"], ()).values()
    assert distinct_numbers(["berlin"], [wish]) == {"berlin": wish + 1}


@pytest.mark.parametrize(
    ("has", "kind"),
    [
        (list(InterfaceKind), InterfaceKind.XFRM),
        ([InterfaceKind.VTI], InterfaceKind.VTI),
        ([], InterfaceKind.XFRM),
    ],
    ids=["both", "VTI alone", "neither"],
)
def test_what_the_file_leaves_open_is_the_first_that_the_kernel_has(
    has: list[InterfaceKind], kind: InterfaceKind
) -> None:
    assert leaves_open(Config((VIEW,)))
    config = resolved(Config((VIEW,)), has)
    (found,) = config.connections
    assert found.interface == replace(OPEN, kind=kind)
    assert not leaves_open(config)
    routed, other = found.children
    assert (routed.if_id, routed.mark_in) == bearing(replace(OPEN, kind=kind))
    assert (other.if_id, other.mark_in) == (0, None)


def test_what_the_file_says_stays() -> None:
    vti = connection(
        interface=replace(OPEN, kind=InterfaceKind.VTI),
        children=(child(mark_in=Mark(42), mark_out=Mark(42), routed=True),),
    )
    assert resolved(Config((vti,)), [InterfaceKind.XFRM]) == Config((vti,))


def test_a_connection_without_an_interface_has_the_digest_that_it_always_had() -> None:
    assert digest(connection()) == digest(connection(interface=None))
    assert digest(VIEW) != digest(connection())
    assert digest(VIEW) != digest(replace(VIEW, interface=replace(OPEN, metric=1)))


@pytest.mark.parametrize(
    ("after", "reach"),
    [
        (replace(VIEW, interface=replace(OPEN, metric=7)), Reach.OURS),
        (replace(VIEW, children=(child(), child(name="lan2"))), Reach.REPLACED),
    ],
    ids=["other routes", "no interface any more"],
)
def test_how_far_a_change_reaches(after: object, reach: Reach) -> None:
    (found,) = changes(Config((VIEW,)), Config((after,))).changed  # type: ignore[arg-type]
    assert found.reach_of("lan") is reach
    assert found.keys == ("interface",) or found.children[0].keys == ("interface",)
