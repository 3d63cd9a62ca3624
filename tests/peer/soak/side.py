"""One of the two ends: a process that can be killed, its store and its kernel."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from ikevd.errors import KernelRefused
from ikevd.peer import effects, exchange_facts, facts, kernel_facts
from ikevd.peer.child_state import Half
from ikevd.peer.crossing import must_wait
from ikevd.peer.decide import decide
from ikevd.peer.desired import desired_child
from ikevd.peer.due import next_due
from ikevd.peer.effects import Effect
from ikevd.peer.facts import Fact
from ikevd.peer.state import PeerState
from ikevd.peer.volume_facts import Carried
from ikevd.policy.connection import Connection
from ikevd.sa.model import IpsecSa, Spi
from ikevd.store.codec import decode, encode
from tests.peer.records import KEY, SALT
from tests.peer.soak.exchanges import Message, Open, Reserve
from tests.peer.soak.kernel import Kernel
from tests.peer.soak.talk import Happening, Kept, Talk, Wish
from tests.peer.soak.world import World

NO_KEYS: Mapping[Spi, str] = MappingProxyType({})
NO_MEMORY = KernelRefused("no memory", 12)


class Side:
    """Facts are handled one at a time, and each takes a while."""

    def __init__(self, world: World, connection: Connection, *, alice: bool) -> None:
        self.world = world
        self.connection = connection
        self.alice = alice
        self.other = self
        self.stored = encode(PeerState(KEY))
        self.state = PeerState(KEY)
        self.kernel = Kernel()
        self.kept = Kept()
        self.tally = {"facts": 0, "kills": 0, "pairs": 0}
        self.talk = self._new_talk()
        self._inbox: deque[Happening] = deque()
        self._working = False
        self._waiting: list[Wish] = []
        """For their turn to open an SA."""

    @property
    def quiet(self) -> bool:
        """Is nothing under way?"""
        state = self.state
        pairs = [pair for child in state.children.values() for pair in child.pairs]
        replacing = any(pair.use_at is not None or pair.leave_at is not None for pair in pairs)
        under_way = replacing or self.talk.running or state.quick_modes or state.waiting or state.phase1
        return not (self.talk.silent or under_way or self._inbox)

    # -- the inbox ----------------------------------------------------------------------------------------------

    def post(self, happening: Happening) -> None:
        """Handled after what waits already; by nobody, if there is no process."""
        if self.talk.silent:
            return
        self._inbox.append(happening)
        if not self._working:
            self._working = True
            self._later()

    def hear(self, message: Message) -> None:
        """A datagram."""
        if not self.talk.silent:
            self.talk.hear(message, self.state)

    def _later(self) -> None:
        self.world.after(0.02 * self.world.dice.random(), partial(self._work, self.talk))

    def _work(self, talk: Talk) -> None:
        if talk.silent:
            return
        match self._inbox.popleft():
            case Wish(running, wants) if self.talk.running.get(running.attempt) is running:
                self._serve(Wish(running, wants))
            case Wish():
                pass  # it has ended meanwhile
            case fact:
                self._learn(fact)
        self._working = bool(self._inbox)  # none is left where it was killed
        if self._working:
            self._later()

    def _serve(self, wish: Wish) -> None:
        attempt = wish.running.attempt
        opens = wish.wants if isinstance(wish.wants, Open) and wish.wants.half is Half.INBOUND else None
        if opens and must_wait(self.state, attempt, opens.sa):
            self._waiting.append(wish)
            return
        match wish.wants:
            case Reserve(child) if self.world.chance(self.world.refusals):
                self._learn(kernel_facts.KernelRefused(attempt, NO_MEMORY, child))
            case Reserve(child):
                self._learn(exchange_facts.Reserved(attempt, child, Spi(next(self.world.number))))
            case Open(sa, half):
                spi = sa.inbound if half is Half.INBOUND else sa.outbound
                self._learn(exchange_facts.Opening(attempt, sa, half), {spi: f"of Quick Mode {wish.running.id}"})

    def _learn(self, fact: Fact, keys: Mapping[Spi, str] = NO_KEYS) -> None:
        if self._killed():  # before it is stored
            return
        self.tally["facts"] += 1
        before = self.state
        self.state, todo = decide(self.connection, before, fact, self.world.now, SALT)
        waiting, self._waiting = self._waiting, []
        for wish in waiting:
            self.post(wish)
        self._store(fact)
        if self._killed():  # between store and kernel
            return
        refused = self._apply(before, fact, keys)
        if self._killed():  # between kernel and effects
            return
        for effect in todo:
            if refused is None or not isinstance(effect, effects.Resume):
                self._carry_out(effect)
        if isinstance(fact, exchange_facts.PhaseOneUp) and fact.attempt is None:
            self.talk.say_message_6(fact.sa.cookies)
        self._arm()
        if refused is not None:
            self._learn(refused)

    def _store(self, fact: Fact) -> None:
        self.stored = encode(self.state)
        if isinstance(fact, exchange_facts.PhaseOneUp) and fact.attempt is None:
            self.kept.answers[fact.sa.cookies, 0] = Message("MM6", fact.sa.cookies)

    # -- the kernel ---------------------------------------------------------------------------------------------

    def _apply(self, before: PeerState, fact: Fact, keys: Mapping[Spi, str]) -> Fact | None:
        """Bring it to what is desired of the children that changed, after a restart of all."""
        did = True
        for child in self.connection.children:
            state, was = self.state.children.get(child.name), before.children.get(child.name)
            if state is not None and (state is not was or isinstance(fact, facts.Restarted)):
                self.tally["pairs"] = max(self.tally["pairs"], len(state.standing))
                refuse = bool(keys) and self.world.chance(self.world.refusals)
                did &= self.kernel.bring(child.name, desired_child(self.connection, child, state), keys, refuse=refuse)
        if not isinstance(fact, exchange_facts.Opening):
            return None
        if not did:
            return kernel_facts.KernelRefused(fact.attempt, NO_MEMORY)
        for spi in keys:
            self.world.after(fact.sa.lifetime.seconds, partial(self.lose, spi, kernel_facts.Expired))
        return None

    def lose(self, spi: Spi, kind: type[kernel_facts.Expired] | type[kernel_facts.Vanished]) -> None:
        """An SA is gone from the kernel; who listens is told."""
        for child in self.kernel.lose(spi):
            self.post(kind(child, spi))

    # -- kills --------------------------------------------------------------------------------------------------

    def _new_talk(self) -> Talk:
        return Talk(
            self.world,
            self.connection,
            self.kept,
            self.post,
            lambda message: self.world.carry(lambda: self.other.hear(message)),
            alice=self.alice,
        )

    def _killed(self) -> bool:
        if self.talk.silent:
            return True
        if not self.world.chance(self.world.kills):
            return False
        self.tally["kills"] += 1
        self.talk.silent = True
        self._inbox.clear()
        self._waiting.clear()
        self._working = False
        stood = _standing(self.state)
        self.world.after(3 * self.world.dice.random(), lambda: self._start(stood))
        return True

    def _start(self, stood: set[Spi]) -> None:
        """A new process; some exchanges that wait for the peer go on in it."""
        before, self.talk = self.talk, self._new_talk()
        self.state = decode(PeerState, self.stored)
        if stood - _standing(self.state):
            self.world.wrong.append("a tunnel was lost by a kill")
        known = {*self.state.quick_modes, self.state.phase1}
        able = [it for it in before.running.values() if it.waits_for is not None and it.attempt in known]
        revived = [running for running in able if self.world.chance(0.5)]
        self.post(facts.Restarted(frozenset(running.attempt for running in revived)))
        for child, spi in self._missing():
            self.post(kernel_facts.Vanished(child, spi))
        for running in revived:
            self.talk.take_over(running)

    def _missing(self) -> list[tuple[str, Spi]]:
        """SAs that the state believes in and the kernel has not."""
        held = {name.spi for sas in self.kernel.sas.values() for name in sas}
        pairs = [(child, pair.sa) for child, state in self.state.children.items() for pair in state.standing]
        return [(child, spi) for child, sa in pairs for spi in (sa.inbound, sa.outbound) if spi not in held]

    # -- effects ------------------------------------------------------------------------------------------------

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case effects.BeginPhaseOne(attempt):
                self.talk.begin_phase1(attempt)
            case effects.BeginQuickMode(attempt, child, under):
                self.talk.begin_quick_mode(attempt, child, under)
            case effects.Abort(attempt, error):
                self.talk.fail(attempt, error)
            case effects.Resume(attempt, error):
                self.talk.resume(attempt, self.state.quick_modes[attempt].spi, error)
            case effects.Say(under, payloads, once):
                self.talk.say(under, payloads, once=once)
            case effects.AskTraffic(under):
                self.post(Carried(under, None))
            case effects.Forget(under):
                self.talk.forget(under)
            case _:
                pass

    # -- time ---------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        due = next_due(self.state)
        if due is not None:
            self.world.at(due, partial(self._tick, due, self.talk))

    def _tick(self, due: float, talk: Talk) -> None:
        if talk.silent or next_due(self.state) != due:
            return
        if self.quiet:
            self._learn(facts.Due())
            if not self.talk.silent and next_due(self.state) == due:
                self.world.wrong.append("what was due is due for ever")
        else:
            self.post(facts.Due())


def pairs(side: Side) -> list[IpsecSa]:
    """All that it believes in."""
    return [pair.sa for child in side.state.children.values() for pair in child.pairs]


def _standing(state: PeerState) -> set[Spi]:
    return {pair.sa.inbound for child in state.children.values() for pair in child.standing}
