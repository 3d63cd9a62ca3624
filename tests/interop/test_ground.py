"""The ground that the other tests stand on: two strongSwans, the topology, and what we read from the kernel.

A failure here is a fault of the rig or the helpers, not of ikevd.
"""

from operator import not_

import pytest

from tests.eventually import eventually
from tests.interop.node import Node
from tests.interop.strongswan import StrongSwan, StrongSwanError
from tests.interop.topology import NAT_PORTS, Topology

SECRET = "a not so secret secret"


def configuration(
    local: Node, remote: Node, esp: str, *, ipv6: bool = False, secret: str = SECRET, extra: str = ""
) -> str:
    here, there = (local.address6, remote.address6) if ipv6 else (local.address, remote.outside)
    inner, outer = (local.net6, remote.net6) if ipv6 else (local.net, remote.net)
    return f"""
        connections {{ t {{
          version = 1
          {extra}
          local_addrs = {here}
          remote_addrs = {there}
          proposals = aes128-sha256-modp2048
          local {{ auth = psk
            id = {local.name} }}
          remote {{ auth = psk
            id = {remote.name} }}
          children {{ c {{
            local_ts = {inner}
            remote_ts = {outer}
            esp_proposals = {esp} }} }} }} }}
        secrets {{ ike-1 {{ secret = "{secret}" }} }}
        """


@pytest.mark.parametrize(
    ("esp", "enc", "auth"),
    [
        pytest.param("aes128gcm16", "rfc4106(gcm(aes))", None, id="gcm"),
        pytest.param("aes128gcm16-modp2048", "rfc4106(gcm(aes))", None, id="gcm-pfs"),
        pytest.param("aes256-sha256", "cbc(aes)", "hmac(sha256)", id="cbc"),
        pytest.param("aes256-sha1-modp2048", "cbc(aes)", "hmac(sha1)", id="cbc-pfs"),
    ],
)
@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])
def test_main_mode_and_quick_mode(
    topology: Topology,
    charon_a: StrongSwan,
    charon_b: StrongSwan,
    ipv6: bool,
    esp: str,
    enc: str,
    auth: str | None,
) -> None:
    gw_a, gw_b = topology.gw_a, topology.gw_b
    charon_a.load(configuration(gw_a, gw_b, esp, ipv6=ipv6))
    charon_b.load(configuration(gw_b, gw_a, esp, ipv6=ipv6))
    before = topology.wire.seen()
    charon_a.initiate("c")

    host_b = topology.host_b
    assert topology.host_a.ping(host_b.address6 if ipv6 else host_b.address, 5) == 5

    seen = topology.wire.seen() - before
    assert (seen.ike, seen.esp, seen.udp_esp, seen.clear) == (9, 10, 0, 0)  # 6 + 3, and 5 pings

    states_a, states_b = gw_a.xfrm_state(), gw_b.xfrm_state()
    assert {s.spi: s for s in states_a}.keys() == {s.spi: s for s in states_b}.keys()
    on_b = {s.spi: s for s in states_b}
    assert len(states_a) == 2
    for state in states_a:
        same = on_b[state.spi]
        assert (state.src, state.dst, state.proto, state.mode) == (same.src, same.dst, "esp", "tunnel")
        assert (state.enc, state.auth, state.encap) == (enc, auth, None)
        assert state.enc_key
        assert (state.enc_key, state.auth_key, state.auth_bits) == (
            same.enc_key,
            same.auth_key,
            same.auth_bits,
        )
        size = (84 if not ipv6 else 104) * 5  # strongSwan and the kernel count the inner packets
        assert (state.packets, state.bytes) == (same.packets, same.bytes) == (5, size)

    out = [p for p in gw_a.xfrm_policy() if p.direction == "out"]
    assert [(p.src, p.dst) for p in out] == [(gw_a.net6, gw_b.net6) if ipv6 else (gw_a.net, gw_b.net)]
    assert [t.mode for t in out[0].templates] == ["tunnel"]

    (child,) = charon_b.wait_for_children(1)
    assert int(str(child["spi-in"]), 16) in on_b
    charon_a.terminate(ike="t")
    charon_b.wait_for_children(0)
    for gateway in (gw_a, gw_b):
        eventually(gateway.xfrm_state, not_)


