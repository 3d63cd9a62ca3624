"""What another configuration changes: a table of two files and the difference between them."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from ikevd.config.schema import FileSection, section_at
from ikevd.config.schema_child import ChildSection
from ikevd.config.schema_connection import ConnectionSection
from ikevd.policy.changes import (
    APART,
    CHILD_KEYS,
    KEYS,
    ChangedChild,
    ChangedConnection,
    ChangedSetting,
    Changes,
    Reach,
    changes,
    effective,
)
from ikevd.policy.child import Child, Start
from ikevd.policy.connection import Connection, Location, Resend
from ikevd.policy.identity import Identity
from ikevd.policy.lives import Lifetime
from ikevd.policy.packing import Packing
from ikevd.policy.settings import Config, Control, Limits, Listen, OnStop, Shunt
from tests.builders import BOB, ESP_AES256_SHA1, child, connection, psk, selector

LAN, DMZ = child(), child(name="dmz", reqid=0x696B0001, remote="10.3.0.0/24")
VIEW = connection(children=(LAN, DMZ))


def of(before: Connection, after: Connection) -> ChangedConnection | None:
    found = changes(Config((before,)), Config((after,)))
    assert found.unchanged == (not found.changed)
    return found.changed[0] if found.changed else None


@pytest.mark.parametrize(
    "after",
    [
        replace(VIEW, location=Location("test.yaml", 99, 1)),
        replace(VIEW, psk=psk(source="test.yaml:99:1")),
        replace(VIEW, children=(DMZ, LAN)),
        replace(VIEW, children=(replace(LAN, reqid=0x696B0009), DMZ)),
    ],
    ids=["a line above", "its key stands elsewhere", "the order of its children", "a reqid"],
)
def test_a_connection_is_what_it_was_whatever_moves_in_the_file(after: Connection) -> None:
    assert of(VIEW, after) is None


@pytest.mark.parametrize(
    ("change", "key", "reach"),
    [
        ({"psk": psk("another one")}, "psk", Reach.RENEWED),
        ({"suites": ()}, "ike_proposals", Reach.RENEWED),
        ({"lifetime": Lifetime(600)}, "ike_lifetime", Reach.RENEWED),
        ({"local_id": Identity.parse("us.example")}, "local_id", Reach.RENEWED),
        ({"aggressive": True}, "aggressive", Reach.RENEWED),
        ({"remote_id": Identity.parse("bob.example")}, "remote_id", Reach.REPLACED),
        ({"remote": BOB + 1}, "remote", Reach.REPLACED),
        ({"resend": Resend(sends=3)}, "retransmit", Reach.OURS),
        ({"nat_keepalive": 5.0}, "nat_keepalive", Reach.OURS),
    ],
)
def test_a_key_of_a_connection_tells_how_far_its_change_reaches(change: dict[str, Any], key: str, reach: Reach) -> None:
    found = of(VIEW, replace(VIEW, **change))
    assert found == ChangedConnection("bob", (key,), reach)
    assert found.reach_of("lan") is reach


@pytest.mark.parametrize(
    ("change", "key", "reach"),
    [
        ({"suites": (ESP_AES256_SHA1,)}, "esp_proposals", Reach.RENEWED),
        ({"lifetime": Lifetime(600)}, "lifetime", Reach.RENEWED),
        ({"lifetime": Lifetime(3600, 10_000)}, "lifetime_kilobytes", Reach.RENEWED),
        ({"replay_window": 64}, "replay_window", Reach.RENEWED),
        ({"remote": selector("10.9.0.0/24")}, "remote", Reach.REPLACED),
        ({"start": next(one for one in Start if one is not LAN.start)}, "start", Reach.OURS),
        ({"fail_open": True}, "fail_open", Reach.OURS),
    ],
)
def test_a_key_of_a_child_concerns_that_child_alone(change: dict[str, Any], key: str, reach: Reach) -> None:
    found = of(VIEW, replace(VIEW, children=(replace(LAN, **change), DMZ)))
    assert found == ChangedConnection("bob", (), Reach.OURS, children=(ChangedChild("lan", (key,), reach),))
    assert found.reach_of("dmz") is Reach.OURS


def test_of_several_keys_the_one_that_reaches_farthest_decides() -> None:
    after = replace(VIEW, psk=psk("other"), children=(replace(LAN, remote=selector("10.9.0.0/24")), DMZ))
    found = of(VIEW, after)
    assert found is not None
    assert found.reach_of("lan") is Reach.REPLACED
    assert found.reach_of("dmz") is Reach.RENEWED


def test_children_come_and_go() -> None:
    after = replace(VIEW, children=(DMZ, child(name="new")))
    assert of(VIEW, after) == ChangedConnection("bob", (), Reach.OURS, added=("new",), removed=("lan",))


def test_connections_come_and_go() -> None:
    carol, dave = (replace(VIEW, name=name) for name in ("carol", "dave"))
    found = changes(Config((VIEW, carol)), Config((VIEW, dave)))
    assert found == Changes(unchanged=1, removed=("carol",), added=("dave",))


@pytest.mark.parametrize(
    ("settings", "key", "later"),
    [
        ({"limits": Limits(half_open=7)}, "limits.half_open", False),
        ({"log_level": "debug"}, "log.level", False),
        ({"on_stop": OnStop.DOWN}, "on_stop", False),
        ({"remove_unknown": False}, "remove_unknown", False),
        ({"export_keys": True}, "control.export_keys", False),
        ({"bypasses": (Shunt("own", selector("10.1.0.0/24"), selector("10.1.0.0/24")),)}, "bypass", False),
        ({"listen": Listen(port=501)}, "listen.port", True),
        ({"control": Control(path=Path("/run/other"))}, "control.socket", True),
        ({"control": Control(mode=0o660)}, "control.mode", True),
        ({"runtime": Path("/run/other")}, "runtime_directory", True),
        ({"unknown_esp": True}, "unknown_esp", True),
    ],
)
def test_a_setting_takes_effect_now_or_at_the_next_start(settings: dict[str, Any], key: str, later: bool) -> None:
    before, after = Config((VIEW,)), replace(Config((VIEW,)), **settings)
    assert changes(before, after) == Changes(unchanged=1, settings=(ChangedSetting(key, later),))
    assert (effective(before, after) == before) is later


def test_the_same_file_changes_nothing() -> None:
    assert not changes(Config((VIEW,)), Config((VIEW,)))


@pytest.mark.parametrize(
    ("kind", "renamed", "section"),
    [(Connection, KEYS, ConnectionSection), (Child, CHILD_KEYS, ChildSection)],
    ids=["connection", "child"],
)
def test_every_field_is_named_as_the_file_names_it(kind: type[Any], renamed: dict[str, str], section: Any) -> None:
    from_the_connection = {"sha256_96", "lifetime_check"} if kind is Child else set[str]()
    for one in fields(kind):
        if one.compare and one.name not in {*APART, *from_the_connection, "packing"}:
            assert renamed.get(one.name, one.name) in {*section.model_fields, "name"}, one.name


def test_how_packets_are_packed_is_named_key_by_key_and_comes_with_the_next_pair() -> None:
    assert {one.name for one in fields(Packing)} <= ChildSection.model_fields.keys()
    other = replace(LAN, packing=Packing(copy_df=False, tfc_padding=1000))
    found = of(VIEW, replace(VIEW, children=(other, DMZ)))
    assert found is not None
    assert found.children == (ChangedChild("lan", ("copy_df", "tfc_padding"), Reach.RENEWED),)


@pytest.mark.parametrize("key", ["mark_in", "mark_out", "if_id"])
def test_what_chooses_packets_is_the_interface_or_a_key_of_its_own(key: str) -> None:
    for routed, name in ((False, key), (True, "interface")):
        before = replace(LAN, routed=routed)
        found = of(connection(children=(before,)), connection(children=(replace(before, **{key: 7}),)))  # type: ignore[arg-type]
        assert found is not None
        assert found.children == (ChangedChild("lan", (name,), Reach.REPLACED),)


def test_every_setting_is_named_as_the_file_names_it() -> None:
    everything = replace(
        Config(()),
        listen=Listen((BOB,), 1, 2, holder=False),
        control=Control(Path("/x"), "root", 0o666),
        limits=Limits(1, 1, 1, 1, 1),
        log_level="debug",
        runtime=Path("/x"),
        store_key=psk().key,
        bypasses=(Shunt("own", selector("10.1.0.0/24"), selector("10.1.0.0/24")),),
        drops=(Shunt("host", selector("10.1.0.0/24"), selector("10.2.0.9/32")),),
        bypass_connected=True,
        on_stop=OnStop.DOWN,
        remove_unknown=False,
        unknown_esp=True,
        export_keys=True,
    )
    for setting in changes(Config(()), everything).settings:
        *path, key = setting.key.split(".")
        section = section_at(tuple(path))
        assert section is not None
        assert key in section.model_fields, setting.key
    assert {one.split(".")[0] for one in FileSection.model_fields} - {"connections"} == {
        setting.key.split(".")[0] for setting in changes(Config(()), everything).settings
    }
