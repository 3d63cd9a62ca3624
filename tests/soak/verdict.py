"""After calm: do both ends, both stores and both kernels agree, object by object?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

from ikevd.conversation.timing import LINGER
from ikevd.host.policies import Action, Direction
from ikevd.negotiation.session import Session
from ikevd.peer.child import MAX_PAIRS
from ikevd.peer.child_state import ChildState, Half
from ikevd.peer.due import serves
from ikevd.peer.outside import outside
from ikevd.peer.start import has_trap
from ikevd.peer.state import PeerState
from ikevd.policy.child import Start
from ikevd.policy.settings import Config
from ikevd.sa.model import EspKeys, Spi
from ikevd.store.interface import StoredPeer
from ikevd.store.memory import MemoryStore
from tests.soak.machine import MortalMachine

MOST_SERVING = 3
"""Two that crossed, and the one that they replace."""
KEPT = 2 * LINGER
"""An exchange has been forgotten so long after what moved it last."""


def faults(alice: MortalMachine, bob: MortalMachine) -> Iterator[str]:
    """What is wrong, in words."""
    for name, machine in (("alice", alice), ("bob", bob)):
        yield from (f"{name}: {what}" for what in _of_one(machine))
    ours, theirs = _session(alice), _session(bob)
    mirrored = {(outbound, inbound) for inbound, outbound in _pairs(theirs)}
    if _pairs(ours) != mirrored:
        yield f"the ends hold different pairs: {_hex(_pairs(ours))} and {_hex(mirrored)}"
    serving = [{key for key, known in end.state.isakmp.items() if serves(known)} for end in (ours, theirs)]
    if all(serving) and not serving[0] & serving[1]:
        yield "the ends have ISAKMP SAs, and none in common"
    if max(map(len, serving)) > MOST_SERVING:
        yield f"{len(serving[0])} and {len(serving[1])} ISAKMP SAs serve"
    if _digests(alice) != _digests(bob):
        yield "the kernels hold different SAs, or other keys"


def left(alice: MortalMachine, bob: MortalMachine) -> Iterator[str]:
    """What stands in a kernel, or was not removed, long before its lifetime ends."""
    for name, machine in (("alice", alice), ("bob", bob)):
        session = _session(machine)
        under_way = session.state.quick_modes or session.state.phase1 is not None
        if not under_way and set(machine.kernel.sas) != {sa for view in session.desired for sa in view.sas}:
            yield f"{name}: SAs stay in the kernel that nobody desires, or some do not stand"
        for child, state in session.states.items():
            if len(state.standing) > MAX_PAIRS:
                yield f"{name}: {len(state.standing)} pairs of {child}"


def _of_one(machine: MortalMachine) -> Iterator[str]:
    session = _session(machine)
    state = session.state
    if state.quick_modes or state.waiting or state.phase1 is not None:
        yield f"something is under way for ever: {state.quick_modes} {state.waiting} {state.phase1}"
    for name, child in state.children.items():
        configured = next(each for each in session.connection.children if each.name == name)
        yield from (f"{name}: {what}" for what in _of_child(child, automatic=configured.start is Start.ALWAYS))
    yield from _of_kernel(machine, session)
    yield from _of_store(machine, session)
    unknown = () if machine.stores_lost else ("nobody knows",)
    yield from (text for text in machine.troubles if any(words in text for words in ("invalid", *unknown)))


def _of_child(child: ChildState, *, automatic: bool) -> Iterator[str]:
    if any(pair.attempt is not None or pair.half is not Half.BOTH for pair in child.pairs):
        yield "half a pair"
    if child.attempt is not None:
        yield "its Quick Mode never ends"
    if child.wanted and automatic and not child.standing:
        yield f"it is wanted, and does not stand: {child.cause}"


def _of_kernel(machine: MortalMachine, session: Session) -> Iterator[str]:
    kernel = machine.kernel
    views = list(session.desired)
    wanted = {name for view in views for name in view.sas}
    if set(kernel.sas) != wanted:
        yield f"the kernel's SAs {_spis(kernel.sas)} are not the desired {_spis(wanted)}"
    if kernel.dead:
        yield "an SA was installed again under its keys"
    if kernel.larval:
        yield f"larval SAs stay: {_spis(kernel.larval)}"
    desired = {name: policy for view in views for name, policy in view.policies.items()}
    desired.update(outside(Config(machine.connections), ()))
    for name in desired.keys() | kernel.policies.keys():
        if desired.get(name) != kernel.policies.get(name):
            yield f"policy {name}: desired {desired.get(name)}, stands {kernel.policies.get(name)}"
    outward = [policy for policy in kernel.policies.values() if policy.id.direction is Direction.OUT]
    for child in session.connection.children:
        state = session.states[child.name]
        action = Action.TUNNEL if state.standing or has_trap(child, state) else Action.BLOCK
        if [policy.action for policy in outward if policy.reqid == child.reqid] != [action]:
            yield f"{child.name}: its policy out is not {action}"


def but_heard(state: PeerState) -> PeerState:
    """When the peer was heard is stored once a minute only, and what it was asked once in a thousand times."""
    return replace(state, isakmp={key: replace(one, heard=0.0, liveness=None) for key, one in state.isakmp.items()})


def _of_store(machine: MortalMachine, session: Session) -> Iterator[str]:
    stored = list(MemoryStore(machine.disk).load())
    if not stored and session.idle:
        return  # it knows nothing of the peer yet
    if len(stored) != 1:
        yield f"the store holds {len(stored)} peers"
        return
    if but_heard(stored[0].state) != but_heard(session.state):
        yield "the store and the session disagree"
    yield from _of_exchanges(stored[0])


def _of_exchanges(stored: StoredPeer) -> Iterator[str]:
    for key, exchange in stored.exchanges.items():
        moved = max((given.at for given in exchange.inputs.given), default=0.0)
        if key.cookies not in stored.state.isakmp:
            yield f"an exchange without its ISAKMP SA stays in the store: {key}"
        elif key.message_id and moved + KEPT < asyncio.get_running_loop().time():
            yield f"an exchange stays in the store: {key}"


def _session(machine: MortalMachine) -> Session:
    assert machine.session is not None, "a process runs"
    return machine.session


def _pairs(session: Session) -> set[tuple[int, int]]:
    return {(pair.sa.inbound, pair.sa.outbound) for child in session.states.values() for pair in child.pairs}


def _digests(machine: MortalMachine) -> dict[Spi, bytes]:
    """By SPI: behind a NAT the two ends name the addresses of an SA otherwise."""
    return {name.spi: _digest(keys) for name, keys in machine.kernel.keys.items()}


def _digest(keys: EspKeys) -> bytes:
    return sha256(keys.encryption.reveal() + keys.integrity.reveal()).digest()


def _spis(names: object) -> list[str]:
    return sorted(hex(name.spi) for name in names)  # type: ignore[attr-defined]


def _hex(pairs: set[tuple[int, int]]) -> list[tuple[str, str]]:
    return sorted((hex(inbound), hex(outbound)) for inbound, outbound in pairs)
