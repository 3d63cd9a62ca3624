"""Clients of L2TP behind one NAT that call from the same port, told apart by marks and the rules of the example."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Event, Thread

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.l2tp import CLIENT, EXAMPLE, INSIDE, PORT, SERVER, Xl2tpd, client_site
from tests.interop.node import Node
from tests.interop.sites import SECRET, Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology
from tests.interop.wire import Frame

TABLES = ("raw", "nat", "mangle", "filter")


@pytest.fixture(scope="module")
def net() -> Iterator[Topology]:
    with Topology(nat="a", neighbour=True) as net:
        yield net


@contextmanager
def rules(net: Topology, text: str) -> Iterator[None]:
    """Of the server's firewall."""
    net.gw_b.run("iptables-legacy-restore", text=text)
    try:
        yield
    finally:
        net.gw_b.run("iptables-legacy-restore", text="".join(f"*{table}\nCOMMIT\n" for table in TABLES))


def server(net: Topology, *changes: tuple[str, str]) -> Ikevd:
    """That of the example, with marks."""
    text = (EXAMPLE / "ikevd.yaml").read_text()
    for before, after in (*changes, ("# mark: unique", "mark: unique"), ("# set_mark_in: same", "set_mark_in: same")):
        assert text.count(before) == 1
        text = text.replace(before, after)
    return Ikevd(net.gw_b, text, files={"office.psk": SECRET}, store=True)


@contextmanager
def echo(node: Node) -> Iterator[None]:
    """A server that says back what it hears, to where it came from."""
    sock, over = node.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)), Event()
    sock.bind((node.address, PORT))
    sock.settimeout(0.2)

    def serve() -> None:
        while not over.is_set():
            with suppress(TimeoutError):
                sock.sendto(*sock.recvfrom(2048))

    thread = Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        sock.close()


class Caller:
    """What calls the server from a port of its own."""

    def __init__(self, node: Node, server: Node, port: int) -> None:
        self._name = node.name.encode()
        self._sock = node.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._sock.settimeout(5)
        self._sock.bind((node.address, port))
        self._sock.connect((server.address, PORT))

    def is_answered(self, times: int = 5) -> bool:
        """Does it hear its own words, and nobody else's?"""
        return all(self._answer(b"%s %d" % (self._name, number)) for number in range(times))

    def _answer(self, words: bytes) -> bool:
        self._sock.send(words)
        return self._sock.recv(2048) == words

    def close(self) -> None:
        self._sock.close()


def all_are_answered(ikevd: Ikevd, net: Topology, sites: Iterable[Site], ports: tuple[int, int]) -> None:
    """Also after a kill and a rekeying."""
    callers = [Caller(node, net.gw_b, port) for node, port in zip((net.gw_a, net.gw_c), ports, strict=True)]
    with ikevd, echo(net.gw_b), StrongSwan(net.gw_a) as one, StrongSwan(net.gw_c) as other:
        for charon, site in zip((one, other), sites, strict=True):
            charon.configure(site)
            charon.bring_up()
        eventually(lambda: len(net.gw_b.xfrm_state()) == 4)
        net.wire.forget()
        assert [caller.is_answered() for caller in (*callers, *callers)] == [True] * 4
        ikevd.kill()
        ikevd.start()
        assert [caller.is_answered() for caller in callers] == [True] * 2
        one.rekey("lan")
        eventually(lambda: len(net.gw_b.xfrm_state()) == 6)
        assert [caller.is_answered() for caller in callers] == [True] * 2
        assert not [frame for frame in net.wire.frames() if PORT in ports_of(frame)], "all of it is in ESP"
        one.forget()
        assert callers[1].is_answered(), "the other one stays"
    for caller in callers:
        caller.close()
    assert net.gw_b.xfrm_state() == []
    assert net.gw_b.xfrm_policy() == []


def ports_of(frame: Frame) -> set[int]:
    """Of UDP in the clear."""
    is_udp = frame.packet[0] >> 4 == 4 and frame.packet[9] == 17
    return {int.from_bytes(frame.packet[at : at + 2], "big") for at in (20, 22)} if is_udp else set()


def test_hosts_that_call_from_different_ports_are_told_apart_by_connmark_alone(net: Topology) -> None:
    """For all of their traffic, whatever port that is from."""
    everything = (("local: dynamic[udp/1701]", "local: dynamic"), ("remote: dynamic[udp] ", "remote: dynamic "))
    ends = (("lan", "dynamic", "dynamic"),)
    sites = [replace(client_site(net, node), children=ends) for node in (net.gw_a, net.gw_c)]
    mangle = (EXAMPLE / "one-nat.rules").read_text().partition("*mangle")[2].partition("COMMIT")[0]
    with rules(net, f"*mangle{mangle}COMMIT\n"):
        all_are_answered(server(net, *everything), net, sites, (40001, 40002))


@pytest.mark.xfrm_interface  # not for that, but for conntrack zones, which only the same guest's kernel has
def test_hosts_that_call_from_the_same_port_are_told_apart_by_zones_too(net: Topology) -> None:
    sites = [client_site(net, node) for node in (net.gw_a, net.gw_c)]
    with rules(net, (EXAMPLE / "one-nat.rules").read_text()):
        all_are_answered(server(net), net, sites, (PORT, PORT))


@pytest.mark.xfrm_interface
@pytest.mark.soak
def test_both_have_a_tunnel_of_l2tp(net: Topology) -> None:
    with (
        rules(net, (EXAMPLE / "one-nat.rules").read_text()),
        server(net),
        Xl2tpd(net.gw_b, SERVER),
        StrongSwan(net.gw_a) as one,
        StrongSwan(net.gw_c) as other,
        Xl2tpd(net.gw_a, CLIENT) as here,
        Xl2tpd(net.gw_c, CLIENT) as there,
    ):
        for charon, node in ((one, net.gw_a), (other, net.gw_c)):
            charon.configure(client_site(net, node))
            charon.bring_up()
        here.connect()
        there.connect()
        assert [node.ping(INSIDE, 3) for node in (net.gw_a, net.gw_c, net.gw_a)] == [3, 3, 3]
