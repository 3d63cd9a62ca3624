"""Which of our policies wins where several match one packet: the smaller number."""

from __future__ import annotations

from ipaddress import ip_network
from itertools import pairwise

import pytest

from ikevd.policy.priorities import PRIORITY_FIRST, PRIORITY_LAST, is_ours, priority

HERE, WIDE, NARROW = ip_network("10.1.0.0/24"), ip_network("10.0.0.0/8"), ip_network("10.2.0.0/24")
ALL4, ALL6 = ip_network("0.0.0.0/0"), ip_network("::/0")
HOST6 = ip_network("2001:db8::1/128")
STRONGSWAN = range(800_001)
LIBRESWAN = range(3 << 20)


def test_bypass_comes_before_narrow_before_wide() -> None:
    order = [
        priority(HERE, ALL4, bypass=True),
        priority(HERE, NARROW, 6, 53, 443),
        priority(HERE, NARROW, 6, 0, 443),
        priority(HERE, NARROW, 6),
        priority(HERE, NARROW),
        priority(HERE, WIDE, 6, 53, 443),
        priority(HERE, WIDE),
        priority(ALL4, ALL4),
    ]
    assert all(first < second for first, second in pairwise(order))


@pytest.mark.parametrize("bypass", [True, False])
def test_an_instance_comes_before_the_template_that_it_is_a_part_of(bypass: bool) -> None:
    template = priority(HERE, NARROW, bypass=bypass, template=True)
    assert priority(HERE, NARROW, bypass=bypass) < template
    assert priority(HERE, ip_network("10.2.0.7/32"), bypass=bypass) < template
    assert template < priority(HERE, WIDE, bypass=bypass)


def test_a_drop_wins_over_a_tunnel_as_wide_and_over_a_wider_one_and_loses_to_a_narrower_one_and_to_a_bypass() -> None:
    drop = priority(HERE, NARROW, drop=True)
    crossing = priority(ip_network("10.1.0.0/16"), ip_network("10.2.0.0/32"))
    assert priority(HERE, ip_network("10.2.0.7/32")) < drop < crossing
    assert drop < priority(HERE, WIDE)
    assert priority(HERE, NARROW, 6) < drop < priority(HERE, NARROW)
    assert priority(ALL4, ALL4, bypass=True) < priority(HOST6, HOST6, 6, 1, 1, drop=True)
    assert is_ours(priority(HOST6, HOST6, 6, 1, 1, drop=True))


@pytest.mark.parametrize("template", [True, False])
def test_of_two_equal_ones_that_for_marked_packets_wins_and_a_drop_over_both(template: bool) -> None:
    marked, plain = (priority(HERE, NARROW, template=template, marked=mark) for mark in (True, False))
    assert priority(HERE, NARROW, drop=True) < marked < plain
    assert priority(HERE, NARROW, 6, template=template) < marked, "one for TCP alone is narrower"
    assert priority(HERE, NARROW) < priority(HERE, NARROW, template=True, marked=True)


@pytest.mark.parametrize("bypass", [True, False])
@pytest.mark.parametrize("template", [True, False])
@pytest.mark.parametrize(
    "selector", [(ALL6, ALL6, 0, 0, 0), (HOST6, HOST6, 58, 135, 7), (ALL4, ALL4, 0, 0, 0), (ALL4, NARROW, 17, 0, 53)]
)
def test_every_number_is_known_as_ours_and_nobody_elses(selector: tuple, bypass: bool, template: bool) -> None:  # type: ignore[type-arg]
    number = priority(*selector, bypass=bypass, template=template)
    assert is_ours(number)
    assert number not in STRONGSWAN
    assert number not in LIBRESWAN


@pytest.mark.parametrize("number", [0, 1, PRIORITY_FIRST - 1, PRIORITY_LAST + 1, 375_423, 2**32 - 1])
def test_a_number_outside_is_not_ours(number: int) -> None:
    assert not is_ours(number)
