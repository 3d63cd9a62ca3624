"""The pairs of `config/examples`: each ikevd side loads, and the two sides fit each other word for word."""

import re
from ipaddress import ip_network
from pathlib import Path

import pytest

from ikevd.config.load import Loaded, load
from ikevd.policy.child import Child
from ikevd.policy.connection import Connection, PreSharedKey
from ikevd.policy.proposals import format_esp, format_ike
from ikevd.policy.selectors import TrafficSelector
from ikevd.wire.registry import Cipher, EspTransform, Group, Hash, Integrity
from tests.config.files import MARKED, ROOT

EXAMPLES = ROOT / "config" / "examples"
OURS = sorted(EXAMPLES.rglob("*.yaml"))
CISCO = sorted(EXAMPLES.glob("*/*.cfg"))
KEY = "PRE-SHARED-KEY"


def loaded(path: Path, folder: Path) -> Loaded:
    """The example, with the files of its keys beside it."""
    text = path.read_text()
    for name in re.findall(r"\{file: ([a-z]+\.psk)\}", text):
        key = folder / name
        key.touch(mode=0o600)
        key.write_text(f"{name}/{MARKED}\n")
    copy = folder / path.name
    copy.write_text(text)
    return load(copy, {})


def the_one(path: Path, folder: Path) -> Connection:
    (connection,) = loaded(path, folder).config.connections
    return connection


@pytest.mark.parametrize("path", OURS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_our_side_loads_without_a_warning(path: Path, tmp_path: Path) -> None:
    warnings = loaded(path, tmp_path).warnings
    known = [warning for warning in warnings if path.parent.name == "asa" and "sha1 is deprecated" in warning]
    assert list(warnings) == known


def test_every_folder_is_a_pair_and_stands_in_the_readme() -> None:
    folders = sorted(path for path in EXAMPLES.iterdir() if path.is_dir())
    assert len(folders) == 12
    for folder in folders:
        assert len(list(folder.iterdir())) >= 2
        assert f"]({folder.name})" in (EXAMPLES / "README.md").read_text()


def test_the_readme_says_that_no_cisco_was_run() -> None:
    assert "No real Cisco device was ever run against ikevd." in (EXAMPLES / "README.md").read_text()


@pytest.mark.parametrize("folder", ["strongswan", "behind-nat", "full-tunnel", "gre", "nat-exemption", "netmap"])
def test_swanctl_mirrors_our_side(folder: str, tmp_path: Path) -> None:
    ours = the_one(EXAMPLES / folder / "ikevd.yaml", tmp_path)
    theirs = dict(re.findall(r"^\s*(\w+) = (.+)$", (EXAMPLES / folder / "swanctl.conf").read_text(), re.MULTILINE))
    (child,) = ours.children
    assert theirs["version"] == "1"
    assert theirs["local_addrs"] == str(ours.remote)
    assert theirs["remote_addrs"] == str(ours.local or "%any")
    assert theirs["proposals"] == format_ike(ours.suites[0])
    assert theirs["esp_proposals"] == format_esp(child.suites[0])
    assert (theirs["local_ts"], theirs["remote_ts"]) == (as_ts(child, child.remote), as_ts(child, child.local))
    assert theirs["secret"] == f'"{KEY}"'


def as_ts(child: Child, end: TrafficSelector) -> str:
    """strongSwan's notation; in transport mode the end itself."""
    return re.sub(r"^[^\[]+", "dynamic", str(end)) if child.transport else str(end)


@pytest.mark.parametrize("path", CISCO, ids=lambda path: path.parent.name)
def test_the_cisco_side_mirrors_our_side(path: Path, tmp_path: Path) -> None:
    """As far as text can tell: peer, algorithms, lifetimes, and the crypto ACL line by line."""
    ours, text = the_one(path.with_name("ikevd.yaml"), tmp_path), path.read_text()
    (suite,) = ours.suites
    esp = {(child.suites[0], child.lifetime.seconds) for child in ours.children}
    ((child_suite, child_seconds),) = esp
    asa = path.parent.name == "asa"
    assert (suite.cipher, suite.key_bits, suite.group) == (Cipher.AES_CBC, 256, Group.MODP_2048)
    assert (child_suite.transform, child_suite.key_bits) == (EspTransform.AES_CBC, 256)
    assert f"encryption {'aes-256' if asa else 'aes 256'}\n" in text
    assert f"hash {'sha' if suite.hash == Hash.SHA1 else 'sha256'}\n" in text
    assert " group 14\n" in text
    assert f" lifetime {ours.lifetime.seconds}\n" in text
    hmac = "esp-sha-hmac" if child_suite.integrity == Integrity.HMAC_SHA1 else "esp-sha256-hmac"
    assert f"IKEVD {'esp-aes-256' if asa else 'esp-aes 256'} {hmac}\n" in text
    assert "set pfs group14\n" in text
    assert f"set security-association lifetime seconds {child_seconds}\n" in text
    assert f"{ours.remote}" in text
    assert re.search(rf"(?:set peer|tunnel destination) {ours.local}$", text, re.MULTILINE)
    assert re.search(rf"{KEY}(?: address {ours.local} no-xauth)?$", text, re.MULTILINE)
    lines = re.findall(r"^ ?(?:access-list \S+ extended )?permit ip (\S+) (\S+) (\S+) (\S+)$", text, re.MULTILINE)
    mirrored = [(f"{ip_network(f'{c}/{d}')}", f"{ip_network(f'{a}/{b}')}") for a, b, c, d in lines]
    assert mirrored == [(str(child.local), str(child.remote)) for child in ours.children]


def test_host_and_gateway_mirror_each_other(tmp_path: Path) -> None:
    folder = EXAMPLES / "remote-access"
    host = the_one(folder / "host.yaml", tmp_path)
    laptop, tablet = loaded(folder / "gateway.yaml", tmp_path).config.connections
    assert (laptop.local, laptop.remote) == (host.remote, None)
    assert (laptop.local_id, laptop.remote_id) == (host.remote_id, host.local_id)
    assert same_key(laptop.psk, host.psk)
    assert not same_key(tablet.psk, host.psk)
    assert set(host.suites) <= set(laptop.suites)
    (ours,), (theirs,) = host.children, laptop.children
    assert (ours.local, ours.remote, ours.suites) == (theirs.remote, theirs.local, theirs.suites)


def same_key(one: PreSharedKey, other: PreSharedKey) -> bool:
    return one.key == other.key
