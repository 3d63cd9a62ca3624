"""A duet whose sides remember what moved them; one of them may be killed at a point of its own and told again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from ikevd.conversation.core import Conversation
from ikevd.conversation.effects import AskHost, Effect, Remember, Transmit
from ikevd.conversation.inputs import Beginning, Input, InputKind, Inputs
from ikevd.conversation.replay import Make, Revived, begin, revive
from ikevd.conversation.timing import Timing
from ikevd.crypto.secret import Secret
from ikevd.errors import IkeError
from ikevd.exchanges import aggressive_mode, main_mode, quick_mode
from ikevd.exchanges.link import FirstContact, HostAnswer, HostCall, ReserveSpi
from ikevd.exchanges.moves import floated
from ikevd.exchanges.phase1 import Candidates
from ikevd.facts import Fact
from ikevd.policy.child import Child
from ikevd.policy.connection import Connection
from ikevd.sa.model import Cookies, IsakmpSa, NatTraversal, Spi
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE_TO_BOB, BOB_TO_ALICE, child, connection, mirrored
from tests.duet import Duet, HostInMemory, Network, Side
from tests.exchanges.phase1_pair import MESSAGE_ID, isakmp_sas

COOKIES, MINTED = Cookies(b"initiato"), b"responde"
MODES = {ExchangeType.MAIN_MODE: main_mode, ExchangeType.AGGRESSIVE: aggressive_mode}
ROLES = ("initiator", "responder")


def seed(number: int) -> Secret:
    return Secret(number.to_bytes(32, "big"))


@dataclass(frozen=True)
class Role:
    """All that one side needs to begin an exchange, and to tell it again."""

    beginning: Beginning
    make: Make
    sa: IsakmpSa | None = None
    timing: Timing = field(default_factory=Timing)

    def revive(self, inputs: Inputs, now: float) -> Revived:
        return revive(inputs, self.make, self.timing, now, self.sa)


@dataclass(frozen=True)
class Roles:
    """Both sides of one exchange."""

    initiator: Role
    responder: Role

    def of(self, name: str) -> Role:
        return self.initiator if name == "initiator" else self.responder


def _beginnings(kind: ExchangeType, cookies: Cookies, message_id: int) -> tuple[Beginning, Beginning]:
    alice = Beginning(seed(1), kind, True, cookies, message_id, ALICE_TO_BOB)
    return alice, replace(alice, seed=seed(2), initiator=False, path=BOB_TO_ALICE)


def phase1(kind: ExchangeType, view: Connection | None = None, other: Connection | None = None) -> Roles:
    """Main or Aggressive Mode; `other` is Bob's connection, else the mirror of Alice's."""
    view = view or connection()
    candidates = Candidates((other or mirrored(view),))
    alice, bob = _beginnings(kind, COOKIES, 0)
    return Roles(
        Role(alice, lambda link, host, entropy: MODES[kind].initiate(link, view, entropy)),
        Role(replace(bob, minted=MINTED), lambda link, host, entropy: MODES[kind].respond(link, candidates, entropy)),
    )


def quick_mode_of(ours: Child | None = None, theirs: Sequence[Child] = (), nat: NatTraversal | None = None) -> Roles:
    """Quick Mode; `theirs` are Bob's children, else the mirror of Alice's. `nat`: what phase 1 has found."""
    ours = ours or child()
    theirs = tuple(theirs) or (replace(ours, local=ours.remote, remote=ours.local),)
    alices, bobs = isakmp_sas()
    sas = replace(alices, nat=nat), replace(bobs, nat=nat)
    alice, bob = (
        replace(beginning, origins=sa.last_blocks, path=floated(beginning.path, 4500) if nat else beginning.path)
        for beginning, sa in zip(_beginnings(ExchangeType.QUICK_MODE, sas[0].cookies, MESSAGE_ID), sas, strict=True)
    )
    return Roles(
        Role(alice, lambda link, host, entropy: quick_mode.initiate(link, host, sas[0], ours, entropy), sas[0]),
        Role(bob, lambda link, host, entropy: quick_mode.respond(link, host, sas[1], theirs, entropy), sas[1]),
    )


class SameSpi(HostInMemory):
    """Gives the one SPI whenever it is asked, and holds nothing with the peer."""

    def __init__(self, spi: int) -> None:
        super().__init__()
        self._spi = Spi(spi)

    def serve(self, call: HostCall) -> HostAnswer | IkeError:
        if isinstance(call, FirstContact):
            return True
        return self._spi if isinstance(call, ReserveSpi) else super().serve(call)


@dataclass(frozen=True)
class Kill:
    """One side dies as soon as it has kept its input of that number, counted from 1."""

    side: str
    after: int
    said: bool
    """Had it sent what that input led to?"""
    outage: float = 0.0
    """Seconds until the new process is there; it hears nothing meanwhile."""

    def __str__(self) -> str:
        return f"{self.side}-{self.after}-{'said' if self.said else 'unsaid'}-{self.outage:g}s"


class Retold(Duet):
    """Run by `run`, as every duet."""

    def __init__(self, roles: Roles, kill: Kill | None = None, network: Network | None = None) -> None:
        first = roles.initiator.beginning
        hosts, named = (SameSpi(0x1000), SameSpi(0x2000)), (first.cookies, first.message_id)
        super().__init__(
            first.kind, _nobody, _nobody, network=network, cookies=named[0], message_id=named[1], hosts=hosts
        )
        self._roles, self._kill = roles, kill
        self.inputs: dict[str, Inputs] = {}
        for side in (self.initiator, self.responder):
            side.conversation.close()
            role = roles.of(side.name)
            side.conversation = begin(role.beginning, role.make, role.timing, role.sa)
            self.inputs[side.name] = Inputs(role.beginning)

    def apply(self, side: Side, effects: list[Effect]) -> None:
        if not effects or not isinstance(effects[0], Remember):
            super().apply(side, effects)
            return
        inputs = self.inputs[side.name] = kept(self.inputs[side.name], effects)
        effects, kill = effects[1:], self.kill_now(side.name, len(inputs.given))
        if kill is None:
            super().apply(side, effects)
            return
        side.conversation.let_go()
        super().apply(side, [effect for effect in effects if kill.said and isinstance(effect, Transmit | Fact)])
        self._at(self.now + kill.outage, lambda: self._go_on_as_another(side))

    def kill_now(self, side: str, number: int) -> Kill | None:
        """Does that side die, now that it has kept so many inputs?"""
        return self._kill if self._kill and (self._kill.side, self._kill.after) == (side, number) else None

    def _go_on_as_another(self, side: Side) -> None:
        revived = self._roles.of(side.name).revive(self.inputs[side.name], self.now)
        side.conversation, side.armed = revived.conversation, None
        if revived.returned:
            side.result, side.ended_at = revived.returned[0], self.now
        super().apply(side, [AskHost(revived.asks)] if revived.asks else [])


async def _nobody(*_: object) -> None:
    """In the place of an exchange that is made otherwise."""


Scenario = Callable[[], Roles]


# -- one side alone


def remembered(role: Role, given: Sequence[Input]) -> tuple[Conversation, Inputs]:
    """A new exchange that is given all this, and what it remembers of it."""
    conversation = begin(role.beginning, role.make, role.timing, role.sa)
    inputs = Inputs(role.beginning)
    for each in given:
        inputs = kept(inputs, give(conversation, each))
    return conversation, inputs


def kept(inputs: Inputs, effects: Sequence[Effect]) -> Inputs:
    """With what these effects want to be kept."""
    remember, *others = effects
    assert isinstance(remember, Remember)
    assert not any(isinstance(effect, Remember) for effect in others)
    longer = inputs.adding(remember.given, remember.said)
    assert longer is not None, "it is longer than what is kept"
    return longer


def give(conversation: Conversation, given: Input) -> list[Effect]:
    match given.kind:
        case InputKind.STARTED:
            return conversation.start(given.at)
        case InputKind.HEARD:
            assert given.path is not None
            return conversation.heard(given.octets, given.path, given.at)
        case _:
            return conversation.resume(given.answer, given.at)


def sent_in(effects: Iterable[Effect]) -> list[Transmit]:
    return [effect for effect in effects if isinstance(effect, Transmit)]
