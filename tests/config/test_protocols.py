"""Transport mode, AH and sequence numbers of 64 bits in the file."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from ikevd.policy.child import Child
from ikevd.policy.packing import WHOLE_MTU, CopyDscp, Packing
from ikevd.policy.selectors import Dynamic, TrafficSelector
from ikevd.wire.registry import Protocol
from tests.config.files import MARKED, child, problems, read

PEER, OURS = "198.51.100.1", "192.0.2.1"


def host(body: str = "", local: str | None = OURS, remote: str = PEER, more: str = "") -> str:
    """A file with one child in transport mode."""
    ours = f"local: {local}, " if local else ""
    return (
        f"connections:\n  berlin: {{{ours}remote: {remote}, psk: {MARKED}, {more}"
        f"children: {{hosts: {{mode: transport, {body}}}}}}}\n"
    )


def the_child(tmp_path: Path, text: str) -> Child:
    (connection,) = read(tmp_path, text).config.connections
    (only,) = connection.children
    return only


def test_a_child_in_transport_mode_needs_no_networks(tmp_path: Path) -> None:
    hosts = the_child(tmp_path, host())
    assert hosts.transport
    assert (hosts.local, hosts.remote) == tuple(TrafficSelector.of_address(ip_address(end)) for end in (OURS, PEER))


@pytest.mark.parametrize(("remote", "version"), [("any", 4), ("2001:db8::/64", 6)])
def test_what_the_connection_does_not_name_shows_when_the_peer_calls(tmp_path: Path, remote: str, version: int) -> None:
    text = host("local: 'dynamic[udp/1701]', remote: 'dynamic[udp]'", local=None, remote=f"'{remote}'")
    hosts = the_child(tmp_path, text)
    for side, words in ((hosts.local, "dynamic[udp/1701]"), (hosts.remote, "dynamic[udp]")):
        assert isinstance(side, Dynamic)
        assert str(side) == words
        assert side.first.version == version


def test_several_ports_are_several_children(tmp_path: Path) -> None:
    text = host("local: ['dynamic[tcp/80]', 'dynamic[tcp/443]'], remote: 'dynamic[tcp]'")
    (connection,) = read(tmp_path, text).config.connections
    assert [str(one.local) for one in connection.children] == [f"{OURS}/32[tcp/80]", f"{OURS}/32[tcp/443]"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("local: 10.1.0.0/24", "is 10.1.0.0/24, but mode: transport is for the two peers themselves; wanted dynamic"),
        ("remote: 192.0.2.9", f"and the remote of the connection is {PEER}: mode: transport is for the two peers"),
        ("local: 192.0.2.9", f"and the local of the connection is {OURS}"),
        ("mode: tunel", "did you mean 'tunnel'?"),
    ],
)
def test_what_is_no_end_of_the_sa_is_refused(tmp_path: Path, body: str, message: str) -> None:
    text = host(body) if "mode" not in body else host().replace("mode: transport", body)
    assert message in problems(tmp_path, text)[0]


def test_the_ends_may_be_named(tmp_path: Path) -> None:
    hosts = the_child(tmp_path, host(f"local: {OURS}, remote: '{PEER}[gre]', ".replace(f"{OURS},", f"'{OURS}[gre]',")))
    assert str(hosts.local) == f"{OURS}/32[gre]"


def test_an_end_of_which_the_connection_knows_no_address_is_not_named(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, host(f"local: {OURS}", local=None))
    assert "the connection names no address as its local" in found


def test_a_tunnel_is_for_networks(tmp_path: Path) -> None:
    assert "which is for mode: transport; wanted networks" in problems(tmp_path, child(local="dynamic"))[0]
    bare = host().replace("mode: transport, ", "start: manual")
    found = problems(tmp_path, bare)
    assert [problem.split("; wanted")[0].split(": ")[-1] for problem in found] == ["has no local", "has no remote"]


def test_ah_in_place_of_esp(tmp_path: Path) -> None:
    lan = the_child(tmp_path, child(ah_proposals="[sha256, sha1]"))
    assert lan.protocol == Protocol.AH
    assert len(lan.suites) == 2


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"ah_proposals": "sha256", "esp_proposals": "null-sha256"}, "AH and ESP are not made together in one child"),
        ({"ah_proposals": "aes256-sha256"}, "word 1 is 'aes256', where the integrity is wanted"),
        ({"ah_proposals": "sha256", "pfs": "required"}, "is required, but ah_proposals name no group"),
        ({"ah_proposals": "[sha256, sha256]"}, "says the same as item 0"),
        ({"esp_proposals": "ah-sha256"}, "those of AH are ah_proposals of the child"),
        ({"esp_proposals": "aes256-sha256-esn", "replay_window": "off"}, "but esn tells by the window"),
        ({"replay_window": "0"}, "is 0; wanted a number from 32 to 4096, a multiple of 32, or off"),
        ({"replay_window": "none"}, "wanted a number from 32 to 4096, a multiple of 32, or off"),
    ],
)
def test_what_cannot_be_together_is_refused(tmp_path: Path, keys: dict[str, str], message: str) -> None:
    assert message in " ".join(problems(tmp_path, child(**keys)))


@pytest.mark.parametrize(("word", "wish"), [("true", True), ("false", False)])
def test_packets_are_compressed_where_the_file_says_so(tmp_path: Path, word: str, wish: bool) -> None:
    assert the_child(tmp_path, child(ipcomp=word)).ipcomp is wish
    assert not the_child(tmp_path, child()).ipcomp
    assert the_child(tmp_path, host("ipcomp: true")).ipcomp


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            child(ipcomp="true", ah_proposals="sha256"),
            "AH encrypts nothing, and IPComp is made together with ESP alone",
        ),
        (host("ipcomp: true", more="encap: force, "), "encap: force of the connection has ESP travel in UDP"),
        (
            host("mode: tunnel, local: 'fd01::/64', remote: 'fd02::/64', ipcomp: true").replace(
                "mode: transport, ", ""
            ),
            "the tunnel is IPv4 and carries IPv6, and the kernel compresses only what is of one version",
        ),
        (
            host(
                "mode: tunnel, local: 10.1.0.0/24, remote: 10.2.0.0/24, ipcomp: true",
                more="interface: {name: vpn0, routes: [10.2.0.0/24]}, ",
            ).replace("mode: transport, ", ""),
            "the interface of its connection is of kind: auto, and a VTI takes nothing that is compressed",
        ),
        (child(ipcomp="true", tfc_padding="1000"), "tfc_padding hides the length of packets, which IPComp shortens"),
    ],
    ids=["ah", "udp", "another IP version", "interface", "padding"],
)
def test_where_ipcomp_has_no_place_it_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (found,) = problems(tmp_path, text)
    assert f"ipcomp: is true, but {message}" in found


def routed(kind: str, children: str) -> str:
    """A connection with an interface."""
    return (
        f"connections:\n  berlin: {{remote: {PEER}, psk: {MARKED}, interface: {{name: vpn0, kind: {kind}}}, "
        f"children: {{{children}}}}}\n"
    )


NETS = "local: 10.1.0.0/24, remote: 10.2.0.0/24, ipcomp: true"
OTHER_NETS = "local: 10.1.1.0/24, remote: 10.2.1.0/24, ipcomp: true"


def test_an_xfrm_interface_takes_what_is_compressed_and_a_vti_does_not(tmp_path: Path) -> None:
    assert the_child(tmp_path, routed("xfrm", f"lan: {{{NETS}}}")).ipcomp
    assert "is of kind: vti, and a VTI takes nothing" in problems(tmp_path, routed("vti", f"lan: {{{NETS}}}"))[0]
    assert the_child(tmp_path, routed("vti", f"lan: {{{NETS}, interface: false, if_id: 42}}")).ipcomp


@pytest.mark.parametrize("other", ["interface: false", "interface: false, if_id: 42"])
def test_all_that_one_connection_compresses_passes_one_interface(tmp_path: Path, other: str) -> None:
    text = routed("xfrm", f"lan: {{{NETS}}}, dmz: {{{OTHER_NETS}, {other}}}")
    assert all("pass another interface, or none" in found for found in problems(tmp_path, text))
    both = routed("xfrm", f"lan: {{{NETS}, {other}}}, dmz: {{{OTHER_NETS}, {other}}}")
    assert len(read(tmp_path, both).config.connections[0].children) == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ipcomp: yes", "did you mean true?"),
        ("ipcomp: deflate", "wanted true or false"),
        ("compress: yes", "did you mean 'ipcomp'?"),
        ("compression_algorithm: deflate", "did you mean 'ipcomp'?"),
    ],
)
def test_the_words_of_others_for_it_are_understood(tmp_path: Path, line: str, message: str) -> None:
    assert message in " ".join(problems(tmp_path, host(line)))


def test_ah_does_not_travel_in_udp(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, host("ah_proposals: sha256", more="encap: force, "))
    assert "encap: force of the connection is for ESP in UDP, and AH cannot travel in it" in found


def test_the_replay_window_is_off_only_by_that_word_and_with_a_warning(tmp_path: Path) -> None:
    loaded = read(tmp_path, child(replay_window="off"))
    assert loaded.config.connections[0].children[0].replay_window == 0
    assert any("replay_window: is off: whoever records a packet" in warning for warning in loaded.warnings)


def test_weak_hashes_of_ah_are_warned_of(tmp_path: Path) -> None:
    loaded = read(tmp_path, child(ah_proposals="md5"))
    assert any("'md5' is weak" in warning for warning in loaded.warnings)


def test_two_clients_from_anywhere_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    one = host(local=None, remote="any", more="remote_id: a.example, ")
    other = (
        host(local=None, remote="any", more="remote_id: b.example, ")
        .replace("connections:\n", "")
        .replace("berlin", "paris")
    )
    assert len(read(tmp_path, one + other).config.connections) == 2


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (host("tfc_padding: mtu"), "transport mode"),
        (child(ah_proposals="sha256", tfc_padding="1000"), "AH"),
    ],
    ids=["transport", "ah"],
)
def test_padding_is_for_esp_in_tunnel_mode(tmp_path: Path, text: str, what: str) -> None:
    (found,) = problems(tmp_path, text)
    assert f"tfc_padding: is for ESP in tunnel mode, and this child is for {what}; wanted no tfc_padding" in found


def test_what_is_done_to_the_outer_packet_wants_one(tmp_path: Path) -> None:
    told = read(tmp_path, host("copy_df: false")).warnings
    assert any("copy_df: has no effect in transport mode" in one for one in told)


def test_how_packets_are_packed(tmp_path: Path) -> None:
    keys = {"copy_df": "false", "copy_ecn": "false", "copy_dscp": "no", "tfc_padding": "mtu"}
    (lan,) = read(tmp_path, child(**keys)).config.connections[0].children
    assert lan.packing == Packing(copy_df=False, copy_ecn=False, copy_dscp=CopyDscp.NO, tfc_padding=WHOLE_MTU)
    (found,) = problems(tmp_path, child(copy_dscp="both"))
    assert "copy_dscp: is 'both'; did you mean 'yes'?" in found


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"ah_proposals": "sha256"}, "AH, and devices know ESP alone; wanted esp_proposals, or hw_offload: auto"),
        ({"tfc_padding": "mtu"}, "tfc_padding, and devices do not pad; wanted no tfc_padding, or hw_offload: auto"),
    ],
)
def test_what_no_network_device_does(tmp_path: Path, keys: dict[str, str], told: str) -> None:
    found = problems(tmp_path, child(hw_offload="crypto", **keys))
    assert any(f"hw_offload: is crypto, but this child has {told}" in one for one in found)


def test_esp_in_udp_is_done_by_no_device(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, host("hw_offload: crypto", more="encap: force, "))
    assert "this child has encap: force, and devices know no ESP in UDP; wanted encap: auto" in found
