"""Stored records: what is read equals what was written, and what cannot be read is said in one way."""

from __future__ import annotations

import importlib
import json
import pkgutil
import random
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ikevd
from ikevd.errors import Finding, Said
from ikevd.finding_kinds import FINDINGS
from ikevd.peer.child_state import ChildState
from ikevd.peer.isakmp_state import IsakmpState
from ikevd.peer.state import PeerState
from ikevd.sa.model import Spi
from ikevd.store.about import FORMAT
from ikevd.store.codec import decode, encode
from ikevd.store.forms import KIND, form_of
from ikevd.store.scalars import Unreadable
from ikevd.wire.registry import Group
from tests.plugins.secrets import shows_secret
from tests.store.formats import EXAMPLES, written
from tests.store.records import (
    KEY,
    RECORDS,
    any_of,
    child_state,
    isakmp_state,
    peer_state,
    refused_child,
)

TYPICAL = [*EXAMPLES.values(), peer_state()]
SLOW_TO_DRAW = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)


@SLOW_TO_DRAW
@given(st.sampled_from(RECORDS).flatmap(any_of))
def test_every_record_is_read_as_it_was_written(record: Any) -> None:
    assert decode(type(record), encode(record)) == record


@settings(SLOW_TO_DRAW, max_examples=15)
@given(st.data())
@pytest.mark.parametrize("kind", FINDINGS.values(), ids=FINDINGS)
def test_every_kind_of_finding_is_read_as_it_was_written(kind: type[Finding], data: st.DataObject) -> None:
    child = ChildState(cause=data.draw(any_of(kind)))
    assert decode(ChildState, encode(child)) == child


def test_findings_are_known_wherever_they_are_defined() -> None:
    for module in pkgutil.walk_packages(ikevd.__path__, "ikevd."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    ours = {kind.__name__ for kind in below(Finding) if kind.__module__.startswith("ikevd.")}
    assert ours == set(FINDINGS)


def below(kind: type[Finding]) -> set[type[Finding]]:
    return set(kind.__subclasses__()).union(*map(below, kind.__subclasses__()))


def test_no_field_of_a_finding_is_taken_for_its_kind() -> None:
    assert not [kind for kind in FINDINGS.values() if KIND in {one.name for one in fields(kind)}]


@pytest.mark.parametrize("record", TYPICAL)
def test_typical_records_are_read_as_they_were_written(record: Any) -> None:
    assert decode(type(record), encode(record)) == record


def test_the_order_of_what_is_stored_stays() -> None:
    state = peer_state({name: ChildState() for name in ("c", "a", "b")})
    assert list(decode(PeerState, encode(state)).children) == ["c", "a", "b"]


def test_an_iana_number_without_a_name_is_read_as_it_was_written() -> None:
    sa = isakmp_state().sa
    unknown = replace(isakmp_state(), sa=replace(sa, suite=replace(sa.suite, group=Group(999))))
    assert str(decode(IsakmpState, encode(unknown)).sa.suite.group) == "GROUP_999"


# -- other versions of ikevd ------------------------------------------------------------------------------------------


def altered(record: Any, **changes: Any) -> bytes:
    """The octets of a record with these fields beside or in place of its own; None: without the field."""
    plain = json.loads(encode(record)) | changes
    return json.dumps({name: value for name, value in plain.items() if value is not None}).encode()


def test_a_field_that_a_newer_version_added_is_passed_over() -> None:
    assert decode(ChildState, altered(child_state(), mood="good")) == child_state()


def test_a_field_that_an_older_version_did_not_write_takes_its_default() -> None:
    assert decode(ChildState, altered(refused_child(), failures=None)) == replace(refused_child(), failures=0)


def test_a_field_whose_default_is_made_anew_each_time_is_made() -> None:
    state = PeerState(KEY)
    assert decode(PeerState, altered(state, children=None)) == state


def test_a_kind_of_finding_that_a_newer_version_added_becomes_a_sentence() -> None:
    octets = altered(refused_child(), cause={KIND: "StarsAgainstIt", "sign": "Leo"})
    assert decode(ChildState, octets).cause == Said("what another version of ikevd calls StarsAgainstIt")


def test_a_finding_that_a_newer_version_gave_other_fields_becomes_a_sentence() -> None:
    octets = altered(refused_child(), cause={KIND: "PeerRefuses", "said": 14})
    assert decode(ChildState, octets).cause == Said("what another version of ikevd calls PeerRefuses")


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_an_ikevd_of_this_format_wrote_is_read_as_ever(name: str) -> None:
    record = EXAMPLES[name]
    assert decode(type(record), written(FORMAT.number)[name]) == record


# -- what cannot be read ----------------------------------------------------------------------------------------------


def reading(kind: type, octets: bytes) -> None:
    """Read or refuse: any other exception fails the test."""
    try:
        encode(decode(kind, octets))
    except Unreadable as error:
        refusal = error
    else:
        return
    assert refusal.__context__ is None  # the error of `json` would hold the octets
    assert not shows_secret(str(refusal))


@given(st.sampled_from(RECORDS), st.binary())
def test_whatever_octets_come_are_read_or_refused(kind: type, octets: bytes) -> None:
    reading(kind, octets)


@given(st.sampled_from(TYPICAL), st.randoms(use_true_random=False))
def test_records_with_changed_octets_are_read_or_refused(record: Any, dice: random.Random) -> None:
    octets = bytearray(encode(record))
    for _ in range(dice.randrange(1, 5)):
        start = dice.randrange(len(octets))
        octets[start : start + dice.randrange(3)] = dice.choice(
            [b"", b'"', b"-1", b"[", b"}", b"1e999", b"\xff", b"null"]
        )
        octets = octets or bytearray(b"0")
    reading(type(record), bytes(octets))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(TYPICAL), st.randoms(use_true_random=False), JSON)
def test_records_with_another_value_somewhere_are_read_or_refused(record: Any, dice: random.Random, other: Any) -> None:
    plain = json.loads(encode(record))
    inside: Any = plain
    while True:
        place = dice.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
        if isinstance(inside[place], dict | list) and inside[place] and dice.random() < 0.8:
            inside = inside[place]
            continue
        inside[place] = other
        break
    reading(type(record), json.dumps(plain).encode())


@pytest.mark.parametrize(
    "octets",
    [b"", b"{", b"[" * 100_000, b"{}", b"9" * 5000, b"\xff\xfe", b"null", b'{"sa":{}}'],
    ids=["none", "torn", "deep", "empty", "long number", "no text", "null", "fields missing"],
)
def test_what_is_no_record_is_refused(octets: bytes) -> None:
    with pytest.raises(Unreadable, match="no IsakmpState that this ikevd can read"):
        decode(IsakmpState, octets)


@pytest.mark.parametrize("spi", [-1, 2 << 32 | 1 << 16, True, 1.5, "1"])
def test_what_is_no_spi_is_refused(spi: object) -> None:
    with pytest.raises(Unreadable):
        decode(PeerState, altered(peer_state(), deletes_to_send=[spi]))


def test_a_class_that_no_record_names_has_no_form() -> None:
    @dataclass(frozen=True)
    class Stranger:
        anything: object

    with pytest.raises(TypeError, match="cannot be stored"):
        form_of(Stranger)


def test_an_spi_keeps_its_type() -> None:
    state = decode(PeerState, encode(peer_state()))
    assert [type(spi) for spi in state.deletes_to_send] == [Spi]
