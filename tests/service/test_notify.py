"""The service manager hears what it must, and a program without one does not notice."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ikevd.service.notify import Notifier, watchdog
from tests.eventually import eventually_async
from tests.service.harness import ServiceManager

DAEMON = """
import asyncio, os, signal
from ikevd.service.notify import Notifier, watchdog

async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    with Notifier(os.environ) as notifier:
        beat = asyncio.create_task(watchdog(notifier, lambda: True))
        notifier.ready("two\\ntunnels")
        await stop.wait()
        notifier.stopping()
        beat.cancel()

asyncio.run(main())
"""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    with ServiceManager(tmp_path / "notify") as manager:
        yield manager


def test_a_program_tells_that_it_is_ready_alive_and_stopping(tmp_path: Path) -> None:
    with ServiceManager(tmp_path / "notify", watchdog=0.1) as manager:
        manager.start([sys.executable, "-c", DAEMON])
        assert manager.expect("READY=1", within=20)["STATUS"] == "two tunnels"
        manager.expect("WATCHDOG=1")
        manager.expect("WATCHDOG=1")
        assert manager.stop() == 0
        manager.expect("STOPPING=1")
        assert not manager.strangers


def test_an_abstract_socket_is_reached() -> None:
    with ServiceManager(f"@ikevd-test-{os.getpid()}") as manager, Notifier(manager.environ()) as notifier:
        notifier.status("hello")
        assert manager.receive() == {"STATUS": "hello"}


def test_ready_carries_its_status(manager: ServiceManager) -> None:
    with Notifier(manager.environ()) as notifier:
        notifier.ready("3 connections")
    assert manager.receive() == {"READY": "1", "STATUS": "3 connections"}


def test_a_status_of_several_lines_cannot_forge_a_field(manager: ServiceManager) -> None:
    with Notifier(manager.environ()) as notifier:
        notifier.status("down\nMAINPID=1")
    assert manager.receive() == {"STATUS": "down MAINPID=1"}


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "relative"])
def test_without_a_socket_that_we_understand_nothing_happens(address: str) -> None:
    with Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"}) as notifier:
        notifier.ready("ready")
        assert notifier.watchdog_interval is None


def test_a_service_manager_that_went_away_does_no_harm(tmp_path: Path) -> None:
    with Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}) as notifier:
        notifier.stopping()


def test_the_service_manager_hears_us_when_no_descriptor_is_left(manager: ServiceManager) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Notifier(manager.environ()) as notifier:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                socket.socket()
            notifier.alive()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert manager.receive() == {"WATCHDOG": "1"}


def test_a_full_queue_does_not_block_a_sign_of_life(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "notify"))
        with Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}) as notifier:
            for _ in range(10_000):
                notifier.alive()


@pytest.mark.parametrize(
    ("extra", "interval"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_interval_is_for_our_process_only(extra: dict[str, str], interval: float | None) -> None:
    with Notifier({"NOTIFY_SOCKET": "/run/notify", **extra}) as notifier:
        assert notifier.watchdog_interval == interval


async def test_an_unhealthy_daemon_gives_no_sign_of_life(tmp_path: Path) -> None:
    with ServiceManager(tmp_path / "notify", watchdog=0.02) as manager:
        asked: list[bool] = []

        def healthy() -> bool:
            asked.append(not asked)
            return asked[-1]

        with Notifier(manager.environ()) as notifier:
            beat = asyncio.create_task(watchdog(notifier, healthy))
            await eventually_async(lambda: len(asked) >= 3)
            beat.cancel()
        assert manager.receive() == {"WATCHDOG": "1"}
        with pytest.raises(TimeoutError):
            manager.receive(within=0.01)


async def test_without_a_watchdog_the_task_ends_at_once() -> None:
    with Notifier({}) as notifier:
        await watchdog(notifier, lambda: True)
