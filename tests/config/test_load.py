"""A configuration file that is right, from octets to `Config`."""

import re
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from ikevd.config.schema_child import DEFAULT_ESP_PROPOSALS
from ikevd.config.schema_connection import DEFAULT_IKE_PROPOSALS
from ikevd.crypto.secret import Secret
from ikevd.policy.child import Pfs, Start
from ikevd.policy.connection import AddressRange, Resend, Unique
from ikevd.policy.digest import digest
from ikevd.policy.dpd import Dpd, DpdAction, DpdMode
from ikevd.policy.identity import Identity
from ikevd.policy.lives import Lifetime
from ikevd.policy.nat import Encap, NatMethod
from ikevd.policy.proposals import format_esp, format_ike
from ikevd.policy.reqids import Holder, Reqids
from ikevd.policy.settings import Config, Control, Limits, Listen, LogFormat, Looks, OnStop
from tests.config.files import CHILD, MARKED, MINIMAL, ROOT, child, connection, read


def test_minimal_file_and_defaults(tmp_path: Path) -> None:
    loaded = read(tmp_path, MINIMAL)
    assert loaded.warnings == ()
    (berlin,) = loaded.config.connections
    (lan,) = berlin.children
    assert loaded.config == Config(connections=(berlin,))
    assert (berlin.name, berlin.local, berlin.remote) == ("berlin", None, ip_address("198.51.100.1"))
    assert (berlin.local_id, berlin.remote_id) == (None, None)
    assert berlin.psk.key == Secret(MARKED.encode())
    assert berlin.psk.source == f"{tmp_path}/ikevd.yaml:4:10 (inline)"
    assert str(berlin.location) == f"{tmp_path}/ikevd.yaml:2:3"
    assert tuple(map(format_ike, berlin.suites)) == DEFAULT_IKE_PROPOSALS
    assert berlin.lifetime == Lifetime(86_400)
    assert berlin.resend == Resend()
    assert berlin.dpd == Dpd(DpdMode.IDLE, delay=30.0, timeout=8.0, action=None)
    assert (lan.name, str(lan.local), str(lan.remote)) == ("lan", "10.1.0.0/24", "10.2.0.0/24")
    assert tuple(map(format_esp, lan.suites)) == DEFAULT_ESP_PROPOSALS
    assert (lan.lifetime, lan.start, lan.replay_window) == (Lifetime(3_600), Start.ALWAYS, 128)


def test_a_comment_above_a_connection_makes_it_no_other(tmp_path: Path) -> None:
    (before,) = read(tmp_path, MINIMAL).config.connections
    (after,) = read(tmp_path, f"# a comment\n{MINIMAL}").config.connections
    assert (before.location.line, after.location.line) == (2, 3)
    assert after == before
    assert digest(after) == digest(before)


EVERYTHING = """\
connections:
  berlin:
    local: 192.0.2.1
    remote: 198.51.100.1
    local_id: gw-a.example
    remote_id: 12345
    psk: {file: berlin.psk}
    aggressive: true
    aggressive_third: clear
    unique: never
    encap: force
    nat_method: drafts
    nat_keepalive: 5s
    sha256_96: true
    cisco_unity: true
    ike_proposals: aes192-sha256-x25519
    ike_lifetime: 8h
    retransmit: {interval: 500ms, factor: 2, sends: 3}
    dpd: {mode: periodic, delay: 10s, timeout: 20s, action: hold}
    children:
      lan:
        local: 10.1.0.0/24
        remote: 10.2.0.0/24
        esp_proposals: [aes256-sha256-modp2048, aes128-sha256-modp2048]
        lifetime: 1800
        lifetime_kilobytes: 4608000
        pfs: optional
        start: manual
        replay_window: 256
listen: {addresses: [192.0.2.1, "2001:db8::1"], port: 501, nat_port: 4501}
control:
  {socket: /run/x.sock, owner: root:netops, mode: 0660, export_keys: true, read_only: /run/l, read_only_owner: root:w}
limits: {half_open: 50, half_open_per_address: 4, first_messages: 900, first_messages_per_address: 90, secrets: 3}
log: {format: json, level: debug}
bypass:
  own: {local: 10.1.0.0/16, remote: [10.1.0.0/16, "10.9.0.0/16"]}
bypass_connected: true
on_stop: down
remove_unknown: false
unknown_esp: true
runtime_directory: /run/x
"""


