"""A peer that asks for other selectors than a child has: what of them is installed, and what is said of the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ikevd.errors import InvalidId
from ikevd.exchanges.selection import MAX_LENT, Selected, select, within
from ikevd.facts import Note
from ikevd.observe.words import say, say_error
from ikevd.policy.child import Child, Selection
from ikevd.policy.selectors import TrafficSelector
from ikevd.sa.model import Share
from ikevd.selector_findings import Narrowed
from ikevd.wire.payloads import IdPayload, NoncePayload
from ikevd.wire.registry import Encapsulation
from tests.builders import ESP_AES128_SHA256, ESP_AES256_SHA1, child
from tests.exchanges.quick_mode_pair import (
    IDCR,
    NI,
    against_initiator,
    against_responder,
    answers,
    offer,
    sends_first,
)

ANY = "0.0.0.0/0"


def ours(local: str, remote: str = "10.2.0.0/24", name: str = "lan", **changes: Any) -> Child:
    """A child whose peer may ask for other selectors."""
    ends = {"local": TrafficSelector.parse(local), "remote": TrafficSelector.parse(remote)}
    reqid = 0x696B0000 + sum(name.encode())
    return replace(child(), name=name, reqid=reqid, **({"selection": Selection.NARROW} | ends | changes))


def asked(local: str, remote: str, *children: Child) -> Selected:
    """`local` is ours."""
    return select(children, TrafficSelector.parse(local), TrafficSelector.parse(remote))


def installed(selected: Selected) -> list[str]:
    assert isinstance(selected.found, Narrowed)
    return [f"{each.name}: {each.traffic.local} === {each.traffic.remote}" for each in selected.found.installed]


LAN, DMZ = ours("10.1.0.0/24"), ours("10.1.1.0/24", name="dmz")


@pytest.mark.parametrize(
    ("local", "remote", "what"),
    [
        (ANY, ANY, "10.1.0.0/24 === 10.2.0.0/24"),
        ("10.1.0.0/16", "10.2.0.0/23", "10.1.0.0/24 === 10.2.0.0/24"),
        ("10.1.0.1-10.1.0.254", "10.2.0.0/24", "10.1.0.1-10.1.0.254 === 10.2.0.0/24"),
        ("10.1.0.128/25", ANY, "10.1.0.128/25 === 10.2.0.0/24"),
        ("10.0.255.0-10.1.0.9", "10.2.0.7", "10.1.0.0-10.1.0.9 === 10.2.0.7/32"),
        ("0.0.0.0/0[tcp]", "0.0.0.0/0[tcp/443]", "10.1.0.0/24[tcp] === 10.2.0.0/24[tcp/443]"),
    ],
    ids=["all in one", "a supernet", "hosts", "a part", "both", "one service"],
)
def test_what_both_have_is_installed(local: str, remote: str, what: str) -> None:
    selected = asked(local, remote, LAN)
    assert installed(selected) == [f"lan: {what}"]
    assert f"{selected.child.local} === {selected.child.remote}" == what
    assert selected.asked is not None
    assert (selected.asked.local, selected.asked.remote) == tuple(map(TrafficSelector.parse, (local, remote)))


def test_exactly_the_selectors_of_a_child_are_that_childs_alone() -> None:
    wide = ours("10.1.0.0/16", name="wide")
    assert asked("10.1.0.0/24", "10.2.0.0/24", wide, LAN) == Selected(LAN)


def test_strict_children_are_for_their_own_selectors_alone() -> None:
    strict = replace(LAN, selection=Selection.STRICT)
    with pytest.raises(InvalidId) as refused:
        asked(ANY, ANY, strict)
    assert "which is no child of ours" in say_error(refused.value)
    assert say_error(refused.value).endswith("`selection: narrow` would give it what of that is ours")
    assert installed(asked(ANY, ANY, strict, DMZ)) == ["dmz: 10.1.1.0/24 === 10.2.0.0/24"]


def test_ranges_that_would_make_thousands_of_policies_are_refused() -> None:
    everything = ours("10.0.0.0/8", "10.0.0.0/8")
    assert installed(asked("10.1.0.1-10.1.0.254", "10.2.0.1-10.2.0.254", everything))
    with pytest.raises(InvalidId):
        asked("10.0.0.1-10.255.255.254", "10.0.0.1-10.255.255.254", everything)


def test_nothing_in_common_is_refused() -> None:
    with pytest.raises(InvalidId) as refused:
        asked("10.9.0.0/16", ANY, LAN, DMZ)
    assert "narrow" not in say_error(refused.value)


def test_the_child_that_has_most_of_it_lends_its_pair_to_the_others() -> None:
    large = ours("10.1.4.0/22", name="large")
    selected = asked("10.1.0.0/16", "10.2.0.0/16", LAN, large, DMZ)
    assert selected.child.name == "large"
    assert selected.asked is not None
    assert selected.asked.also == (Share("lan", LAN.local, LAN.remote), Share("dmz", DMZ.local, DMZ.remote))


@pytest.mark.parametrize(
    "changes",
    [{"template": True}, {"instance": True}, {"suites": (replace(ESP_AES128_SHA256, mode=Encapsulation.TRANSPORT),)}],
    ids=["a template", "of many peers", "transport mode"],
)
def test_what_many_peers_have_and_what_is_for_the_ends_themselves_is_not_narrowed(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidId):
        asked(ANY, ANY, replace(LAN, **changes))


def test_a_responder_chooses_no_thousands_of_subnets() -> None:
    """Nor does an initiator, whose request is bounded by the same."""
    wide, odd = ours(ANY, ANY), TrafficSelector.parse("0.0.0.1-255.255.255.254")
    assert within(wide, (odd, odd)) is None
    assert within(wide, (odd, TrafficSelector.parse("10.2.0.0/24"))) is not None


def test_no_child_borrows_a_pair_that_its_own_entry_does_not_allow() -> None:
    stronger = replace(DMZ, suites=(ESP_AES256_SHA1,))
    selected = asked(ANY, ANY, LAN, stronger)
    assert selected.asked is not None
    assert (selected.child.name, selected.asked.also) == ("lan", ())
    assert selected.found is not None
    assert "dmz would have to be negotiated alike" in say(selected.found)


def test_no_child_borrows_what_becomes_the_same_policy_of_the_kernel() -> None:
    """Of both the peer asks for 10.1.0.128/25."""
    odd = ours("10.1.0.128-10.1.1.127", name="odd")
    assert installed(asked("10.1.0.128/25", "10.2.0.0/24", LAN, odd)) == ["lan: 10.1.0.128/25 === 10.2.0.0/24"]
    assert len(installed(asked("10.1.0.0/16", "10.2.0.0/24", DMZ, odd))) == 2


def test_what_starts_a_child_does_not_keep_it_from_borrowing() -> None:
    selected = asked(ANY, ANY, LAN, replace(DMZ, inactivity=600, fail_open=True))
    assert installed(selected) == ["lan: 10.1.0.0/24 === 10.2.0.0/24", "dmz: 10.1.1.0/24 === 10.2.0.0/24"]


# -- what is said -----------------------------------------------------------------------------------------------------


def test_it_is_said_what_the_peer_sends_in_vain() -> None:
    found = asked("10.1.0.0/16", ANY, LAN, DMZ).found
    assert found is not None
    assert say(found) == (
        "the peer asks for 10.1.0.0/16 === 0.0.0.0/0, of which this is installed: 10.1.0.0/24 === 10.2.0.0/24 of lan, "
        "10.1.1.0/24 === 10.2.0.0/24 of dmz; what else it sends into this SA is dropped here"
    )


def test_it_is_said_what_of_ours_the_peer_does_not_take() -> None:
    found = asked("10.1.0.1-10.1.0.254", "10.2.0.0/24", LAN).found
    assert found is not None
    assert say(found).endswith("of lan; what it did not ask for of lan stays blocked here")
    assert "dropped" not in say(found)


def test_a_supernet_that_our_children_fill_is_all_of_use() -> None:
    """As Check Point makes one of two neighbours."""
    found = asked("10.1.0.0/23", "10.2.0.0/24", LAN, DMZ).found
    assert found is not None
    assert "dropped" not in say(found)
    square = [ours(f"10.1.{n & 1}.0/24", f"10.2.{n >> 1}.0/24", f"c{n}") for n in range(4)]
    assert isinstance(all_four := asked("10.1.0.0/23", "10.2.0.0/23", *square).found, Narrowed)
    assert isinstance(three := asked("10.1.0.0/23", "10.2.0.0/23", *square[:3]).found, Narrowed)
    assert (all_four.into_nothing, three.into_nothing) == (False, True)


@pytest.mark.parametrize("asks", ["10.64.0.0/14", ANY])
def test_a_thousand_children_are_not_compared_with_one_another(monkeypatch: pytest.MonkeyPatch, asks: str) -> None:
    """The peer chooses how often it asks; each such answer took five seconds."""
    many = [ours("10.1.0.0/24", f"10.{64 + n // 256}.{n % 256}.0/24", name=f"n{n}") for n in range(1024)]
    meet, met = TrafficSelector.meet, list[TrafficSelector]()

    def counted(one: TrafficSelector, other: TrafficSelector) -> TrafficSelector | None:
        met.append(other)
        return meet(one, other)

    monkeypatch.setattr(TrafficSelector, "meet", counted)
    selected = asked("10.1.0.0/24", asks, *many)
    assert len(met) == 2 * len(many)
    assert isinstance(selected.found, Narrowed)
    assert selected.asked is not None
    assert (len(selected.asked.also), selected.found.beyond) == (MAX_LENT, len(many) - MAX_LENT - 1)
    assert f"{selected.found.beyond} further children wait for pairs of their own" in say(selected.found)


def test_one_service_of_ours_is_not_all_that_the_peer_asked_for() -> None:
    found = asked("10.1.0.0/24", "10.2.0.0/24", ours("10.1.0.0/24[tcp/443]", "10.2.0.0/24[tcp]")).found
    assert isinstance(found, Narrowed)
    assert found.into_nothing


# -- on the wire ------------------------------------------------------------------------------------------------------


def test_the_responder_echoes_the_ids_and_installs_its_own() -> None:
    everything = TrafficSelector.parse(ANY).to_id()
    duet = against_responder(sends_first(offer(), NoncePayload(NI), everything, everything), DMZ)
    assert duet.initiator.result.all(IdPayload) == (everything, everything)
    assert (duet.responder.result.local_selector, duet.responder.result.remote_selector) == (DMZ.local, DMZ.remote)


def test_a_responder_that_answers_less_is_taken_at_its_word_where_selection_is_narrow() -> None:
    less = TrafficSelector.parse("10.1.0.0/25")
    script = answers(lambda _: (offer(ESP_AES128_SHA256), NoncePayload(NI), less.to_id(), IDCR))
    initiator = against_initiator(ours("10.1.0.0/24"), script).initiator
    assert (initiator.result.local_selector, initiator.result.asked) == (less, None)
    (said,) = [say(fact.finding) for fact in initiator.facts if isinstance(fact, Note)]
    assert said == (
        "we asked for 10.1.0.0/24 === 10.2.0.0/24, the peer answered with 10.1.0.0/25 === 10.2.0.0/24: only that is "
        "installed, the rest stays blocked here"
    )
    refused = against_initiator(child(), script).initiator.error
    assert "which RFC 2409 does not allow; `selection: narrow` takes less" in say_error(refused)


@pytest.mark.parametrize("more", ["10.1.0.0/23", "10.9.0.0/24"])
def test_a_responder_that_answers_more_is_refused(more: str) -> None:
    other = TrafficSelector.parse(more).to_id()
    script = answers(lambda _: (offer(ESP_AES128_SHA256), NoncePayload(NI), other, IDCR))
    assert isinstance(against_initiator(ours("10.1.0.0/24"), script).initiator.error, InvalidId)
