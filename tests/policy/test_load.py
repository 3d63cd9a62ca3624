"""The configuration file, from octets to `Config`, and every way in which it can be wrong."""

import re
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ikevd.crypto.secret import Secret
from ikevd.errors import ConfigError
from ikevd.policy.identity import Identity
from ikevd.policy.load import Loaded, load
from ikevd.policy.model import Config, Control, Lifetime, Limits, Listen, LogFormat, Resend, Start
from ikevd.policy.proposals import format_esp, format_ike
from ikevd.policy.reqids import REQID_FIRST
from ikevd.policy.schema import FileSection

MARKED = "tEll-nob0dy/MARKED+9137"
ROOT = Path(__file__).resolve().parents[2]

CHILD = "{local: 10.1.0.0/24, remote: 10.2.0.0/24}"
MINIMAL = f"""\
connections:
  berlin:
    remote: 198.51.100.1
    psk: {MARKED}
    children:
      lan: {CHILD}
"""


def read(tmp_path: Path, text: str | bytes, mode: int = 0o600, **environ: str) -> Loaded:
    path = tmp_path / "ikevd.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return load(path, environ)


def problems(tmp_path: Path, text: str | bytes, mode: int = 0o600, **environ: str) -> list[str]:
    """The problems, without the path of the folder."""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text, mode, **environ)
    assert MARKED not in str(caught.value)
    assert "pydantic" not in str(caught.value)
    return [problem.replace(f"{tmp_path}/", "") for problem in caught.value.problems]


def connection(**keys: str) -> str:
    """MINIMAL with some keys of the connection replaced."""
    parts = {"remote": "198.51.100.1", "psk": MARKED, "children": f"{{lan: {CHILD}}}"} | keys
    return "connections:\n  berlin:\n" + "".join(f"    {key}: {value}\n" for key, value in parts.items())


def child(**keys: str) -> str:
    """MINIMAL with some keys of the child replaced."""
    parts = {"local": "10.1.0.0/24", "remote": "10.2.0.0/24"} | keys
    lines = "".join(f"        {key}: {value}\n" for key, value in parts.items())
    return MINIMAL.replace(f" {CHILD}\n", f"\n{lines}")


def peers(*bodies: str) -> str:
    """Connections p0, p1, ... with a network of its own each."""
    return "connections:\n" + "".join(
        f"  p{i}: {{{body}, psk: {MARKED}, children: {{c: {{local: 10.1.0.0/24, remote: 10.2.{i}.0/24}}}}}}\n"
        for i, body in enumerate(bodies)
    )


# What is right.


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
    assert [format_ike(suite) for suite in berlin.suites] == [
        "aes256-sha256-modp2048",
        "aes128-sha256-modp2048",
        "aes256-sha256-curve25519",
        "aes128-sha256-curve25519",
    ]
    assert berlin.lifetime == Lifetime(86_400)
    assert berlin.resend == Resend()
    assert (lan.name, lan.reqid, str(lan.local), str(lan.remote)) == ("lan", REQID_FIRST, "10.1.0.0/24", "10.2.0.0/24")
    assert [format_esp(suite) for suite in lan.suites] == ["aes256-sha256", "aes128-sha256"]
    assert (lan.lifetime, lan.start, lan.replay_window) == (Lifetime(3_600), Start.AUTO, 128)


