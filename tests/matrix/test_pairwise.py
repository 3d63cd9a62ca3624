"""The generator of the interop matrix, and that its table covers what it promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import combinations, product

import pytest

from ikevd.policy.algorithms import ESP_CIPHERS, GROUPS, IKE_CIPHERS, IKE_HASHES, INTEGRITIES
from ikevd.policy.proposals import parse_esp, parse_ike
from ikevd.wire.registry import Integrity
from tests.matrix import algorithms
from tests.matrix.cases import DIMENSIONS, INDEPENDENT, Case, exception, pairwise_cases, whole_matrix
from tests.matrix.pairwise import all_pairs

ci, whole = cache(pairwise_cases), cache(whole_matrix)
"""The cases, made once for the tests that only look at them."""
SMALL: Mapping[str, Sequence[str]] = {"a": "12", "b": "xyz", "c": "pq"}


def met(cases: Sequence[Mapping[str, str]]) -> set[tuple[tuple[str, str], tuple[str, str]]]:
    return {pair for case in cases for pair in combinations(case.items(), 2)}


def wanted(names: Mapping[str, Sequence[str]]) -> set[tuple[tuple[str, str], tuple[str, str]]]:
    return {
        ((left, one), (right, two))
        for left, right in combinations(names, 2)
        for one, two in product(names[left], names[right])
    }


def test_every_two_values_meet_in_few_cases() -> None:
    cases = all_pairs(SMALL, lambda case: True)
    assert met(cases) == wanted(SMALL)
    assert len(cases) == 6


def test_a_pair_that_cannot_be_is_left_out_and_no_other() -> None:
    cases = all_pairs(SMALL, lambda case: (case.get("a"), case.get("b")) != ("1", "x"))
    assert met(cases) == wanted(SMALL) - {(("a", "1"), ("b", "x"))}


def test_a_choice_that_leads_nowhere_is_taken_back() -> None:
    """With a=1, b must be z, which shows only when c is chosen."""
    cases = all_pairs(SMALL, lambda case: len(case) < 3 or case["a"] == "2" or case["b"] == "z")
    assert {case["b"] for case in cases if case["a"] == "1"} == {"z"}
    assert (("a", "2"), ("b", "x")) in met(cases)


def test_seeds_occur() -> None:
    seeds = [{"a": "2", "b": "y", "c": "p"}, {"a": "2", "b": "y", "c": "q"}]
    assert all_pairs(SMALL, lambda case: True, seeds=seeds)[:2] == seeds


@pytest.mark.parametrize("peer", DIMENSIONS["peer"])
@pytest.mark.parametrize("dimension", ["cipher", "hash", "group", "esp"])
def test_ci_runs_every_algorithm_that_a_peer_has(peer: str, dimension: str) -> None:
    run = {getattr(case, dimension) for case in ci() if case.peer == peer}
    missing = set(DIMENSIONS[dimension]) - run
    assert all(exception({"peer": peer, dimension: word}) for word in missing)


@pytest.mark.parametrize(("part", "least"), [(ci, 2), (whole, 10)], ids=["ci", "whole"])
def test_every_role_and_exchange_is_run_on_every_path_with_both_peers(
    part: Callable[[], Sequence[Case]], least: int
) -> None:
    cells = Counter((case.peer, case.role, case.exchange, case.path) for case in part())
    assert len(cells) == 2 * 2 * 2 * 5
    assert min(cells.values()) >= least


@pytest.mark.parametrize("peer", DIMENSIONS["peer"])
def test_the_whole_matrix_leaves_out_only_what_has_a_reason(peer: str) -> None:
    names = {name: values for name, values in DIMENSIONS.items() if name != "peer"}
    cases = [{name: getattr(case, name) for name in names} for case in whole() if case.peer == peer]
    missing = wanted(names) - met(cases)
    assert all(exception({"peer": peer, **dict(pair)}) for pair in missing)


def test_the_cases_are_the_same_each_time_and_differ_from_one_another() -> None:
    assert pairwise_cases() == ci()
    for cases in (ci(), whole()):
        assert len(set(cases)) == len(cases)


def test_independent_dimensions_are_dimensions() -> None:
    assert frozenset.union(*INDEPENDENT) <= DIMENSIONS.keys()


def test_libreswan_has_words_for_all_that_is_not_excepted() -> None:
    for case in whole():
        if case.peer == "libreswan":
            assert ";" in algorithms.libreswan_ike(case.ike)
            assert algorithms.libreswan_esp(case.esp_proposal)[1] == (case.pfs == "pfs")


def test_every_algorithm_of_ikevd_is_in_the_matrix_and_no_other() -> None:
    for cases in (ci(), whole()):
        ike = {parse_ike(case.ike) for case in cases}
        esp = {parse_esp(case.esp_proposal) for case in cases}
        assert {suite.cipher for suite in ike} == IKE_CIPHERS.keys()
        assert {suite.hash for suite in ike} == IKE_HASHES.keys()
        assert {suite.group for suite in ike} == GROUPS.keys()
        assert {suite.transform for suite in esp} == ESP_CIPHERS.keys()
        assert {suite.integrity for suite in esp} - {Integrity(0)} == INTEGRITIES.keys()


def test_the_words_of_a_proposal() -> None:
    case = Case("strongswan", "initiator", "main", "ipv4", "aes128", "md5", "ecp256", "aes256-sha256_96", "pfs", "fqdn")
    assert (case.ike, case.esp_proposal) == ("aes128-md5-ecp256", "aes256-sha256-ecp256")
