"""The UDP sockets outlive the process, in systemd's hands or in those of a process of ours."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ikevd.service.holder_process import NAME
from tests.eventually import PATIENCE, eventually
from tests.service.daemon import Daemon, free_port, runs, sockets_of

pytestmark = pytest.mark.long  # starts daemons

IKEV2 = bytes(range(1, 9)) + bytes(8) + bytes([33, 0x20, 34, 8]) + bytes(4) + (28).to_bytes(4, "big")
"""A header of IKEv2, which is answered: this daemon speaks IKEv1 only."""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path / "daemon", port=free_port()) as daemon:
        yield daemon


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Daemon]:
    """Without a service manager."""
    with Daemon(tmp_path / "daemon", port=free_port(), managed=False) as daemon:
        yield daemon


def port_of(daemon: Daemon) -> int:
    return int(daemon.client.status()["listening"][0].rpartition(":")[2])


def holder_of(daemon: Daemon) -> int:
    """The process that holds its sockets, once it stands."""
    eventually(lambda: daemon.client.status()["socket_holder"]["problem"] is None)
    pid = daemon.client.status()["socket_holder"]["pid"]
    assert isinstance(pid, int)
    return pid


# -- systemd's file descriptor store


def test_after_a_crash_the_next_process_has_the_very_same_sockets(daemon: Daemon) -> None:
    daemon.start()
    sockets = daemon.udp_sockets
    assert len(sockets) == 2
    assert daemon.client.status()["socket_holder"] == {"kind": "service manager", "pid": None, "problem": None}
    assert not (daemon.runtime / NAME).exists()
    daemon.kill()
    daemon.start()
    assert daemon.udp_sockets == sockets


def test_what_arrives_while_no_process_runs_is_answered_by_the_next(daemon: Daemon) -> None:
    daemon.start()
    port = port_of(daemon)
    daemon.kill()
    daemon.manager.settle()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(PATIENCE)
        peer.sendto(IKEV2, ("127.0.0.1", port))
        daemon.start()
        assert peer.recv(100)[:8] == IKEV2[:8]


def test_a_socket_of_every_address_makes_way_for_one_of_a_single_address(daemon: Daemon) -> None:
    port = free_port()
    everywhere = {"addresses": [], "port": port, "nat_port": port + 1}
    daemon.configure(listen=everywhere)
    daemon.start()
    daemon.kill()
    daemon.configure(listen=everywhere | {"addresses": ["127.0.0.1"]})
    daemon.start()
    daemon.manager.settle()
    assert daemon.manager.store.names == [f"ike-127.0.0.1-{port}", f"ike-127.0.0.1-{port + 1}"]
    assert len(daemon.udp_sockets) == 2


# -- a process of ours


def test_without_a_service_manager_a_process_holds_them(alone: Daemon) -> None:
    alone.start()
    sockets, holder = alone.udp_sockets, holder_of(alone)
    eventually(lambda: sockets <= sockets_of(holder))
    alone.kill()
    alone.start()
    assert alone.udp_sockets == sockets
    assert holder_of(alone) == holder


def test_a_daemon_that_ends_with_all_tunnels_down_leaves_no_holder(alone: Daemon) -> None:
    alone.start()
    holder = holder_of(alone)
    assert alone.manager.stop(within=10) == 0
    eventually(lambda: not runs(holder))
    assert not (alone.runtime / NAME).exists()


def test_a_holder_that_dies_gets_a_successor_with_the_same_sockets(alone: Daemon) -> None:
    alone.start()
    sockets, first = alone.udp_sockets, holder_of(alone)
    os.kill(first, signal.SIGKILL)
    second = eventually(lambda: alone.client.status()["socket_holder"]["pid"], lambda pid: pid not in (None, first))
    assert "their holder ended; another one is started in 0.5 s" in alone.log
    eventually(lambda: sockets <= sockets_of(second))
    alone.kill()
    alone.start()
    assert (alone.udp_sockets, holder_of(alone)) == (sockets, second)


def test_a_holder_lets_go_of_every_address_for_a_single_one(alone: Daemon) -> None:
    port = free_port()
    everywhere = {"addresses": [], "port": port, "nat_port": port + 1}
    alone.configure(listen=everywhere)
    alone.start()
    holder = holder_of(alone)
    alone.kill()
    alone.configure(listen=everywhere | {"addresses": ["127.0.0.1"]})
    alone.start()
    assert (len(alone.udp_sockets), holder_of(alone)) == (2, holder)


def test_a_holder_of_before_ends_where_the_configuration_wants_none(alone: Daemon) -> None:
    alone.start()
    holder, port = holder_of(alone), port_of(alone)
    alone.kill()
    alone.configure(listen={"addresses": ["127.0.0.1"], "port": port, "nat_port": port + 1, "holder": False})
    alone.start()
    assert alone.client.status()["socket_holder"] == {"kind": "none", "pid": None, "problem": None}
    eventually(lambda: not runs(holder))
