"""What no tunnel carries: what passes outside, and what is dropped."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv6Address, ip_address, ip_network

from ikevd.host.policies import Action, Direction, KernelPolicy, PolicyId
from ikevd.peer.outside import outside
from ikevd.policy.priorities import is_ours, priority
from ikevd.policy.selectors import TrafficSelector
from ikevd.policy.settings import Config, Shunt
from tests.builders import ALICE, connection

OUT, IN, FWD = Direction.OUT, Direction.IN, Direction.FWD
LAN = ip_network("10.1.0.0/16")
NOBODY = Config(connections=())
NEIGHBOURS = [(kind, direction) for kind in (130, 131, 132, 133, 134, 135, 136, 137, 143) for direction in (OUT, IN)]


def policies(config: Config, *connected: str) -> Collection[KernelPolicy]:
    return outside(config, map(ip_network, connected)).values()


def shown(config: Config, *connected: str) -> list[str]:
    """Beyond what stands always."""
    always = outside(NOBODY, ())
    return [_text(policy.id) for policy in policies(config, *connected) if policy.id not in always]


def _text(name: PolicyId) -> str:
    ports = f" {name.protocol}/{name.source_port}/{name.destination_port}" if name.protocol else ""
    return f"{name.direction.value} {name.source} {name.destination}{ports}"


def test_a_host_speaks_with_itself_over_ipv6() -> None:
    loopback = ip_network("::1/128")
    found = [policy.id.direction for policy in policies(NOBODY) if policy.id.source == loopback]
    assert sorted(found, key=str) == [IN, OUT]


def test_neighbours_find_each_other_and_nothing_of_it_is_forwarded() -> None:
    found = [(p.id.source_port, p.id.direction) for p in policies(NOBODY) if p.id.protocol == 58]
    assert sorted(found, key=str) == sorted(NEIGHBOURS, key=str)


def test_a_router_may_say_that_our_packets_of_esp_are_too_long() -> None:
    assert shown(Config((connection(local=ALICE),))) == [f"in 0.0.0.0/0 {ALICE}/32 1/3/4"]
    six = IPv6Address("2001:db8::1")
    assert shown(Config((connection(local=six, remote=six + 1),))) == [f"in ::/0 {six}/128 58/2/0"]


def test_where_routing_chooses_our_address_it_may_say_so_to_any() -> None:
    assert shown(Config((connection(local=None),))) == ["in 0.0.0.0/0 0.0.0.0/0 1/3/4"]
    assert shown(Config((connection(local=None, remote=ip_address("2001:db8::1")),))) == ["in ::/0 ::/0 58/2/0"]
    assert len(shown(Config((connection(local=None, remote=None),)))) == 2


def test_what_the_configuration_names_passes_both_ways_and_is_forwarded() -> None:
    local = TrafficSelector(LAN[0], LAN[-1], protocol=6)
    remote = TrafficSelector(ip_address("10.2.0.1"), ip_address("10.2.0.2"), protocol=6, port=443)
    assert shown(Config((), bypasses=(Shunt("web", local, remote),))) == [
        "out 10.1.0.0/16 10.2.0.1/32 6/0/443",
        "in 10.2.0.1/32 10.1.0.0/16 6/443/0",
        "fwd 10.2.0.1/32 10.1.0.0/16 6/443/0",
        "out 10.1.0.0/16 10.2.0.2/32 6/0/443",
        "in 10.2.0.2/32 10.1.0.0/16 6/443/0",
        "fwd 10.2.0.2/32 10.1.0.0/16 6/443/0",
    ]


def test_connected_networks_stay_outside_where_the_configuration_says_so() -> None:
    assert shown(NOBODY, "10.1.0.0/16") == []
    assert shown(Config((), bypass_connected=True), "10.1.0.0/16") == [
        "out 10.1.0.0/16 10.1.0.0/16",
        "in 10.1.0.0/16 10.1.0.0/16",
        "fwd 10.1.0.0/16 10.1.0.0/16",
    ]


def test_each_of_them_wins_over_every_tunnel_and_block_and_is_known_as_ours() -> None:
    everything = Config((connection(),), bypass_connected=True)
    narrowest = priority(ip_network("10.1.0.1/32"), ip_network("10.2.0.1/32"), 6, 1, 1)
    narrowest_6 = priority(ip_network("2001:db8::1/128"), ip_network("2001:db8::2/128"), 6, 1, 1)
    for policy in policies(everything, "0.0.0.0/0", "::/0"):
        assert policy.action is Action.BYPASS
        assert policy.priority < min(narrowest, narrowest_6)
        assert is_ours(policy.priority)


def test_what_is_dropped_is_dropped_both_ways_and_not_forwarded_after_all_that_passes() -> None:
    drop = Shunt("printer", TrafficSelector.of(LAN), TrafficSelector.parse("10.2.0.9"))
    found = list(policies(Config((connection(),), drops=(drop,)), "10.3.0.0/24"))
    dropped = [policy for policy in found if policy.action is Action.BLOCK]
    assert [_text(policy.id) for policy in dropped] == [
        "out 10.1.0.0/16 10.2.0.9/32",
        "in 10.2.0.9/32 10.1.0.0/16",
        "fwd 10.2.0.9/32 10.1.0.0/16",
    ]
    assert found[-3:] == dropped
    assert {policy.template for policy in dropped} == {None}
    assert {policy.priority for policy in dropped} == {priority(LAN, ip_network("10.2.0.9/32"), drop=True)}


def test_what_is_connected_passes_though_it_is_dropped_too() -> None:
    drop = Shunt("own", TrafficSelector.of(LAN), TrafficSelector.of(LAN))
    config = Config((), bypass_connected=True, drops=(drop,))
    assert {policy.action for policy in policies(config, "10.1.0.0/16")} == {Action.BYPASS}


def test_what_is_forwarded_for_a_tunnel_is_not_held_back_by_a_wide_drop_that_reaches_it_from_both_ends() -> None:
    everything = TrafficSelector.parse("10.0.0.0/8")
    view = connection()
    found = {_text(one.id): one for one in policies(Config((view,), drops=(Shunt("rest", everything, everything),)))}
    ways = "fwd 10.1.0.0/24 10.2.0.0/24", "out 10.2.0.0/24 10.1.0.0/24"
    for forwarded in map(found.__getitem__, ways):
        assert (forwarded.action, forwarded.template) == (Action.BYPASS, None)
        assert forwarded.priority < found["fwd 10.0.0.0/8 10.0.0.0/8"].priority
    assert "out 10.1.0.0/24 10.2.0.0/24" not in found, "the gate of the child decides"
    assert "fwd 10.2.0.0/24 10.1.0.0/24" not in found, "and here, too"

    one_way = Config((view,), drops=(Shunt("host", view.children[0].local, TrafficSelector.parse("10.2.0.9")),))
    assert "fwd 10.1.0.0/24 10.2.0.0/24" not in {_text(one.id) for one in policies(one_way)}
