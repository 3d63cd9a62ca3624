"""The file of blocks outlives the machine: it is read as it was written, or refused in words."""

from __future__ import annotations

import json
import os
import stat
from ipaddress import ip_network
from pathlib import Path

import pytest

from ikevd.boot.blocks import blocks
from ikevd.boot.file import read_blocks, write_blocks
from ikevd.errors import CannotStart
from ikevd.policy.marks import Mark
from ikevd.policy.settings import Config
from tests.builders import child, connection
from tests.plugins.secrets import MARK

CONFIG = Config(
    (
        connection(),
        connection(name="six", children=(child("fd00:1::/64", "fd00:2::/64", name="six", reqid=0x696B0001),)),
    )
)
POLICY = {
    "source": "10.1.0.0/24",
    "destination": "10.2.0.0/24",
    "protocol": 0,
    "source_port": 0,
    "destination_port": 0,
    "direction": "out",
    "action": "block",
    "priority": 1,
    "from": "192.0.2.1",
    "to": "192.0.2.2",
    "reqid": 1,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "blocks"


def test_it_is_read_as_it_was_written(path: Path) -> None:
    written = blocks(CONFIG, [ip_network("192.168.7.0/24")])
    write_blocks(path, written)
    assert read_blocks(path) == written


def test_what_is_for_marked_packets_blocks_these_alone(path: Path) -> None:
    marked = connection(children=(child(mark_in=Mark(1), mark_out=Mark(2, 0xFF)), child(name="if", if_id=42)))
    written = blocks(Config((marked,)), ())
    assert {(one.id.if_id, one.id.mark) for one in written if one.template} == {
        (0, Mark(1)),
        (0, Mark(2, 0xFF)),
        (42, None),
    }
    write_blocks(path, written)
    assert read_blocks(path) == written


def test_what_is_routed_to_an_interface_has_none() -> None:
    assert not [
        one for one in blocks(Config((connection(children=(child(routed=True, if_id=42),)),)), ()) if one.template
    ]


def test_it_holds_no_key_and_is_its_owners_alone(path: Path) -> None:
    write_blocks(path, blocks(CONFIG, ()))
    assert MARK not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_new_one_takes_the_place_of_the_old_in_one_step(path: Path) -> None:
    write_blocks(path, blocks(CONFIG, ()))
    with path.open() as old:
        write_blocks(path, ())
        assert len(json.load(old)["policies"]) > 10
    assert read_blocks(path) == ()
    assert os.listdir(path.parent) == ["blocks"]


def test_what_a_killed_write_left_is_no_obstacle(path: Path) -> None:
    path.with_name("blocks.new").write_text("half")
    write_blocks(path, ())
    assert os.listdir(path.parent) == ["blocks"]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="cannot be used: No such file or directory; make the folder"):
        write_blocks(tmp_path / "none" / "blocks", ())
    with pytest.raises(CannotStart, match="cannot be read: No such file or directory"):
        read_blocks(tmp_path / "none" / "blocks")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "JSONDecodeError"),
        ("[]", "TypeError"),
        ("[" * 100_000, "RecursionError"),
        ('{"format": 2, "policies": []}', "format 2, wanted 1"),
        ('{"format": 1}', "'policies'"),
        ('{"format": 1, "policies": [1]}', "TypeError"),
    ],
)
def test_what_is_no_such_file_is_refused_in_words(path: Path, text: str, told: str) -> None:
    path.write_text(text)
    with pytest.raises(CannotStart, match=told):
        read_blocks(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("source", "10.1.0.1/24"),
        ("protocol", 256),
        ("protocol", True),
        ("source_port", -1),
        ("destination_port", "80"),
        ("direction", "up"),
        ("action", "drop"),
        ("priority", 1 << 32),
        ("reqid", 1.5),
        ("from", "berlin"),
    ],
)
def test_a_value_that_cannot_be_is_refused(path: Path, key: str, value: object) -> None:
    path.write_text(json.dumps({"format": 1, "policies": [POLICY]}))
    assert len(read_blocks(path)) == 1
    path.write_text(json.dumps({"format": 1, "policies": [{**POLICY, key: value}]}))
    with pytest.raises(CannotStart, match="cannot be used"):
        read_blocks(path)