def test_everything_said(tmp_path: Path) -> None:
    (tmp_path / "berlin.psk").write_text(f"{MARKED}\n")
    (tmp_path / "berlin.psk").chmod(0o600)
    loaded = read(
        tmp_path,
        """\
connections:
  berlin:
    local: 192.0.2.1
    remote: 198.51.100.1
    local_id: gw-a.example
    remote_id: 12345
    psk: {file: berlin.psk}
    ike_proposals: aes192-sha256-x25519
    ike_lifetime: 8h
    retransmit: {interval: 500ms, factor: 2, sends: 3}
    children:
      lan:
        local: 10.1.0.0/24
        remote: 10.2.0.0/24
        esp_proposals: [aes256-sha256-modp2048, aes128-sha256-modp2048]
        lifetime: 1800
        lifetime_kilobytes: 4608000
        start: manual
        replay_window: 256
listen: {addresses: [192.0.2.1, "2001:db8::1"], port: 501, nat_port: 4501}
control: {socket: /run/x.sock, owner: root:netops, mode: 0660}
limits: {half_open: 50, half_open_per_address: 4, reserved_for_static: 10}
log: {format: json, level: debug}
runtime_directory: /run/x
""",
        mode=0o644,
    )
    config = loaded.config
    (berlin,) = config.connections
    (lan,) = berlin.children
    assert berlin.local == ip_address("192.0.2.1")
    assert (berlin.local_id, berlin.remote_id) == (Identity.parse("gw-a.example"), Identity.parse("12345"))
    assert berlin.psk.source == f"{tmp_path}/ikevd.yaml:7:10 (file {tmp_path}/berlin.psk)"
    assert [format_ike(suite) for suite in berlin.suites] == ["aes192-sha256-curve25519"]
    assert (berlin.lifetime, berlin.resend) == (Lifetime(28_800), Resend(0.5, 2.0, 3))
    assert [format_esp(suite) for suite in lan.suites] == ["aes256-sha256-modp2048", "aes128-sha256-modp2048"]
    assert (lan.lifetime, lan.start, lan.replay_window) == (Lifetime(1800, 4_608_000), Start.MANUAL, 256)
    assert config.listen == Listen((ip_address("192.0.2.1"), ip_address("2001:db8::1")), 501, 4501)
    assert config.control == Control(Path("/run/x.sock"), "root:netops", 0o660)
    assert config.limits == Limits(50, 4, 10)
    assert (config.log_format, config.log_level, config.runtime) == (LogFormat.JSON, "debug", Path("/run/x"))


def test_each_pair_is_a_child_with_a_reqid_in_file_order(tmp_path: Path) -> None:
    text = child(local="[10.1.0.0/24, 10.1.1.0/24]", remote="[10.2.0.0/24, 10.2.1.0/24]")
    text += "      web: {local: 10.3.0.0/24, remote: 10.4.0.1}\n"
    (berlin,) = read(tmp_path, text).config.connections
    assert [(c.name, c.reqid - REQID_FIRST, str(c.local), str(c.remote)) for c in berlin.children] == [
        ("lan[1]", 0, "10.1.0.0/24", "10.2.0.0/24"),
        ("lan[2]", 1, "10.1.0.0/24", "10.2.1.0/24"),
        ("lan[3]", 2, "10.1.1.0/24", "10.2.0.0/24"),
        ("lan[4]", 3, "10.1.1.0/24", "10.2.1.0/24"),
        ("web", 4, "10.3.0.0/24", "10.4.0.1/32"),
    ]


def test_a_peer_from_anywhere_starts_nothing(tmp_path: Path) -> None:
    (berlin,) = read(tmp_path, connection(remote="any")).config.connections
    assert berlin.remote is None
    assert berlin.children[0].start is Start.MANUAL


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
    commented = read(tmp_path, text, 0o644)
    assert commented.warnings == ()
    _, _, body = text.partition("\n\n")
    loaded = read(tmp_path, re.sub(r"^( *)# ( *(?:[a-z_]+:|- ).*)$", r"\1\2", body, flags=re.MULTILINE), 0o644).config
    (berlin,), (by_default,) = loaded.connections, commented.config.connections
    assert (str(berlin.local_id), str(berlin.remote_id)) == ("gw-a.example", "gw-b.example")
    assert (berlin.suites, berlin.lifetime, berlin.resend) == (
        by_default.suites,
        by_default.lifetime,
        by_default.resend,
    )
    lan, lan_by_default = berlin.children[0], by_default.children[0]
    assert replace(lan, lifetime=Lifetime(lan.lifetime.seconds)) == lan_by_default
    assert replace(loaded.listen, addresses=()) == Listen()
    assert replace(loaded.control, owner=None) == Control()
    assert (loaded.limits, loaded.log_format, loaded.log_level) == (Limits(), LogFormat.CONSOLE, "info")


