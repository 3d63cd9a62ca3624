"""Updown programs in the life of two gateways, through reloads, kills and ends; none is really run here."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass, field, replace

import pytest

from ikevd.errors import Finding
from ikevd.facts import Note
from ikevd.hook_findings import HookExited
from ikevd.host.hooks import HookCall
from ikevd.policy.updown import Updown
from tests.builders import child, connection
from tests.gateways import Gateway, bring_up, reload
from tests.negotiation.mortal import VIEW, Machine, tunnel
from tests.virtual_time import run

ROUTE = Updown("/etc/ikevd/route")
HOOKED = replace(VIEW, children=(child(updown=ROUTE),))
FAILED = HookExited(ROUTE.program, "lan", True, ("no",), code=2)


@dataclass
class Programs:
    """They take a second each, and are written down."""

    outcome: Finding | None = None
    began: list[tuple[str, str]] = field(default_factory=list)
    ended: list[tuple[str, str]] = field(default_factory=list)
    calls: list[HookCall] = field(default_factory=list)

    async def run(self, key: Hashable, call: HookCall, up: bool) -> Finding | None:
        word = call.sa.child, "up" if up else "down"
        self.began.append(word)
        self.calls.append(call)
        await asyncio.sleep(1)
        self.ended.append(word)
        return self.outcome

    async def rest(self) -> None:
        await asyncio.sleep(2)


UP, DOWN = ("lan", "up"), ("lan", "down")


async def hooked(outcome: Finding | None = None) -> tuple[Programs, Machine, Gateway, Gateway]:
    """Alice, whose programs are watched, is about to call Bob."""
    _, hers, his, *_ = await tunnel()
    hers.kill()
    his.kill()
    return await _meet(hers, his, Programs(outcome))


async def _meet(hers: Machine, his: Machine, programs: Programs) -> tuple[Programs, Machine, Gateway, Gateway]:
    hers.programs, hers.connections = programs, (HOOKED,)
    alice, bob = await hers.restart(), await his.restart()
    await asyncio.sleep(20)
    await bring_up(alice)
    await asyncio.sleep(2)
    assert programs.began[-1:] == [UP]
    programs.began.clear()
    programs.ended.clear()
    return programs, hers, alice, bob


def test_a_program_is_run_once_when_the_tunnel_comes_up_and_once_when_it_goes_down() -> None:
    async def story() -> None:
        programs, _, alice, bob = await hooked()
        alice.session.rekey(["lan"], phase1=True)
        await asyncio.sleep(60)
        assert programs.began == []
        bob.session.unwant("lan")
        await asyncio.sleep(2)
        assert programs.ended == [DOWN]
        assert programs.calls[-1] == programs.calls[-2], "it undoes what it did"

    run(story())


def test_a_failure_is_evidence_and_the_tunnel_stands() -> None:
    async def story() -> None:
        _, _, alice, _ = await hooked(FAILED)
        facts = [entry.fact for record in alice.history.find() for entry in record.entries]
        notes = [fact.finding for fact in facts if isinstance(fact, Note)]
        assert FAILED in notes
        hook = alice.session.states["lan"].hook
        assert hook is not None
        assert (hook.ended, hook.failure, alice.pairs) == (True, FAILED, 1)

    run(story())


def test_a_kill_after_it_has_ended_lets_the_next_process_run_nothing() -> None:
    async def story() -> None:
        programs, hers, *_ = await hooked()
        alice = await hers.restart()
        await asyncio.sleep(60)
        assert (programs.began, alice.pairs) == ([], 1)
        alice.session.unwant("lan")
        await asyncio.sleep(2)
        assert programs.began == [DOWN]

    run(story())


def test_a_kill_while_it_runs_lets_the_next_process_run_it_again() -> None:
    async def story() -> None:
        programs, hers, alice, _ = await hooked()
        alice.session.unwant("lan")
        await asyncio.sleep(2)
        programs.began.clear()
        await bring_up(alice)
        await asyncio.sleep(0.5)
        await hers.restart()
        await asyncio.sleep(5)
        assert programs.began == [UP, UP]
        await hers.restart()
        await asyncio.sleep(5)
        assert programs.began == [UP, UP]

    run(story())


def test_a_hand_over_waits_for_what_runs_and_the_next_process_runs_nothing() -> None:
    async def story() -> None:
        programs, hers, alice, _ = await hooked()
        alice.session.unwant("lan")
        await asyncio.sleep(2)
        await bring_up(alice)
        await asyncio.sleep(0.1)
        programs.began.clear()
        assert await alice.engine.hand_over()
        await hers.restart()
        await asyncio.sleep(5)
        assert programs.began == []

    run(story())


@pytest.mark.parametrize("how", ["the child", "the connection"])
def test_what_is_gone_from_the_file_is_undone_by_a_reload(how: str) -> None:
    async def story() -> None:
        programs, _, alice, _ = await hooked()
        other = connection(children=(child(name="dmz", reqid=0x696B0009, remote="10.9.0.0/24"),))
        await reload(alice, *([other] if how == "the child" else []))
        await asyncio.sleep(2)
        assert programs.ended == [DOWN]

    run(story())


@pytest.mark.parametrize("peer_is_there", [True, False])
def test_what_is_gone_from_the_file_at_a_restart_is_undone(peer_is_there: bool) -> None:
    async def story() -> None:
        programs, hers, alice, bob = await hooked()
        if not peer_is_there:
            bob.session.state = replace(bob.session.state, isakmp={})
            state = alice.session.state
            alice.session.state = replace(state, isakmp={})
            alice.session._ledger.learnt(alice.session.state)
        hers.connections = ()
        await hers.restart()
        await asyncio.sleep(5)
        assert programs.ended == [DOWN]

    run(story())


def test_an_end_of_the_daemon_undoes_it_and_leaves_no_record() -> None:
    async def story() -> None:
        programs, hers, alice, _ = await hooked()
        await alice.engine.stop()
        await asyncio.sleep(5)
        assert programs.ended == [DOWN]
        await hers.restart()
        await asyncio.sleep(5)
        assert programs.ended == [DOWN]

    run(story())