def test_without_a_tunnel_packets_pass_in_the_clear(topology: Topology) -> None:
    """So that `clear == 0` above means something: the router has no way back, but it sees them."""
    before = topology.wire.seen()
    topology.gw_a.run("ping", "-n", "-q", "-c", "1", "-W", "1", "-I", "10.1.0.1", "10.2.0.10", check=False)
    assert (topology.wire.seen() - before).clear == 1


def test_a_wrong_secret_is_an_error_with_the_log(
    topology: Topology, charon_a: StrongSwan, charon_b: StrongSwan
) -> None:
    gw_a, gw_b = topology.gw_a, topology.gw_b
    charon_a.load(configuration(gw_a, gw_b, "aes128gcm16"))
    charon_b.load(configuration(gw_b, gw_a, "aes128gcm16", secret="another"))
    with pytest.raises(StrongSwanError, match=r"(?s)initiate.*charon in"):
        charon_a.initiate("c", timeout=1)
    assert gw_a.xfrm_state() == []


@pytest.mark.parametrize("nat", ["a", "b", "ab"])
def test_through_a_nat(nat: str) -> None:
    with Topology(nat=nat) as net, StrongSwan(net.gw_a) as a, StrongSwan(net.gw_b) as b:
        a.load(configuration(net.gw_a, net.gw_b, "aes128gcm16"))
        b.load(configuration(net.gw_b, net.gw_a, "aes128gcm16"))
        a.initiate("c")
        assert net.host_a.ping(net.host_b.address, 3) == 3
        seen = net.wire.seen()
        assert (seen.esp, seen.udp_esp, seen.clear) == (0, 6, 0)
        (far_port,) = {port for state in net.gw_b.xfrm_state() for port in (state.encap or (0, 0)) if port != 4500} or {
            4500
        }
        assert (far_port in NAT_PORTS) == ("a" in nat), "the NAT in front of the initiator changes its port"


def test_two_clients_behind_one_nat() -> None:
    with (
        Topology(nat="a", neighbour=True) as net,
        StrongSwan(net.gw_a) as a,
        StrongSwan(net.gw_c) as c,
        StrongSwan(net.gw_b) as b,
    ):
        behind = {net.gw_a: (a, net.host_a), net.gw_c: (c, net.host_c)}
        b.load("\n".join(configuration(net.gw_b, gw, "aes128").replace(" t {", f" {gw.name} {{") for gw in behind))
        for gateway, (charon, host) in behind.items():
            charon.load(configuration(gateway, net.gw_b, "aes128"))
            charon.initiate("c")
            assert host.ping(net.host_b.address, 3) == 3
        states = net.gw_b.xfrm_state()
        assert len({state.encap for state in states if state.dst == "192.0.2.1"}) == 2
        seen = net.wire.seen()
        assert (seen.esp, seen.udp_esp, seen.clear) == (0, 12, 0)


def test_where_esp_is_blocked_only_forced_encapsulation_passes(
    topology: Topology, charon_a: StrongSwan, charon_b: StrongSwan
) -> None:
    topology.block_esp(True)
    try:
        for extra, answers in (("encap = no", 0), ("encap = yes", 2)):
            charon_a.load(configuration(topology.gw_a, topology.gw_b, "aes128gcm16", extra=extra))
            charon_b.load(configuration(topology.gw_b, topology.gw_a, "aes128gcm16", extra=extra))
            charon_a.initiate("c")
            assert topology.host_a.ping(topology.host_b.address, 2, wait=1) == answers
            charon_a.terminate(ike="t")
    finally:
        topology.block_esp(False)


def test_loss_on_the_wire(topology: Topology) -> None:
    topology.impair(loss=100)
    try:
        assert topology.gw_a.ping(topology.gw_b.address, 2, wait=1) == 0
    finally:
        topology.impair()
    assert topology.gw_a.ping(topology.gw_b.address, 2) == 2
