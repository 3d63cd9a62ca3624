"""One value for all that matters about a connection."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import pytest

from ikevd.crypto.secret import Secret
from ikevd.policy.child import Child, Pfs, Rekey, Selection, Start
from ikevd.policy.child_route import ChildRoute
from ikevd.policy.connection import AddressRange, Connection, Location, PreSharedKey, Resend, Unique
from ikevd.policy.digest import digest
from ikevd.policy.dpd import Dpd
from ikevd.policy.identity import Identity
from ikevd.policy.interface import Interface
from ikevd.policy.lives import Lifetime, LifetimeCheck
from ikevd.policy.marks import Mark, OwnMark
from ikevd.policy.nat import Encap, NatMethod
from ikevd.policy.packing import Packing
from ikevd.policy.updown import Updown
from tests.builders import (
    AES128_SHA256_X25519,
    AES256_SHA1_MODP2048,
    ESP_AES128_SHA256,
    ESP_AES256_SHA1,
    child,
    connection,
    fqdn,
    psk,
    selector,
)

ROOT = Path(__file__).parents[2]

CHANGES: dict[type, dict[str, Any]] = {
    Connection: {
        "name": "rob",
        "local": None,
        "remote": ip_address("2001:db8::1"),
        "local_id": fqdn("gw.example"),
        "remote_id": Identity.parse("keyid:gw.example"),
        "psk": psk("another key for the tests"),
        "suites": (AES256_SHA1_MODP2048, AES128_SHA256_X25519),
        "lifetime": Lifetime(86_401),
        "children": (child(), child(name="dmz")),
        "resend": Resend(sends=7),
        "places": (ip_address("198.51.100.1"), "vpn.example.net"),
        "first_place": True,
        "remote_range": AddressRange(ip_address("10.0.0.1"), ip_address("10.0.0.9")),
        "aggressive": True,
        "encrypt_third": False,
        "encap": Encap.FORCE,
        "nat_methods": (NatMethod.DRAFT_03, NatMethod.RFC_3947),
        "nat_keepalive": 20.5,
        "sha256_96": True,
        "lifetime_check": LifetimeCheck.EXACT,
        "cisco_unity": True,
        "dpd": Dpd(delay=31.0),
        "unique": Unique.KEEP,
        "group_key": True,
        "any_identity": True,
        "backup_of": "charlie",
        "mss": 1300,
        "give_back": False,
        "interface": Interface(
            "tun0", 42, routes=(ip_network("10.2.0.0/16"),), addresses=(ip_interface("10.9.0.1/30"),)
        ),
    },
    Child: {
        "name": "dmz",
        "reqid": 0x696B0001,
        "local": selector("10.1.0.0/25"),
        "remote": replace(selector("10.2.0.0/24"), protocol=6, port=443),
        "suites": (ESP_AES256_SHA1, ESP_AES128_SHA256),
        "lifetime": Lifetime(3600, kilobytes=1024),
        "start": Start.ALWAYS,
        "replay_window": 64,
        "inactivity": 600,
        "selection": Selection.NARROW,
        "updown": Updown("/etc/ikevd/updown"),
        "route": ChildRoute(),
        "pfs": Pfs.OPTIONAL,
        "sha256_96": True,
        "lifetime_check": LifetimeCheck.EXACT,
        "rekey": Rekey.NO,
        "group": "lan",
        "fail_open": True,
        "template": True,
        "if_id": 42,
        "routed": True,
        "mark_in": Mark(42, 0xFF),
        "mark_out": OwnMark.UNIQUE,
        "set_mark_in": Mark(7),
        "set_mark_out": Mark(8),
        "packing": Packing(copy_ecn=False),
        "ipcomp": True,
    },
}
"""Another value for each field that is compared."""


def changed() -> Iterator[Any]:
    for record, changes in CHANGES.items():
        for name, value in changes.items():
            one = {name: value} if record is Connection else {"children": (replace(child(), **{name: value}),)}
            yield pytest.param(connection(**one), id=f"{record.__name__}.{name}")


@pytest.mark.parametrize("record", CHANGES, ids=lambda record: record.__name__)
def test_every_field_that_is_compared_is_tried(record: type) -> None:
    assert {field.name for field in fields(record) if field.compare} == set(CHANGES[record])


@pytest.mark.parametrize("other", [*changed()])
def test_what_changes_a_connection_changes_its_digest(other: Connection) -> None:
    assert digest(other) != digest(connection())


def test_where_a_connection_and_its_key_stand_in_the_file_does_not_matter() -> None:
    moved = connection(location=Location("other.yaml", 9, 9), psk=psk(source="other.yaml:10:7"))
    assert moved == connection()
    assert hash(moved) == hash(connection())
    assert digest(moved) == digest(connection())


def test_an_identity_that_is_written_otherwise_but_the_same_gives_the_same_digest() -> None:
    one, other = connection(remote_id=fqdn("GW.example.")), connection(remote_id=fqdn("gw.example"))
    assert one == other
    assert digest(one) == digest(other)


def test_the_order_of_the_children_does_not_matter() -> None:
    lan, dmz = child(), child("10.3.0.0/24", name="dmz", reqid=0x696B0001)
    assert digest(connection(children=(lan, dmz))) == digest(connection(children=(dmz, lan)))


@pytest.mark.parametrize("start", [Start.ON_DEMAND, Start.PASSIVE])
def test_what_stands_goes_on_where_ikevd_shall_only_begin_otherwise(start: Start) -> None:
    assert digest(connection(children=(child(start=start),))) == digest(connection(children=(child(),)))


def test_the_digest_is_shown_nowhere() -> None:
    assert repr(digest(connection())) == "<secret>"


@pytest.mark.parametrize("seed", ["1", "2"])
@pytest.mark.long
def test_another_process_finds_the_digest_whatever_its_hash_seed(seed: str) -> None:
    command = "from tests.policy.test_digest import SAMPLE, digest; print(digest(SAMPLE).reveal().hex())"
    environ = {**os.environ, "PYTHONHASHSEED": seed}
    told = subprocess.run([sys.executable, "-c", command], env=environ, cwd=ROOT, capture_output=True, check=True)
    assert told.stdout.decode().strip() == digest(SAMPLE).reveal().hex()


SAMPLE = connection(
    psk=PreSharedKey(Secret(b"a key of the sample"), "sample.yaml:1:1"),
    local_id=fqdn("gw.example"),
    remote_id=Identity.parse("CN=gw, O=Example"),
    nat_keepalive=25.0,
    children=(child(), child("2001:db8:1::/64", "2001:db8:2::/64", name="six", pfs=Pfs.OFF)),
)


def test_a_later_ikevd_finds_the_digest_of_an_earlier_one() -> None:
    """Where this fails, an upgrade ends every tunnel that stands: is that meant?"""
    assert digest(SAMPLE).reveal().hex() == "0bfb29a4f167e8e867849e84b9b0d2ed59506559ed5d6a4b2e47be9fba052b30"
