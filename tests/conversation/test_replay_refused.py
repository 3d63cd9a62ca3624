"""A record from which an exchange cannot be told again is refused in words, whatever it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ikevd.addresses import Endpoint, Path
from ikevd.conversation.effects import Raised, Remember
from ikevd.conversation.inputs import MAX_OCTETS, Beginning, Input, InputKind, Inputs
from ikevd.conversation.replay import Irreproducible
from ikevd.crypto.secret import Secret
from ikevd.errors import KernelRefused
from ikevd.sa.model import Cookies, Spi
from ikevd.store.codec import decode, encode
from ikevd.store.scalars import Unreadable
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE_TO_BOB, BOB_TO_ALICE, child, connection, psk
from tests.conversation.retold import Retold, Role, give, phase1, quick_mode_of, remembered, seed
from tests.plugins.secrets import MARK

QUICK_MODE = quick_mode_of()
MAIN_MODE = phase1(ExchangeType.MAIN_MODE)
OF_QUICK_MODE = Retold(QUICK_MODE).run().inputs
OF_MAIN_MODE = Retold(MAIN_MODE).run().inputs
RECORDS: dict[str, tuple[Role, Inputs]] = {
    "initiator of a Quick Mode": (QUICK_MODE.initiator, OF_QUICK_MODE["initiator"]),
    "responder of a Quick Mode": (QUICK_MODE.responder, OF_QUICK_MODE["responder"]),
    "initiator of a Main Mode": (MAIN_MODE.initiator, OF_MAIN_MODE["initiator"]),
    "responder of a Main Mode": (MAIN_MODE.responder, OF_MAIN_MODE["responder"]),
}
EACH = pytest.mark.parametrize("name", RECORDS)


@EACH
def test_a_record_is_the_same_after_it_was_in_a_store(name: str) -> None:
    _, inputs = RECORDS[name]
    assert decode(Inputs, encode(inputs)) == inputs


@EACH
def test_a_record_that_was_cut_off_or_put_in_another_order_is_refused(name: str) -> None:
    role, inputs = RECORDS[name]
    first, *others = inputs.given
    for rest in ((), inputs.given[:-1], tuple(others), (others[0], first, *others[1:]), (*inputs.given, first)):
        with pytest.raises(Irreproducible, match="the record of the exchange was cut off or altered"):
            role.revive(replace(inputs, given=rest), 1.0)


def nowhere(port: int) -> Path:
    """A path that no machine has."""
    return Path(Endpoint(ip_address("::1"), port), Endpoint(ip_address("::1"), port))


OTHER_BEGINNINGS: dict[str, Callable[[Beginning], Beginning]] = {
    "seed": lambda beginning: replace(beginning, seed=seed(99)),
    "kind": lambda beginning: replace(beginning, kind=ExchangeType.INFORMATIONAL),
    "role": lambda beginning: replace(beginning, initiator=not beginning.initiator),
    "cookies": lambda beginning: replace(beginning, cookies=Cookies(b"attacker")),
    "message ID": lambda beginning: replace(beginning, message_id=7),
    "message ID that is none": lambda beginning: replace(beginning, message_id=1 << 40),
    "path": lambda beginning: replace(beginning, path=Path(*reversed((beginning.path.local, beginning.path.remote)))),
    "port that is none": lambda beginning: replace(
        beginning,
        path=nowhere(-1),
    ),
    "minted cookie": lambda beginning: replace(beginning, minted=b"attacker"),
    "origins": lambda beginning: replace(beginning, origins=(b"",)),
    "forks": lambda beginning: replace(beginning, forks=(b"",)),
    "port of NAT traversal": lambda beginning: replace(beginning, nat_port=4501),
}


@EACH
@pytest.mark.parametrize("what", OTHER_BEGINNINGS)
def test_a_record_with_another_beginning_is_refused(name: str, what: str) -> None:
    role, inputs = RECORDS[name]
    with pytest.raises(Irreproducible):
        role.revive(replace(inputs, beginning=OTHER_BEGINNINGS[what](inputs.beginning)), 1.0)


OTHER_INPUTS: dict[str, Callable[[Input], Input]] = {
    "kind": lambda given: replace(
        given, kind=InputKind.SERVED if given.kind is not InputKind.SERVED else InputKind.HEARD
    ),
    "time": lambda given: replace(given, at=given.at + 1),
    "octets": lambda given: replace(given, octets=given.octets + b"\0"),
    "path": lambda given: replace(given, path=BOB_TO_ALICE if given.path != BOB_TO_ALICE else ALICE_TO_BOB),
    "SPI": lambda given: replace(given, spi=Spi(0x4321)),
    "port that is none": lambda given: replace(given, path=nowhere(1 << 16)),
}


@EACH
@pytest.mark.parametrize("what", OTHER_INPUTS)
def test_a_record_with_another_input_is_refused(name: str, what: str) -> None:
    role, inputs = RECORDS[name]
    for at, each in enumerate(inputs.given):
        others = (*inputs.given[:at], OTHER_INPUTS[what](each), *inputs.given[at + 1 :])
        with pytest.raises(Irreproducible):
            role.revive(replace(inputs, given=others), 1.0)


@EACH
def test_a_record_of_which_something_else_was_said_is_refused(name: str) -> None:
    role, inputs = RECORDS[name]
    with pytest.raises(Irreproducible, match="says something else than it did: its connection has changed"):
        role.revive(replace(inputs, said=bytes(16)), 1.0)


def test_an_exchange_whose_connection_has_changed_is_refused() -> None:
    inputs = OF_MAIN_MODE["responder"]
    other = phase1(ExchangeType.MAIN_MODE, connection(), connection(psk=psk("another"))).responder
    with pytest.raises(Irreproducible):
        other.revive(inputs, 1.0)
    other = quick_mode_of(child(remote="10.9.0.0/24")).initiator
    with pytest.raises(Irreproducible):
        other.revive(OF_QUICK_MODE["initiator"], 1.0)
    other = quick_mode_of(child(remote="10.9.0.0/24")).responder
    with pytest.raises(Irreproducible, match="the exchange fails where it did not: InvalidId"):
        other.revive(OF_QUICK_MODE["responder"], 1.0)


def test_a_quick_mode_without_its_isakmp_sa_is_refused() -> None:
    role = replace(QUICK_MODE.responder, sa=None)
    with pytest.raises(Irreproducible, match="there is no ISAKMP SA for it"):
        role.revive(OF_QUICK_MODE["responder"], 1.0)


def made_up(role: Role, *inputs: Input) -> Inputs:
    """A record that is whole, of an exchange that never was."""
    made = Inputs(role.beginning)
    for each in inputs:
        made = made.adding(each, b"") or made
    return made


@pytest.mark.parametrize(
    "inputs",
    [
        [Input(InputKind.STARTED), Input(InputKind.SERVED)],
        [Input(InputKind.HEARD, octets=bytes(40), path=BOB_TO_ALICE)],
        [Input(InputKind.STARTED), Input(InputKind.HEARD, octets=bytes(40), path=BOB_TO_ALICE)],
        [Input(InputKind.STARTED), Input(InputKind.HEARD, octets=bytes(40))],
        [Input(InputKind.STARTED), Input(InputKind.STARTED)],
        [Input(InputKind.STARTED), Input(InputKind.CONFIRMED)],
        [Input(InputKind.STARTED, at=float("nan")), Input(InputKind.FORKED, octets=b"")],
    ],
    ids=lambda inputs: "-".join(each.kind.value for each in inputs),
)
@pytest.mark.parametrize("roles", [QUICK_MODE, MAIN_MODE], ids=["Quick Mode", "Main Mode"])
def test_a_record_of_what_never_was_is_refused(roles: Any, inputs: list[Input]) -> None:
    with pytest.raises(Irreproducible):
        roles.responder.revive(made_up(roles.responder, *inputs), 1.0)


@given(data=st.data(), name=st.sampled_from(sorted(RECORDS)))
@settings(deadline=None)
def test_whatever_octets_stand_in_the_store_an_exchange_is_told_again_or_refused(
    data: st.DataObject, name: str
) -> None:
    role, inputs = RECORDS[name]
    octets = bytearray(encode(inputs))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        found = decode(Inputs, bytes(octets))
        revived = role.revive(found, 1.0)
    except (Unreadable, Irreproducible):
        return
    assert found == inputs
    assert revived.conversation.said == inputs.said


def test_the_octets_of_a_record_are_its_own_and_bounded() -> None:
    inputs = Inputs(MAIN_MODE.responder.beginning)
    heard = Input(InputKind.HEARD, 0.0, bytes(MAX_OCTETS), ALICE_TO_BOB)
    longest = inputs.adding(heard, b"")
    assert longest is not None
    assert longest.adding(replace(heard, octets=b"\0"), b"") is None


def test_the_repr_of_a_record_shows_no_seed() -> None:
    beginning = replace(MAIN_MODE.initiator.beginning, seed=Secret(MARK.encode()))
    assert MARK not in repr(Inputs(beginning))


def test_a_record_whose_message_id_is_none_is_refused() -> None:
    role = replace(QUICK_MODE.responder, beginning=replace(QUICK_MODE.responder.beginning, message_id=1 << 40))
    with pytest.raises(Irreproducible, match="the exchange cannot begin as it did"):
        role.revive(made_up(role, Input(InputKind.STARTED)), 1.0)


def test_a_seed_of_another_length_is_refused() -> None:
    role = replace(QUICK_MODE.responder, beginning=replace(QUICK_MODE.responder.beginning, seed=Secret(bytes(31))))
    with pytest.raises(Irreproducible, match="a seed has 32 octets, not 31"):
        role.revive(made_up(role, Input(InputKind.STARTED)), 1.0)


def test_what_an_exchange_fails_of_is_not_remembered() -> None:
    other = quick_mode_of(child(), (child(remote="10.9.0.0/24"),)).responder
    given = OF_QUICK_MODE["responder"].given
    conversation, _ = remembered(other, given[:1])
    effects = give(conversation, given[1])
    assert isinstance(effects[-1], Raised)
    assert not any(isinstance(effect, Remember) for effect in effects)


def test_what_moves_nothing_is_not_remembered() -> None:
    inputs = OF_MAIN_MODE["initiator"]
    conversation, _ = remembered(MAIN_MODE.initiator, inputs.given[:1])
    forged = replace(inputs.given[1], octets=bytes(inputs.given[1].octets[:-1]))
    assert not any(isinstance(effect, Remember) for effect in give(conversation, forged))
    conversation, _ = remembered(QUICK_MODE.initiator, OF_QUICK_MODE["initiator"].given[:1])
    assert not any(isinstance(effect, Remember) for effect in conversation.refuse(KernelRefused("no memory", 12), 0.0))