def test_two_connections_told_apart(tmp_path: Path) -> None:
    read(tmp_path, peers("remote: 192.0.2.1", "remote: 192.0.2.2"))
    read(tmp_path, peers("remote: 192.0.2.1", "remote: 192.0.2.1, remote_id: b.example"))
    read(tmp_path, peers("remote: any, remote_id: a.example", "remote: any, remote_id: b.example", "remote: any"))
    read(tmp_path, peers("remote: 192.0.2.1, local: 192.0.2.8", "remote: 192.0.2.1, local: 192.0.2.9"))


def test_warnings(tmp_path: Path) -> None:
    text = connection(psk="hunter2", ike_proposals="[aes256-sha256-modp2048, aes128-sha1-modp1024]", ike_lifetime="8d")
    loaded = read(tmp_path, text)
    file = f"{tmp_path}/ikevd.yaml"
    psk, lifetime, suite = sorted(loaded.warnings, key=lambda w: ("weak" in w, "7 days" in w))
    assert psk.startswith(f"{file}:4:10: connections.berlin.psk: is shorter than 20 characters")
    assert lifetime == f"{file}:7:19: connections.berlin.ike_lifetime: is more than 7 days (691200 s); " + (
        "keys should not live that long"
    )
    assert suite == (
        f"{file}:6:45: connections.berlin.ike_proposals[1]: 'aes128-sha1-modp1024' is weak: sha1 is deprecated; "
        "modp1024 is too short against a well-funded attacker (RFC 8247)"
    )
    assert "hunter2" not in "".join(loaded.warnings) + repr(loaded)
    assert "there are no connections" in read(tmp_path, "connections: {}").warnings[0]


def test_json_schema_can_be_made() -> None:
    assert "connections" in FileSection.model_json_schema()["properties"]


# What is wrong: the file as a whole.


def test_unreadable_files(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "absent", "there is no file"), (tmp_path, "is not a regular file")):
        with pytest.raises(ConfigError, match=f"{path}:1:1: .*{message}"):
            load(path, {})
    with pytest.raises(ConfigError, match="the file cannot be read: Input/output error"):
        load(Path("/proc/self/mem"), {})
    with pytest.raises(ConfigError, match="larger than 16 MiB"):
        read(tmp_path, b"#" * (16 * 1024**2 + 1))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "ikevd.yaml:1:1: the file is empty; wanted at least `connections:`"),
        (b"# only this\n", "ikevd.yaml:1:1: the file is empty; wanted at least `connections:`"),
        (b"- a", "ikevd.yaml:1:1: the file is a list; wanted a mapping that begins with `connections:`"),
        (b"\n hello", "ikevd.yaml:2:2: the file is a single value; wanted a mapping that begins with `connections:`"),
        (b"{}", "ikevd.yaml:1:1: has no connections; wanted a mapping of names to peers"),
        (b"a: 1\n\xc3\xa9: \xff", "ikevd.yaml:2:4: the octet 0xff is not UTF-8; wanted a text in UTF-8"),
        (
            b"connections: {a: {b: {c: *x}}",
            "ikevd.yaml:2:1: wanted ',' or '}' here, to go on with the mapping or to end it "
            "(it begins on line 1, column 14)",
        ),
        (
            b"connections: *x",
            "ikevd.yaml:1:14: connections: aliases are not supported: write the value out, or quote text that begins "
            "with '*'",
        ),
    ],
)
def test_not_a_configuration(tmp_path: Path, text: bytes, problem: str) -> None:
    assert problems(tmp_path, text) == [problem]


