"""Every value that can be wrong."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from ikevd.policy.child import Start
from tests.config.files import CHILD, MINIMAL, child, connection, problems, read


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("local", "gw.example.com", "a name may stand as the `remote` of a connection alone; wanted for example"),
        (
            "remote",
            "198.51.100",
            "is no IP address; wanted for example 192.0.2.1 or 2001:db8::1; or `any`",
        ),
        ("remote", "0.0.0.0", "is '0.0.0.0'; did you mean `any`?"),
        ("remote", "'%any'", "is '%any'; did you mean `any`?"),
        ("remote", "Any", "is 'Any'; did you mean `any`?"),
        (
            "local",
            "'%any'",
            "is no IP address; wanted for example 192.0.2.1 or 2001:db8::1; or no such line: then routing",
        ),
        ("log", "3", "belongs to the top of the file, not to the connection"),
        ("remote", "224.0.0.1", "is not the address of one host"),
        ("remote", "255.255.255.255", "is not the address of one host"),
        ("remote", "fe80::1%eth0", "names an interface"),
        ("remote", "", "has no value; wanted text"),
        ("remote", "[a]", "'a' is no IP address"),
        ("remote", "[]", "is empty; wanted an address, a name or several of them"),
        ("remote", "[198.51.100.1, 198.51.100.1]", "names a place twice"),
        ("remote", "[198.51.100.1, 198.51.100.2]", "neither a name nor one of several addresses proves who answers"),
        ("remote", "5", "'5' is no IP address"),
        ("remote", "192.0.2.7/24", "has host bits set; wanted the subnet 192.0.2.0/24, or the one host 192.0.2.7"),
        ("remote", "192.0.2.20-192.0.2.10", "ends before it begins"),
        ("remote", "192.0.2.0/24[udp]", "names a protocol; wanted addresses alone"),
        ("remote", "224.0.0.0/4", "holds multicast addresses"),
        (
            "remote",
            "gw-a.example.com",
            "neither a name nor one of several addresses proves who answers; wanted remote_id",
        ),
        ("group_key", "true", "is true, but the remote is 198.51.100.1, which is one peer; wanted `remote: any`"),
        ("group_key", "maybe", "is 'maybe'; wanted true or false"),
        ("aggressive", "yes", "is 'yes'; did you mean true?"),
        ("aggressive", "maybe", "is 'maybe'; wanted true or false"),
        ("aggressive", "0", "is 0; did you mean false?"),
        ("aggressive", '"true"', "is 'true'; did you mean true?"),
        ("aggressive", "", "has no value; wanted true or false"),
        ("aggressive_third", "plain", "is 'plain'; wanted encrypted or clear"),
        ("unique", "no", "is 'no'; wanted replace, keep or never"),
        ("encap", "always", "is 'always'; did you mean 'force'?"),
        ("encap", "udp", "is 'udp'; wanted auto or force"),
        ("nat_method", "draft", "did you mean 'drafts'?"),
        ("nat_method", "all", "wanted both, rfc, drafts or none"),
        ("nat_method", "none\n    encap: force", "is force, but nat_method is none"),
        ("nat_keepalive", "100ms", "wanted a duration from 1s to 1h, or 0 for no keepalives"),
        ("nat_keepalive", "2h", "wanted a duration from 1s to 1h"),
        ("sha256_96", "96", "is 96; wanted true or false"),
        ("cisco_unity", "on", "is 'on'; did you mean true?"),
        ("local", "any", "'any' is no IP address"),
        ("local", "198.51.100.1", "is 198.51.100.1, as is local; wanted the address of the peer"),
        ("local", "2001:db8::1", "is IPv6, but the remote 198.51.100.1 is IPv4"),
        ("local_id", '""', "is empty; wanted an address"),
        ("local_id", "null", "is null, which is no value; wanted an identity, or no such line"),
        ("local_id", "~", "is ~, which is no value"),
        ("remote_id", "", "has no value; wanted text"),
        ("local_id", '"@"', "'@' is empty"),
        ("local_id", "10.1.0.300", "looks like an address but is none"),
        ("local_id", "'2001:db8:::1'", "looks like an address but is none"),
        ("remote_id", '"a\\e[1m"', "holds a control character"),
        ("remote_id", "a" * 300, "longer than 255 octets"),
        ("remote_id", f"'CN=gw, OU={'a' * 1100}'", "longer than 1024 octets"),
        ("ike_proposals", "[]", "is an empty list; wanted at least one item"),
        ("ike_proposals", "", "has no value; wanted one item or a list"),
        ("ike_proposals", "[aes256-sha256-x25519, aes256-sha256-curve25519]", "says the same as item 0 of this list"),
        ("ike_proposals", "{a: b}", "is a mapping; wanted text"),
        ("ike_lifetime", "8x", "is '8x'; wanted a duration: a number with s, m, h, d or w"),
        ("ike_lifetime", "8 hours", "is '8 hours'; did you mean '8h'?"),
        ("ike_lifetime", "28800sec", "is '28800sec'; did you mean '28800s'?"),
        ("ike_lifetime", "59", "is 59; wanted whole seconds from 60 to 4294967295"),
        ("ike_lifetime", "60.5s", "wanted whole seconds"),
        ("ike_lifetime", "9999w", "wanted whole seconds from 60"),
        ("retransmit", "", "has no value; wanted a mapping (`key: value`)"),
        ("retransmit", "5", "is a single value; wanted a mapping"),
        ("retransmit", "{sends: 0}", "is 0; wanted a number from 1 to 20"),
        ("retransmit", "{sends: true}", "is true; wanted a number from 1 to 20"),
        ("retransmit", "{factor: 0.5}", "wanted a number from 1 to 10, for example 1.8"),
        ("retransmit", "{factor: nan}", "wanted a number from 1 to 10"),
        ("retransmit", "{interval: 2h}", "wanted a duration from 100ms to 60s"),
        ("retransmit", "{try: 3}", "is not a known key; wanted interval, factor or sends"),
        ("dpd", "5", "is a single value; wanted a mapping"),
        ("dpd", "{mode: on-demand}", "is 'on-demand'; did you mean 'idle'?"),
        ("dpd", "{mode: never}", "is 'never'; wanted idle, periodic or off"),
        ("dpd", "{delay: 500ms}", "wanted a duration from 1s to 1h"),
        ("dpd", "{timeout: 1s}", "wanted a duration from 2s to 10m"),
        ("dpd", "{action: trap}", "is 'trap'; did you mean 'hold'?"),
        ("children", "{}", "is empty; wanted at least one child"),
        ("children", "", "has no value; wanted a mapping"),
        ("children", f"{{a b: {CHILD}}}", "this name is not usable; wanted 1 to 64 letters"),
        ("children", "{lan: {local: 10.1.0.0/24}}", "has no remote; wanted the networks on the peer's side"),
        ("children", f"{{a: {CHILD}, b: {CHILD}}}", "10.1.0.0/24 to 10.2.0.0/24 is also that of berlin, child a"),
        ("psk", "", "has no value; wanted {file: NAME}, {env: NAME}, {credential: NAME} or the key itself"),
        ("psk", '""', "the key is empty"),
        ("psk", "{env: ABSENT}", "the environment variable ABSENT is not set"),
    ],
)
def test_connection_values(tmp_path: Path, key: str, value: str, message: str) -> None:
    found = problems(tmp_path, connection(**{key: value}))
    assert len(found) == 1, found
    assert message in found[0]
    assert ": connections.berlin" in found[0]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("local", "10.1.0.7/24", ".local: '10.1.0.7/24' has host bits set"),
        ("local", "[10.1.0.0/24, x]", ".local[1]: 'x' is no address, subnet or range"),
        ("remote", "2001:db8::/32", "2001:db8::/32 is IPv6, but 10.1.0.0/24 is IPv4; wanted a child of its own"),
        ("remote", "within 10.3.0.0/16", "is within 10.3.0.0/16, which is for peers that may come from anywhere"),
        ("remote", "within", "'' is no traffic selector; wanted for example"),
        ("remote", "inside 10.3.0.0/16", "'inside 10.3.0.0/16'"),
        ("local", "within 10.3.0.0/16", "'within 10.3.0.0/16'"),
        ("remote", "10.2.0.0/24[tcp/443]", "differ in protocol; wanted the same in all of one child"),
        ("remote", "[10.2.0.0/24, 10.2.0.0-10.2.0.255]", ".remote[1]: says the same as item 0"),
        ("esp_proposals", "aes256", "has no integrity"),
        (
            "esp_proposals",
            "[aes256-sha256-modp2048, aes256-sha256]",
            "name a group in some items and none in others; wanted",
        ),
        ("pfs", "maybe", "is 'maybe'; wanted required, optional or off"),
        ("pfs", "required", "is required, but esp_proposals name no group to do it with"),
        ("pfs", "optional", "is optional, but esp_proposals name no group"),
        ("pfs", "off\n        esp_proposals: aes256-sha256-modp2048", "is off, but esp_proposals name a group"),
        ("lifetime", "5s", "wanted whole seconds from 60"),
        ("inactivity", "5s", "is '5s'; wanted whole seconds from 10, for example 10m"),
        ("inactivity", "ten minutes", "wanted a duration"),
        (
            "inactivity",
            "10m",
            "ends an idle child, but with start: always it would begin again at once; wanted",
        ),
        ("lifetime_kilobytes", "100", "is 100; wanted a number from 2560 to"),
        ("lifetime_kilobytes", "", "has no value; wanted a number"),
        ("start", "sometimes", "is 'sometimes'; wanted always, on-demand, passive or manual"),
        ("start", "alway", "did you mean 'always'?"),
        ("start", "auto", "is 'auto'; did you mean 'always'?"),
        ("start", "route", "is 'route'; did you mean 'on-demand'?"),
        ("start", "add", "is 'add'; did you mean 'manual'?"),
        ("pfs", "yes", "is 'yes'; did you mean 'required'?"),
        ("pfs", "no", "is 'no'; did you mean 'off'?"),
        ("local", "any", "'any' is no address, subnet or range; for every address, did you mean 0.0.0.0/0 or ::/0?"),
        ("local", "10.1.0.0 255.255.255.0", "is no address, subnet or range; did you mean 10.1.0.0/24?"),
        ("local", "10.1.0.0 0.0.0.255", "is no address, subnet or range; did you mean 10.1.0.0/24?"),
        ("replay_window", "0", "is 0; wanted a number from 32 to 4096, a multiple of 32"),
        ("replay_window", "33", "is 33; wanted"),
    ],
)
def test_child_values(tmp_path: Path, key: str, value: str, message: str) -> None:
    found = problems(tmp_path, child(**{key: value}))
    assert len(found) == 1, found
    assert message in found[0]
    assert ": connections.berlin.children.lan" in found[0]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("listen: {port: 0}", "listen.port: is 0; wanted a number from 1 to 65535"),
        ("listen: {vrf: 'a b'}", "listen.vrf: is 'a b'; wanted the name of an interface"),
        ("listen: {port: 65536}", "listen.port: is 65536; wanted"),
        ("listen: {port: 0777}", "in plain decimal digits without quotes"),
        ("listen: {port: 4500}", "listen.port: port and nat_port are both 4500; wanted two different ports"),
        ("listen: {nat_port: 500}", "listen.nat_port: port and nat_port are both 500"),
        ("listen: {addresses: [192.0.2.1, 192.0.2.1]}", "listen.addresses[1]: says the same as item 0"),
        ("control: {mode: 660}", "control.mode: is 660; wanted four octal digits, for example 0660"),
        ("control: {socket: run/x}", "control.socket: is 'run/x'; wanted an absolute path"),
        (f"control: {{socket: /{'x' * 200}}}", "longer than the 107 octets"),
        ("control: {owner: 'a b'}", "control.owner: is 'a b'; wanted user or user:group"),
        ("limits: {half_open: 0}", "limits.half_open: is 0; wanted a number from 1"),
        (
            "limits: {half_open: 4, half_open_per_address: 5}",
            "limits.half_open_per_address: half_open_per_address (5) is larger than half_open (4)",
        ),
        ("limits: {half_open_per_address: 501}", "limits.half_open_per_address: half_open_per_address (501) is larger"),
        (
            "limits: {first_messages: 600, first_messages_per_address: 1024}",
            "limits.first_messages_per_address: first_messages_per_address (1024) is larger than",
        ),
        ("limits: {secrets: 0}", "limits.secrets: is 0; wanted a number from 1 to 64"),
        ("limits: {secrets: 65}", "limits.secrets: is 65; wanted"),
        ("control: {export_keys: 1}", "control.export_keys: is 1; did you mean true?"),
        ("listen: {prot: 1}", "listen.prot: is not a known key; did you mean 'port'?"),
        (
            "control: {path: /x}",
            "control.path: is not a known key; wanted socket, owner, mode, read_only, read_only_owner, "
            "read_only_mode or export_keys",
        ),
        (
            "control: {socket: /x, read_only: /x}",
            "control.read_only: is also control.socket (/x); wanted another path",
        ),
        (
            "limits: {x: 1}",
            "limits.x: is not a known key; wanted half_open, half_open_per_address, first_messages, "
            "first_messages_per_address or secrets",
        ),
        ("log: {levle: info}", "log.levle: is not a known key; did you mean 'level'?"),
        ("log: yes", "log: is a single value; wanted a mapping"),
        ("log: {level: warn}", "log.level: is 'warn'; did you mean 'warning'?"),
        ("log: {level: crit}", "log.level: is 'crit'; did you mean 'error'?"),
        ("log: {format: yaml}", "log.format: is 'yaml'; wanted console or json"),
        ("runtime_directory: run", "runtime_directory: is 'run'; wanted an absolute path"),
        ("connections: {}", "connections: is given twice; it stands on line 1 already"),
    ],
)
def test_other_sections(tmp_path: Path, line: str, message: str) -> None:
    (found,) = problems(tmp_path, MINIMAL + line)
    assert found.startswith("ikevd.yaml:7:")
    assert message in found


def test_the_share_of_one_address_is_by_default_no_more_than_all_have(tmp_path: Path) -> None:
    limits = read(tmp_path, MINIMAL + "limits: {half_open: 4, first_messages: 600}").config.limits
    assert (limits.half_open_per_address, limits.first_messages_per_address) == (4, 600)


@pytest.mark.parametrize("start", ["always", "on-demand"])
def test_only_an_address_can_be_called(tmp_path: Path, start: str) -> None:
    for remote in ("any", "192.0.2.0/24", "192.0.2.10-192.0.2.20"):
        lan = f"{{local: 10.1.0.0/24, remote: 10.2.0.0/24, start: {start}}}"
        text = connection(remote=remote, children=f"{{lan: {lan}}}")
        (found,) = problems(tmp_path, text)
        assert f"is {start}, but the remote is `{remote}`, which cannot be called" in found


@pytest.mark.parametrize(("fail_open", "childs"), [("true", ""), ("false", ", fail_open: true")])
def test_what_may_leave_in_the_clear_asks_for_no_tunnel(tmp_path: Path, fail_open: str, childs: str) -> None:
    lan = f"{{local: 10.1.0.0/24, remote: 10.2.0.0/24, start: on-demand{childs}}}"
    (found,) = problems(tmp_path, connection(fail_open=fail_open, children=f"{{lan: {lan}}}"))
    assert "lan.start: is on-demand, but fail_open lets the first packet leave in the clear" in found


def test_a_child_on_demand_may_be_closed_where_the_others_are_open(tmp_path: Path) -> None:
    lan = "{local: 10.1.0.0/24, remote: 10.2.0.0/24, start: on-demand, fail_open: false}"
    (berlin,) = read(tmp_path, connection(fail_open="true", children=f"{{lan: {lan}}}")).config.connections
    assert berlin.children[0].start is Start.ON_DEMAND


@pytest.mark.parametrize(("remote", "start"), [("any", ""), ("192.0.2.1", ", start: on-demand")])
def test_an_idle_child_may_end_where_it_does_not_begin_again_by_itself(tmp_path: Path, remote: str, start: str) -> None:
    lan = f"{{local: 10.1.0.0/24, remote: 10.2.0.0/24, inactivity: 10m{start}}}"
    (berlin,) = read(tmp_path, connection(remote=remote, children=f"{{lan: {lan}}}")).config.connections
    assert berlin.children[0].inactivity == 600


def test_a_range_is_of_the_family_of_local(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, connection(remote="192.0.2.0/24", local="'2001:db8::1'"))
    assert "is IPv6, but the remote 192.0.2.0/24 is IPv4" in found


def test_local_must_be_listened_on(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, connection(local="192.0.2.1") + "listen: {addresses: [192.0.2.2]}")
    assert "192.0.2.1 is not one of listen.addresses (192.0.2.2)" in found


def test_a_peer_with_a_name_is_called_and_known_by_its_identity(tmp_path: Path) -> None:
    text = connection(remote="[198.51.100.1, VPN.example.net.]", remote_id="gw-b.example")
    (berlin,) = read(tmp_path, text).config.connections
    assert (berlin.remote, berlin.places) == (None, (ip_address("198.51.100.1"), "vpn.example.net"))
    assert (berlin.anybody, berlin.group_key, berlin.children[0].start) == (False, False, Start.ALWAYS)


def test_a_list_of_one_address_is_that_address(tmp_path: Path) -> None:
    (berlin,) = read(tmp_path, connection(remote="[198.51.100.1]")).config.connections
    assert (berlin.remote, berlin.places) == (ip_address("198.51.100.1"), ())


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"local": "2001:db8::1", "remote": "[vpn.example.net, 198.51.100.1]"},
            "but the remote vpn.example.net, 198.51.",
        ),
        ({"group_key": "true"}, "is true, but the remote is vpn.example.net, which is one peer"),
        ({"children": f"{{lan: {CHILD[:-1]}, start: on-demand}}}}"}, "the kernel holds packets only for one address"),
    ],
)
def test_what_does_not_go_with_a_name(tmp_path: Path, keys: dict[str, str], message: str) -> None:
    (found,) = problems(tmp_path, connection(**{"remote": "vpn.example.net", "remote_id": "gw-b.example", **keys}))
    assert message in found


def test_two_names_of_one_identity_are_told_apart_by_nothing(tmp_path: Path) -> None:
    one = connection(remote="a.example.net", remote_id="gw.example")
    two = one.replace("connections:\n  berlin", "  paris").replace("a.example", "b.example").replace("10.2.", "10.3.")
    (found,) = problems(tmp_path, one + two)
    assert "nobody could tell which of them a peer means" in found
