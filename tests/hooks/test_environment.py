"""What an updown program is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.hooks.environment import environment
from ikevd.policy.identity import Identity
from ikevd.policy.marks import Mark
from ikevd.policy.selectors import TrafficSelector
from ikevd.sa.model import Cpis, Spi, UdpEncapsulation
from ikevd.wire.registry import IdType, Protocol
from tests.builders import ALICE, BOB
from tests.hooks.calls import call


def told(*, up: bool = True, interface: str | None = "eth0", **changes: object) -> dict[str, str]:
    return environment(call(**changes), up=up, interface=interface)


def test_the_names_are_those_of_strongswan_where_the_meaning_is_the_same() -> None:
    assert told() == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PLUTO_VERSION": "1.1",
        "PLUTO_VERB": "up-client",
        "PLUTO_CONNECTION": "lan",
        "PLUTO_INTERFACE": "eth0",
        "PLUTO_REQID": str(0x696B0000),
        "PLUTO_PROTO": "esp",
        "PLUTO_UNIQUEID": "7",
        "PLUTO_ME": str(ALICE),
        "PLUTO_MY_ID": "alice.example",
        "PLUTO_MY_CLIENT": "10.1.0.0/24",
        "PLUTO_MY_PORT": "0",
        "PLUTO_MY_PROTOCOL": "0",
        "PLUTO_PEER": str(BOB),
        "PLUTO_PEER_ID": "bob.example",
        "PLUTO_PEER_CLIENT": "10.2.0.0/24",
        "PLUTO_PEER_PORT": "0",
        "PLUTO_PEER_PROTOCOL": "0",
        "IKEVD_CONNECTION": "bob",
        "IKEVD_LOCAL": "10.1.0.0/24",
        "IKEVD_REMOTE": "10.2.0.0/24",
    }


@pytest.mark.parametrize(
    ("local", "up", "verb"),
    [
        ("10.1.0.0/24", True, "up-client"),
        ("10.1.0.0/24", False, "down-client"),
        (str(ALICE), True, "up-host"),
        (str(ALICE), False, "down-host"),
        ("10.1.0.5", True, "up-client"),
        ("2001:db8::/64", True, "up-client-v6"),
        ("2001:db8::/64", False, "down-client-v6"),
    ],
)
def test_the_verb_tells_whether_it_is_this_host_alone_and_which_ip_it_is(local: str, up: bool, verb: str) -> None:
    assert told(up=up, local_selector=TrafficSelector.parse(local))["PLUTO_VERB"] == verb


def test_a_host_of_ipv6_has_its_verb() -> None:
    host = TrafficSelector.parse("2001:db8::1")
    assert told(local=host.first, local_selector=host)["PLUTO_VERB"] == "up-host-v6"


def test_a_port_is_that_of_each_side() -> None:
    found = told(local_selector=TrafficSelector.parse("10.1.0.0/24[tcp/443]"))
    assert (found["PLUTO_MY_PROTOCOL"], found["PLUTO_MY_PORT"], found["PLUTO_PEER_PORT"]) == ("6", "443", "0")


def test_of_icmp_the_type_stands_for_our_port_and_the_code_for_the_peers() -> None:
    icmp = replace(TrafficSelector.parse("10.1.0.0/24[icmp]"), port=0x0301)
    found = told(local_selector=icmp, remote_selector=TrafficSelector.parse("10.2.0.0/24[icmp]"))
    assert (found["PLUTO_MY_PORT"], found["PLUTO_PEER_PORT"]) == ("3", "1")


def test_a_range_is_told_as_the_smallest_subnet_that_holds_it_and_as_it_is() -> None:
    found = told(remote_selector=TrafficSelector.parse("10.2.0.10-10.2.0.20"))
    assert (found["PLUTO_PEER_CLIENT"], found["IKEVD_REMOTE"]) == ("10.2.0.0/27", "10.2.0.10-10.2.0.20")


def test_esp_in_udp_is_told_with_the_peers_port() -> None:
    assert "PLUTO_UDP_ENC" not in told()
    assert told(encap=UdpEncapsulation(4500, 61234))["PLUTO_UDP_ENC"] == "61234"


def test_that_packets_are_compressed_is_told() -> None:
    assert "PLUTO_IPCOMP" not in told()
    cpi = Spi.of(Protocol.IPCOMP, b"\xd0\x01")
    assert told(cpis=Cpis(cpi, cpi))["PLUTO_IPCOMP"] == "1"


def test_a_routed_child_is_told_with_its_interface_and_what_the_kernel_knows_that_by() -> None:
    xfrm = replace(call(), if_id=42, interface="vpn0")
    found = environment(xfrm, up=True, interface=None)
    assert (found["PLUTO_IF_ID_IN"], found["PLUTO_IF_ID_OUT"], found["IKEVD_INTERFACE"]) == ("42", "42", "vpn0")
    vti = environment(replace(call(), mark_in=Mark(42), mark_out=Mark(42)), up=True, interface=None)
    assert (vti["PLUTO_MARK_IN"], vti["PLUTO_MARK_OUT"]) == ("42/0xffffffff", "42/0xffffffff")
    assert not any(name.startswith(("PLUTO_IF_ID", "PLUTO_MARK", "IKEVD_INTERFACE")) for name in told())


def test_where_there_is_no_way_to_the_peer_the_interface_is_unknown() -> None:
    assert told(interface=None)["PLUTO_INTERFACE"] == "unknown"


NASTY = (b"a\nPATH=/evil", b"\x1b[2J", b"x\0y", "\u202e".encode(), b"\xff\xfe", b"$(reboot)`")


@pytest.mark.parametrize("octets", NASTY)
def test_what_the_peer_calls_itself_comes_without_an_octet_that_is_not_printable(octets: bytes) -> None:
    found = environment(replace(call(), remote_id=Identity(IdType.KEY_ID, octets)), up=True, interface=None)
    assert all(value.isprintable() for value in found.values())