def everything(tmp_path: Path) -> Config:
    (tmp_path / "berlin.psk").write_text(f"{MARKED}\n")
    (tmp_path / "berlin.psk").chmod(0o600)
    return read(tmp_path, EVERYTHING, mode=0o644).config


def test_everything_said_of_a_connection(tmp_path: Path) -> None:
    (berlin,) = everything(tmp_path).connections
    assert berlin.local == ip_address("192.0.2.1")
    assert (berlin.local_id, berlin.remote_id) == (Identity.parse("gw-a.example"), Identity.parse("12345"))
    assert berlin.psk.source == f"{tmp_path}/ikevd.yaml:7:10 (file {tmp_path}/berlin.psk)"
    assert [format_ike(suite) for suite in berlin.suites] == ["aes192-sha256-curve25519"]
    assert (berlin.lifetime, berlin.resend) == (Lifetime(28_800), Resend(0.5, 2.0, 3))
    assert berlin.dpd == Dpd(DpdMode.PERIODIC, 10.0, 20.0, DpdAction.HOLD)
    assert (berlin.aggressive, berlin.encrypt_third) == (True, False)
    assert (berlin.encap, berlin.nat_keepalive) == (Encap.FORCE, 5.0)
    assert berlin.nat_methods == (NatMethod.DRAFT_03, NatMethod.DRAFT_02, NatMethod.DRAFT_07)
    assert berlin.sha256_96
    assert berlin.cisco_unity
    assert berlin.unique is Unique.NEVER


def test_everything_said_of_a_child(tmp_path: Path) -> None:
    (berlin,) = everything(tmp_path).connections
    (lan,) = berlin.children
    assert lan.pfs is Pfs.OPTIONAL
    assert [format_esp(suite) for suite in lan.suites] == ["aes256-sha256-modp2048", "aes128-sha256-modp2048"]
    assert (lan.lifetime, lan.start, lan.replay_window) == (Lifetime(1800, 4_608_000), Start.MANUAL, 256)


def test_everything_said_of_the_daemon(tmp_path: Path) -> None:
    config = everything(tmp_path)
    assert config.export_keys
    assert [(b.name, str(b.local), str(b.remote)) for b in config.bypasses] == [
        ("own[1]", "10.1.0.0/16", "10.1.0.0/16"),
        ("own[2]", "10.1.0.0/16", "10.9.0.0/16"),
    ]
    assert config.bypass_connected
    assert config.on_stop is OnStop.DOWN
    assert not config.remove_unknown
    assert config.unknown_esp
    assert config.listen == Listen((ip_address("192.0.2.1"), ip_address("2001:db8::1")), 501, 4501)
    assert config.control == Control(Path("/run/x.sock"), "root:netops", 0o660, Looks(Path("/run/l"), "root:w", 0o660))
    assert config.limits == Limits(50, 4, 900, 90, 3)
    assert (config.log_format, config.log_level, config.runtime) == (LogFormat.JSON, "debug", Path("/run/x"))


def test_each_pair_is_a_child_in_file_order(tmp_path: Path) -> None:
    text = child(local="[10.1.0.0/24, 10.1.1.0/24]", remote="[10.2.0.0/24, 10.2.1.0/24]")
    text += "      web: {local: 10.3.0.0/24, remote: 10.4.0.1}\n"
    (berlin,) = read(tmp_path, text).config.connections
    assert [c.group for c in berlin.children] == ["lan", "lan", "lan", "lan", None]
    assert [(c.name, str(c.local), str(c.remote)) for c in berlin.children] == [
        ("lan[1]", "10.1.0.0/24", "10.2.0.0/24"),
        ("lan[2]", "10.1.0.0/24", "10.2.1.0/24"),
        ("lan[3]", "10.1.1.0/24", "10.2.0.0/24"),
        ("lan[4]", "10.1.1.0/24", "10.2.1.0/24"),
        ("web", "10.3.0.0/24", "10.4.0.1/32"),
    ]