def test_all_problems_at_once_in_file_order(tmp_path: Path) -> None:
    text = """\
connections:
  berlin:
    remot: 198.51.100.1
    psk: {file: nope.psk}
    ike_proposals: [aes256-sha256-modp2048, aes256-sha265-modp2048]
    children:
      lan: {local: 10.1.0.7/24, remote: 10.2.0.0/24}
      lan: {}
  paris:
    remote: any
    psk: 0x5
    children:
      lan: {local: 10.1.0.0/24, remote: 10.2.0.0/24, start: auto}
log: {level: loud}
lmits: 3
"""
    assert problems(tmp_path, text) == [
        "ikevd.yaml:2:3: connections.berlin: has no remote; wanted the peer's address, or `any`",
        "ikevd.yaml:3:5: connections.berlin.remot: is not a known key; did you mean 'remote'?",
        "ikevd.yaml:4:10: connections.berlin.psk: there is no file nope.psk",
        "ikevd.yaml:5:45: connections.berlin.ike_proposals[1]: 'aes256-sha265-modp2048' has an unknown word 'sha265' "
        "(word 2, the hash); did you mean 'sha256'?",
        "ikevd.yaml:7:20: connections.berlin.children.lan.local: '10.1.0.7/24' has host bits set; wanted the subnet "
        "10.1.0.0/24, or the one host 10.1.0.7",
        "ikevd.yaml:8:7: connections.berlin.children.lan: is given twice; it stands on line 7 already",
        "ikevd.yaml:11:10: connections.paris.psk: the key begins with 0x, but what follows is not an even number of "
        "hexadecimal digits",
        "ikevd.yaml:13:61: connections.paris.children.lan.start: is auto, but the remote is `any`, which cannot be "
        "called; wanted manual, or an address",
        "ikevd.yaml:14:14: log.level: is 'loud'; wanted debug, info, warning or error",
        "ikevd.yaml:15:1: lmits: is not a known key; did you mean 'limits'?",
    ]


# What is wrong: one value.


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("remote", "gw.example.com", "host names are not supported by this version; wanted for example 192.0.2.1"),
        ("remote", "198.51.100", "is no IP address; wanted for example 192.0.2.1 or 2001:db8::1; or `any`"),
        ("remote", "0.0.0.0", "is not the address of one host; or `any`"),
        ("remote", "224.0.0.1", "is not the address of one host"),
        ("remote", "255.255.255.255", "is not the address of one host"),
        ("remote", "fe80::1%eth0", "names an interface"),
        ("remote", "", "has no value; wanted text"),
        ("remote", "[a]", "is a list; wanted text"),
        ("remote", "5", "'5' is no IP address"),
        ("local", "any", "'any' is no IP address"),
        ("local", "198.51.100.1", "is 198.51.100.1, as is local; wanted the address of the peer"),
        ("local", "2001:db8::1", "is IPv6, but the remote 198.51.100.1 is IPv4"),
        ("local_id", '""', "is empty; wanted an address"),
        ("local_id", '"@"', "'@' is empty"),
        ("local_id", "10.1.0.300", "looks like an address but is none"),
        ("local_id", "'2001:db8:::1'", "looks like an address but is none"),
        ("remote_id", '"a\\e[1m"', "holds a control character"),
        ("remote_id", "a" * 300, "longer than 255 octets"),
        ("ike_proposals", "[]", "is an empty list; wanted at least one item"),
        ("ike_proposals", "", "has no value; wanted one item or a list"),
        ("ike_proposals", "[aes256-sha256-x25519, aes256-sha256-curve25519]", "says the same as item 0 of this list"),
        ("ike_proposals", "{a: b}", "is a mapping; wanted text"),
        ("ike_lifetime", "8x", "is '8x'; wanted a duration: a number with s, m, h, d or w"),
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
        ("remote", "10.2.0.0/24[tcp/443]", "differ in protocol; wanted the same in all of one child"),
        ("remote", "[10.2.0.0/24, 10.2.0.0-10.2.0.255]", ".remote[1]: says the same as item 0"),
        ("esp_proposals", "aes256", "has no integrity"),
        ("esp_proposals", "[aes256-sha256-modp2048, aes256-sha256]", "names different groups"),
        ("lifetime", "5s", "wanted whole seconds from 60"),
        ("lifetime_kilobytes", "100", "is 100; wanted a number from 2560 to"),
        ("lifetime_kilobytes", "", "has no value; wanted a number"),
        ("start", "always", "is 'always'; wanted auto or manual"),
        ("start", "aut", "did you mean 'auto'?"),
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
        ("limits: {half_open: 50}", "limits.half_open: reserved_for_static (100) is larger than half_open (50)"),
        ("limits: {half_open_per_address: 501}", "limits.half_open_per_address: half_open_per_address (501) is larger"),
        ("listen: {prot: 1}", "listen.prot: is not a known key; did you mean 'port'?"),
        ("control: {path: /x}", "control.path: is not a known key; wanted socket, owner or mode"),
        (
            "limits: {x: 1}",
            "limits.x: is not a known key; wanted half_open, half_open_per_address or reserved_for_static",
        ),
        ("log: {levle: info}", "log.levle: is not a known key; did you mean 'level'?"),
        ("log: yes", "log: is a single value; wanted a mapping"),
        ("log: {format: yaml}", "log.format: is 'yaml'; wanted console or json"),
        ("runtime_directory: run", "runtime_directory: is 'run'; wanted an absolute path"),
        ("connections: {}", "connections: is given twice; it stands on line 1 already"),
    ],
)
def test_other_sections(tmp_path: Path, line: str, message: str) -> None:
    (found,) = problems(tmp_path, MINIMAL + line)
    assert found.startswith("ikevd.yaml:7:")
    assert message in found


