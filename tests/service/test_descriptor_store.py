"""systemd's file descriptor store: what is put in, taken out and left alone."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ikevd.service.descriptor_store import DescriptorStore
from ikevd.service.handed_down import handed_down
from ikevd.service.holding import Held
from ikevd.service.notify import Notifier
from tests.service.harness import ServiceManager


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    with ServiceManager(tmp_path / "notify") as manager:
        yield manager


@pytest.fixture
def notifier(manager: ServiceManager) -> Iterator[Notifier]:
    with Notifier(manager.environ()) as notifier:
        yield notifier


@pytest.fixture
def udp() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        yield udp


def kept(store: DescriptorStore, manager: ServiceManager, **sockets: socket.socket) -> list[dict[str, str]]:
    """What the service manager is told while exactly these are kept."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(store.keep, sockets)
        while not done.done():
            manager.settle()
    manager.settle()
    return list(manager.unread)


def test_a_socket_is_stored_under_its_name_whatever_errors_it_will_have(
    manager: ServiceManager, notifier: Notifier, udp: socket.socket
) -> None:
    assert kept(DescriptorStore(notifier, []), manager, ike=udp) == [{"FDSTORE": "1", "FDNAME": "ike", "FDPOLL": "0"}]
    ((name, descriptor),) = manager.store
    assert (name, os.path.sameopenfile(descriptor, udp.fileno())) == ("ike", True)


def test_what_is_stored_already_is_not_stored_again(notifier: Notifier, manager: ServiceManager) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        store = DescriptorStore(notifier, [Held("ike", udp)])
        assert store.inherited() == [Held("ike", udp)]
        assert store.inherited() == []
        assert kept(store, manager, ike=udp) == []


def test_what_is_not_wanted_has_left_when_keep_returns(
    manager: ServiceManager, notifier: Notifier, udp: socket.socket
) -> None:
    store = DescriptorStore(notifier, [])
    kept(store, manager, ike=udp)
    manager.unread.clear()
    assert kept(store, manager) == [{"FDSTOREREMOVE": "1", "FDNAME": "ike"}, {"BARRIER": "1"}]
    assert manager.store.names == []
    assert store.problem is None


def test_two_of_one_name_leave_and_the_wanted_one_is_stored_again(
    manager: ServiceManager, notifier: Notifier, udp: socket.socket
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        store = DescriptorStore(notifier, [Held("ike", udp), Held("ike", other)])
        told = kept(store, manager, ike=udp)
    assert [message.get("FDSTOREREMOVE") or message.get("FDSTORE") for message in told] == ["1", None, "1"]


def test_nothing_is_kept_after_a_release(manager: ServiceManager, notifier: Notifier, udp: socket.socket) -> None:
    store = DescriptorStore(notifier, [])
    kept(store, manager, ike=udp)
    store.release()
    manager.settle()
    assert manager.store.names == []


def test_a_service_manager_that_went_away_is_a_problem_in_words(tmp_path: Path, udp: socket.socket) -> None:
    with Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}) as notifier:
        store = DescriptorStore(notifier, [])
        store.keep({"ike": udp})
    assert store.problem == "the service manager did not hear of all sockets"


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
        {"LISTEN_FDS": "one", "LISTEN_PID": str(os.getpid())},
    ],
    ids=["none", "no pid", "another pid", "no number"],
)
def test_descriptors_that_are_not_meant_for_us_are_left_alone(environ: dict[str, str]) -> None:
    assert handed_down(environ) == []
