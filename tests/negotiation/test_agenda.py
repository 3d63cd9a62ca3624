"""What is due when."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from ikevd.negotiation.agenda import AT_ONCE, Agenda, agenda_of_many
from tests.negotiation.turns import Turns
from tests.virtual_time import run


def timed() -> tuple[Agenda[str], list[tuple[float, list[str]]]]:
    """An agenda, and when it told what."""
    told: list[tuple[float, list[str]]] = []
    loop = asyncio.get_running_loop()
    return Agenda(lambda keys: told.append((loop.time(), keys))), told


def test_each_key_is_told_once_at_its_time() -> None:
    async def story() -> None:
        agenda, told = timed()
        agenda.set("late", 5.0)
        agenda.set("early", 2.0)
        await asyncio.sleep(10)
        assert told == [(2.0, ["early"]), (5.0, ["late"])]
        assert "late" not in agenda

    run(story())


def test_keys_of_one_time_are_told_together_in_the_order_in_which_they_were_set() -> None:
    async def story() -> None:
        agenda, told = timed()
        agenda.set("b", 2.0)
        agenda.set("a", 2.0)
        await asyncio.sleep(10)
        assert told == [(2.0, ["b", "a"])]

    run(story())


@pytest.mark.parametrize(("second", "when"), [(1.0, 1.0), (9.0, 9.0)], ids=["sooner", "later"])
def test_a_key_has_one_time_the_one_that_was_set_last(second: float, when: float) -> None:
    async def story() -> None:
        agenda, told = timed()
        agenda.set("key", 5.0)
        agenda.set("key", second)
        await asyncio.sleep(20)
        assert told == [(when, ["key"])]

    run(story())


def test_a_key_without_a_time_is_never_due() -> None:
    async def story() -> None:
        agenda, told = timed()
        agenda.set("key", 5.0)
        agenda.set("key", None)
        await asyncio.sleep(20)
        assert told == []

    run(story())


def test_times_that_move_on_and_on_take_no_room() -> None:
    async def story() -> None:
        agenda, told = timed()
        for moment in range(1, 1000):
            agenda.set("key", 1000.0 + moment)
        assert len(agenda._heap) < 50
        await asyncio.sleep(3000)
        assert told == [(1999.0, ["key"])]

    run(story())


def test_who_is_told_may_set_the_next_time() -> None:
    async def story() -> None:
        told: list[float] = []
        loop = asyncio.get_running_loop()

        def again(keys: list[str]) -> None:
            told.append(loop.time())
            if len(told) < 3:
                agenda.set(keys[0], loop.time() + 1)

        agenda = Agenda(again)
        agenda.set("key", 1.0)
        await asyncio.sleep(10)
        assert told == [1.0, 2.0, 3.0]

    run(story())


def test_a_time_that_has_come_already_is_told_at_once_on_uvloop() -> None:
    async def story() -> list[list[str]]:
        told: list[list[str]] = []
        agenda = Agenda(told.append)
        agenda.set("key", asyncio.get_running_loop().time() - 1)
        agenda.set("other", asyncio.get_running_loop().time() - 2)  # arms it once more
        await asyncio.sleep(0.01)
        return told

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        assert loop.run(story()) == [["other", "key"]]


def test_nothing_is_told_after_it_is_closed() -> None:
    async def story() -> None:
        agenda, told = timed()
        agenda.set("key", 5.0)
        agenda.close()
        await asyncio.sleep(20)
        assert told == []

    run(story())


def test_agendas_within_one_have_their_own_keys_and_times() -> None:
    async def story() -> None:
        told: list[tuple[float, str, list[str]]] = []
        loop, many = asyncio.get_running_loop(), agenda_of_many()
        one = Agenda[str](lambda keys: told.append((loop.time(), "one", keys)), many)
        other = Agenda[str](lambda keys: told.append((loop.time(), "other", keys)), many)
        one.set("late", 5.0)
        other.set("key", 3.0)
        one.set("early", 2.0)
        await asyncio.sleep(10)
        one.set("again", 12.0)
        await asyncio.sleep(10)
        assert told == [
            (2.0, "one", ["early"]),
            (3.0, "other", ["key"]),
            (5.0, "one", ["late"]),
            (12.0, "one", ["again"]),
        ]

    run(story())


def test_of_much_that_is_overdue_a_few_are_told_in_one_turn_of_the_loop() -> None:
    async def story() -> None:
        await asyncio.sleep(10)
        told, many = list[int](), agenda_of_many()
        agendas = [Agenda[int](told.extend, many) for _ in range(50)]
        for agenda in agendas:
            for key in range(10):
                agenda.set(key, 2.0)
        with Turns(lambda: len(told)) as turns:
            for _ in range(500):
                await asyncio.sleep(0)
        assert len(told) == 500
        assert turns.most <= AT_ONCE**2

    run(story())


def test_of_many_keys_that_are_due_at_one_time_each_is_told_once_and_at_that_time() -> None:
    async def story() -> None:
        agenda, told = timed()
        for key in range(50):
            agenda.set(str(key), 2.0)
        await asyncio.sleep(10)
        assert [key for _, keys in told for key in keys] == [str(key) for key in range(50)]
        assert {when for when, _ in told} == {2.0}

    run(story())


def test_one_of_many_agendas_that_fails_is_reported_and_stops_no_other() -> None:
    async def story() -> None:
        told, reported = list[list[str]](), list[object]()
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))
        bug, many = RuntimeError("a bug"), agenda_of_many()

        def fails(keys: list[str]) -> None:
            if keys == ["first"]:
                raise bug
            told.append(keys)

        faulty, sound = Agenda[str](fails, many), Agenda[str](told.append, many)
        faulty.set("first", 2.0)
        faulty.set("second", 3.0)
        sound.set("key", 2.0)
        await asyncio.sleep(10)
        assert told == [["key"], ["second"]]
        assert reported == [bug]

    run(story())


def test_of_many_agendas_one_that_is_closed_is_told_nothing() -> None:
    async def story() -> None:
        told, many = list[list[str]](), agenda_of_many()
        closed, open_ = Agenda[str](told.append, many), Agenda[str](told.append, many)
        closed.set("key", 2.0)
        open_.set("other", 3.0)
        closed.close()
        await asyncio.sleep(10)
        assert told == [["other"]]

    run(story())


def test_on_a_clock_that_went_on_during_a_suspension_what_came_due_is_done_within_a_minute() -> None:
    async def story() -> None:
        loop, suspended, told = asyncio.get_running_loop(), 0.0, list[float]()

        def machine() -> float:
            """It goes on while that of the loop stands still."""
            return loop.time() + suspended

        agenda: Agenda[str] = Agenda(lambda keys: told.append(machine()), now=machine)
        agenda.set("rekeying", 3000.0)
        await asyncio.sleep(100)
        suspended = 7200.0
        await asyncio.sleep(60)
        assert [7300 <= when <= 7361 for when in told] == [True]

    run(story())


def test_on_such_a_clock_nothing_is_told_too_early() -> None:
    async def story() -> None:
        loop, told = asyncio.get_running_loop(), list[float]()
        agenda: Agenda[str] = Agenda(lambda keys: told.append(loop.time()), now=lambda: loop.time() + 5.0)
        agenda.set("rekeying", 3005.0)
        await asyncio.sleep(2999)
        assert told == []
        await asyncio.sleep(2)
        assert len(told) == 1

    run(story())
