"""Names as the system resolves them. What needs no network."""

from __future__ import annotations

import asyncio
import threading
from ipaddress import ip_address

import pytest

from ikevd.transport.names import THREADS, Resolver, resolve


def test_an_address_means_itself() -> None:
    assert resolve("192.0.2.7") == [ip_address("192.0.2.7")]


def test_what_no_peer_can_have_is_left_out() -> None:
    assert resolve("localhost") == []


def test_what_is_no_name_is_told() -> None:
    with pytest.raises(OSError, match="no name"):
        resolve("a" * 70 + ".example.net")


async def test_more_questions_than_threads_are_answered_one_after_the_other() -> None:
    resolver = Resolver()
    answers = await asyncio.gather(*(resolver.lookup(f"192.0.2.{number}") for number in range(1, 5 * THREADS)))
    assert [str(address) for (address,) in answers] == [f"192.0.2.{number}" for number in range(1, 5 * THREADS)]


async def test_the_system_says_why_there_is_none() -> None:
    with pytest.raises(OSError, match="no name"):
        await Resolver().lookup("a" * 70 + ".example.net")


async def test_while_the_machine_has_no_thread_left_that_is_why_and_afterwards_names_are_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    resolver = Resolver()
    with monkeypatch.context() as while_none_is_left:
        while_none_is_left.setattr(threading.Thread, "start", none_left)
        for _ in range(THREADS + 1):
            with pytest.raises(OSError, match="can't start new thread"):
                await asyncio.wait_for(resolver.lookup("192.0.2.7"), 5)
    assert await asyncio.wait_for(resolver.lookup("192.0.2.7"), 5) == [ip_address("192.0.2.7")]