@pytest.mark.parametrize(
    ("of_connection", "of_child", "opens"),
    [
        (None, None, False),
        ("true", None, True),
        (None, "true", True),
        ("true", "false", False),
        ("false", "true", True),
    ],
)
def test_a_child_fails_open_as_it_says_or_else_as_its_connection_says(
    tmp_path: Path, of_connection: str | None, of_child: str | None, opens: bool
) -> None:
    its = f"{CHILD[:-1]}, fail_open: {of_child}}}" if of_child else CHILD
    keys = {"fail_open": of_connection} if of_connection else {}
    (berlin,) = read(tmp_path, connection(children=f"{{lan: {its}}}", **keys)).config.connections
    assert berlin.children[0].fail_open is opens


def test_within_is_a_template_for_peers_from_anywhere(tmp_path: Path) -> None:
    children = "{roads: {local: 10.1.0.0/24, remote: [within 10.3.0.0/16, 10.4.0.0/24]}}"
    (berlin,) = read(tmp_path, connection(remote="any", children=children)).config.connections
    assert [(c.name, str(c.remote), c.template) for c in berlin.children] == [
        ("roads[1]", "10.3.0.0/16", True),
        ("roads[2]", "10.4.0.0/24", False),
    ]


def test_a_distinguished_name_may_be_longer_than_a_host_name(tmp_path: Path) -> None:
    name = f"CN=gw-b, OU={'branch office ' * 30}, O=Example"
    (berlin,) = read(tmp_path, connection(remote_id=f"'{name}'")).config.connections
    assert berlin.remote_id == Identity.parse(name)


@pytest.mark.parametrize(
    ("remote", "remote_id", "said", "shared"),
    [
        ("any", "clients.example", None, False),
        ("any", "clients.example", "true", True),
        ("192.0.2.0/24", "clients.example", "true", True),
        ("any", None, None, True),
        ("any", "any", None, True),
        ("any", None, "false", False),
        ("192.0.2.7", None, None, False),
    ],
)
def test_a_key_is_that_of_a_group_where_it_says_so_or_no_identity_is_asked_for(
    tmp_path: Path, remote: str, remote_id: str | None, said: str | None, shared: bool
) -> None:
    keys = {key: value for key, value in (("remote_id", remote_id), ("group_key", said)) if value}
    (berlin,) = read(tmp_path, connection(remote=remote, **keys)).config.connections
    assert berlin.group_key is shared


@pytest.mark.parametrize(("text", "anything"), [("any", True), ("'@any'", False), ("fqdn:any", False)])
def test_peers_from_anywhere_may_call_themselves_anything(tmp_path: Path, text: str, anything: bool) -> None:
    (berlin,) = read(tmp_path, connection(remote="any", remote_id=text)).config.connections
    assert (berlin.any_identity, berlin.remote_id is None) == (anything, anything)


def test_a_peer_from_anywhere_starts_nothing(tmp_path: Path) -> None:
    (berlin,) = read(tmp_path, connection(remote="any")).config.connections
    assert berlin.remote is None
    assert berlin.children[0].start is Start.PASSIVE


def test_a_peer_from_some_addresses_starts_nothing(tmp_path: Path) -> None:
    for remote in ("192.0.2.16/28", "192.0.2.16-192.0.2.31"):
        (berlin,) = read(tmp_path, connection(remote=remote)).config.connections
        assert berlin.remote is None
        assert berlin.remote_range == AddressRange(ip_address("192.0.2.16"), ip_address("192.0.2.31"))
        assert berlin.children[0].start is Start.PASSIVE
    (berlin,) = read(tmp_path, connection(remote="192.0.2.16/32")).config.connections
    assert (berlin.remote, berlin.remote_range) == (ip_address("192.0.2.16"), None)