def test_local_must_be_listened_on(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, connection(local="192.0.2.1") + "listen: {addresses: [192.0.2.2]}")
    assert "192.0.2.1 is not one of listen.addresses (192.0.2.2)" in found


def test_connections_that_nobody_can_tell_apart(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, peers("remote: 192.0.2.1", "remote: 192.0.2.1, remote_id: 192.0.2.1"))
    assert found.startswith(
        "ikevd.yaml:3:3: connections.p1: has the same remote (192.0.2.1) and remote_id (192.0.2.1) as p0 on line 2"
    )
    (found,) = problems(tmp_path, peers("remote: any", "remote: any"))
    assert "remote (any) and remote_id (any address) as p0" in found
    (found,) = problems(tmp_path, peers("remote: any, local: 192.0.2.1", "remote: any"))
    assert "as p0" in found


def test_one_pair_belongs_to_one_child_of_all_connections(tmp_path: Path) -> None:
    text = MINIMAL + f"  paris: {{remote: 192.0.2.9, psk: {MARKED}, children: {{x: {CHILD}}}}}\n"
    (found,) = problems(tmp_path, text)
    assert "connections.paris.children.x: the pair 10.1.0.0/24 to 10.2.0.0/24 is also that of berlin" in found
    assert found.endswith("on line 6")


def test_more_pairs_than_reqids(tmp_path: Path) -> None:
    many = "[" + ", ".join(f"10.{i // 256}.{i % 256}.0/24" for i in range(257)) + "]"
    (found,) = problems(tmp_path, child(local=many, remote=many))
    assert "reaches more than 65536 pairs" in found


def test_a_failing_connection_hides_no_other_problem(tmp_path: Path) -> None:
    text = connection(remote="x") + "  paris: {remote: 192.0.2.1, psk: [], children: {}}\n"
    assert len(problems(tmp_path, text)) == 3
    assert len(problems(tmp_path, MINIMAL.replace("198.51.100.1", "x").replace(MARKED, "[]"))) == 2
    assert len(problems(tmp_path, "connections: 5\nlisten: 5\n")) == 2
    assert len(problems(tmp_path, "connections: {a: 5, b: *x}\n")) == 2