@pytest.mark.parametrize(
    ("word", "methods"),
    [
        ("both", (NatMethod.RFC_3947, NatMethod.DRAFT_03, NatMethod.DRAFT_02)),
        ("rfc", (NatMethod.RFC_3947,)),
        ("drafts", (NatMethod.DRAFT_03, NatMethod.DRAFT_02, NatMethod.DRAFT_07)),
        ("none", ()),
    ],
)
def test_nat_method(tmp_path: Path, word: str, methods: tuple[NatMethod, ...]) -> None:
    assert read(tmp_path, connection(nat_method=word)).config.connections[0].nat_methods == methods


def test_no_keepalives(tmp_path: Path) -> None:
    assert read(tmp_path, connection(nat_keepalive="0")).config.connections[0].nat_keepalive == 0


def test_perfect_forward_secrecy_follows_the_group(tmp_path: Path) -> None:
    for proposals, pfs in (("aes256-sha256-modp2048", Pfs.REQUIRED), ("aes256-sha256", Pfs.OFF)):
        (berlin,) = read(tmp_path, child(esp_proposals=proposals)).config.connections
        assert berlin.children[0].pfs is pfs


def test_env_and_credential(tmp_path: Path) -> None:
    (tmp_path / "berlin").write_text(MARKED)
    for source in ("{env: BERLIN}", "{credential: berlin}"):
        loaded = read(tmp_path, connection(psk=source), 0o644, BERLIN=MARKED, CREDENTIALS_DIRECTORY=str(tmp_path))
        assert loaded.config.connections[0].psk.key == Secret(MARKED.encode())


def test_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    read(tmp_path, b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())


def test_the_example_loads_and_shows_the_defaults(tmp_path: Path) -> None:
    text = (ROOT / "config" / "ikevd.yaml").read_text()
    (tmp_path / "berlin.psk").write_text(MARKED)
    (tmp_path / "berlin.psk").chmod(0o600)
    (tmp_path / "store").write_text("a key of 32 octets, for the store")
    commented = read(tmp_path, text, 0o644)
    assert commented.warnings == ()
    _, _, body = text.partition("\n\n")
    loaded = read(
        tmp_path,
        re.sub(r"^( {0,8})# ( *(?:[a-z_]+:|- ).*)$", r"\1\2", body, flags=re.MULTILINE),
        0o644,
        CREDENTIALS_DIRECTORY=str(tmp_path),
    ).config
    (berlin,), (by_default,) = loaded.connections, commented.config.connections
    assert (str(berlin.local_id), str(berlin.remote_id)) == ("gw-a.example", "gw-b.example")
    lives = ((child, Lifetime(child.lifetime.seconds)) for child in berlin.children)
    plain = {"inactivity": None, "if_id": 0, "routed": False}
    unlimited = tuple(replace(child, lifetime=lifetime, **plain) for child, lifetime in lives)  # type: ignore[arg-type]
    untold = replace(berlin, local_id=None, remote_id=None, children=unlimited, interface=None, mss=None)
    assert replace(untold, psk=by_default.psk, location=by_default.location) == by_default
    assert replace(loaded.listen, addresses=(), vrf="") == Listen()
    assert replace(loaded.control, owner=None, looks=None) == Control()
    assert (loaded.limits, loaded.log_format, loaded.log_level) == (Limits(), LogFormat.CONSOLE, "info")
    assert loaded.export_keys is commented.config.export_keys is False


@pytest.mark.long
def test_the_order_of_the_file_changes_no_reqid_not_even_of_names_that_meet_at_one_number(tmp_path: Path) -> None:
    connections = [
        f"  p{i}: {{remote: 10.9.{i // 250}.{i % 250 + 1}, psk: {MARKED}, "
        f"children: {{lan: {{local: 10.1.0.0/24, remote: 10.{i // 250 + 10}.{i % 250}.0/24}}}}}}\n"
        for i in range(800)
    ]
    one = read(tmp_path, "connections:\n" + "".join(connections)).config
    other = read(tmp_path, "connections:\n" + "".join(reversed(connections))).config
    numbers = {c.name: c.children[0].reqid for c in one.connections}
    assert numbers == {c.name: c.children[0].reqid for c in other.connections}
    alone = {name: Reqids().lease(Holder(name, "lan")) for name in numbers}
    assert len(set(alone.values())) < len(alone), "else no two of them meet"
    assert len(set(numbers.values())) == len(numbers)