# Secrets.


@pytest.mark.parametrize(
    "psk",
    [
        f"{MARKED}",
        f"{{{MARKED}}}",
        f"{{{MARKED}: x, {MARKED}: y}}",
        f"{{key: {MARKED}}}",
        f"{{file: {{x: {MARKED}}}}}",
        f"{{env: {MARKED}}}",
        f"{{credential: {MARKED}}}",
        f"[{MARKED}]",
        f"!{MARKED} x",
        f"&{MARKED} x",
        f"*{MARKED}",
        f'"{MARKED}',
        f"@{MARKED}",
        f"{MARKED}: x",
        f"x: {MARKED}",
        f"0x{MARKED}",
        f"0s{MARKED}=",
        f"\n      {MARKED}",
        f"\n      {MARKED}: {MARKED}",
        f"\n    {MARKED}",
        f"\t{MARKED}",
        f'"\\q{MARKED}"',
        f"|9\n {MARKED}",
    ],
)
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_no_message_shows_a_secret(tmp_path: Path, psk: str, mode: int) -> None:
    text = connection(psk=psk, ike_lifetime="8x")
    found = problems(tmp_path, text, mode)  # asserts it
    assert found


def test_no_chained_exception_holds_a_secret(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, connection(psk=MARKED, ike_lifetime="8x"))
    error: BaseException | None = caught.value
    while error is not None:
        assert MARKED not in repr(error) + str(error)
        error = error.__cause__ or error.__context__


def test_inline_key_needs_a_private_file(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, MINIMAL, mode=0o640)
    assert found == (
        "ikevd.yaml:4:10: connections.berlin.psk: stands in the file itself, but ikevd.yaml is open to its group or to "
        "others (mode 0640); run: chmod 600 ikevd.yaml; or keep the key in a file of its own"
    )


def test_no_repr_shows_a_secret(tmp_path: Path) -> None:
    loaded = read(tmp_path, MINIMAL)
    assert MARKED not in repr(loaded) + str(loaded.config)
    assert MARKED not in repr(FileSection.model_validate(yaml.safe_load(MINIMAL)))


# Whatever comes.

SOUP = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(["any", "10.1.0.0/24", "192.0.2.1", "8h", "aes256-sha256-modp2048", "auto", MARKED]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=5)
            | st.sampled_from(
                ["connections", "children", "psk", "remote", "local", "file", "listen", "port", "retransmit", "limits"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def only_config_errors(tmp_path: Path, octets: bytes) -> None:
    with suppress(ConfigError):
        read(tmp_path, octets)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(octets=st.binary() | st.text().map(str.encode) | st.text("abc:-[]{}&*!|>'\"\n #?,<").map(str.encode))
def test_any_octets_raise_only_config_error(tmp_path: Path, octets: bytes) -> None:
    only_config_errors(tmp_path, octets)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=SOUP)
def test_any_data_raises_only_config_error(tmp_path: Path, data: object) -> None:
    only_config_errors(tmp_path, yaml.safe_dump(data, allow_unicode=True).encode())
    only_config_errors(tmp_path, yaml.safe_dump({"connections": {"berlin": data}}).encode())
    only_config_errors(tmp_path, yaml.safe_dump({"connections": {"berlin": {"children": {"lan": data}}}}).encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(at=st.integers(0, len(MINIMAL)), piece=st.text(max_size=4) | st.sampled_from(list(":{}[]&*!|>'\"\n\t#,%@")))
def test_a_damaged_file_shows_no_secret(tmp_path: Path, at: int, piece: str) -> None:
    text = MINIMAL[:at] + piece + MINIMAL[at:]
    try:
        shown = repr(read(tmp_path, text))
    except ConfigError as error:
        shown = str(error)
    assert MARKED not in shown
