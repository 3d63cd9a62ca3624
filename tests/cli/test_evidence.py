"""`ikevd decode`, `capture` and `trace --decode`: what was said on the wire, field by field and as a file."""

from __future__ import annotations

import gzip
import io
import json
import stat
from pathlib import Path

import pytest
from click.testing import Result

from ikevd.observe.frames import Datagram, datagrams
from ikevd.observe.pcap import frames
from ikevd.observe.pcap_writer import file_header, record
from ikevd.wire.message import Header, encode_chain
from ikevd.wire.payloads import IdPayload, VidPayload
from ikevd.wire.registry import ExchangeType, Flags, IdType, PayloadType
from ikevd.wire.vendor_ids import XAUTH
from tests.builders import ALICE, BOB
from tests.cli.test_commands import ikevd
from tests.control.standin import CAPTURED, DECODED, KEY

BODY = encode_chain([VidPayload(XAUTH), IdPayload(IdType.FQDN, 0, 0, b"\x1b[2J")])
MESSAGE = (
    Header(b"initiato", b"responde", PayloadType.VID, ExchangeType.MAIN_MODE, Flags.NONE, 0).encode(len(BODY)) + BODY
)
NAMES = ["VID", "ID"]
"""Of its payloads."""


def names(result: Result) -> list[list[str]]:
    """Of the payloads of each message in the JSON."""
    found = json.loads(result.stdout)
    assert found["schema"] == 1
    return [[payload["payload"]["name"] for payload in each["message"]["payloads"]] for each in found["messages"]]


def captured(*payloads: tuple[int, int, bytes]) -> bytes:
    """A pcap file; of each datagram both ports and the payload."""
    from ikevd.addresses import Endpoint

    sent = (Datagram(0, Endpoint(ALICE, a), Endpoint(BOB, b), octets) for a, b, octets in payloads)
    return file_header() + b"".join(map(record, sent))


# -- decode -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "octets",
    [
        MESSAGE,
        bytes(4) + MESSAGE,
        MESSAGE.hex().encode(),
        b"0x" + MESSAGE.hex(":").encode() + b"\n",
        MESSAGE.hex(" ", 4).upper().encode(),
        captured((500, 500, MESSAGE)),
        captured((4500, 61000, bytes(4) + MESSAGE)),
        captured((4500, 500, MESSAGE)),
        captured((1234, 5678, MESSAGE)),
        captured((1234, 5678, bytes(4) + MESSAGE)),
        gzip.compress(captured((500, 500, MESSAGE))),
    ],
)
def test_a_message_is_found_in_a_datagram_in_hex_and_in_a_capture(octets: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(octets)
    result = ikevd("decode", str(tmp_path / "file"), "--json")
    assert result.exit_code == 0
    assert names(result) == [NAMES]


def test_blank_lines_part_the_datagrams_of_a_hex_text(tmp_path: Path) -> None:
    (tmp_path / "hex").write_text(f"\n{MESSAGE.hex()}\n \n\n{MESSAGE.hex(':')}\n\n")
    assert names(ikevd("decode", str(tmp_path / "hex"), "--json")) == [NAMES, NAMES]


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(MESSAGE)))
    from ikevd.cli.decode import show_file

    assert show_file(Path("-"), as_json=False) == 0


def test_a_capture_is_shown_with_times_and_endpoints_and_moves_no_cursor(tmp_path: Path) -> None:
    (tmp_path / "pcap").write_bytes(captured((500, 500, MESSAGE)))
    shown = ikevd("decode", str(tmp_path / "pcap")).stdout
    assert shown.startswith(
        "1  1970-01-01T00:00:00.000000Z  192.0.2.1:500 -> 198.51.100.1:500\n  octets: 52\n  header\n"
    )
    assert "    name: XAUTH\n" in shown
    assert "\x1b" not in shown


def test_esp_and_keepalives_on_the_nat_port_are_named(tmp_path: Path) -> None:
    (tmp_path / "pcap").write_bytes(captured((4500, 4500, b"\xff"), (4500, 4500, bytes([1, 2, 3, 4, 0, 0, 0, 9, 5]))))
    keepalive, esp = ikevd("decode", str(tmp_path / "pcap")).stdout.split("\n\n")
    assert keepalive.endswith("NAT keepalive")
    assert esp.rstrip().endswith("ESP in UDP, SPI 01020304, sequence 9, 9 octets")


@pytest.mark.parametrize("octets", [b"", captured((1234, 53, b"no IKE")), captured((4500, 4500, b"abc"))])
def test_a_file_without_ike_is_said_to_be_one(octets: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(octets)
    result = ikevd("decode", str(tmp_path / "file"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("file: no IKE message is in it\n")


def test_what_comes_before_the_end_of_a_cut_capture_is_shown(tmp_path: Path) -> None:
    (tmp_path / "pcap").write_bytes(captured((500, 500, MESSAGE), (500, 500, MESSAGE))[:-1])
    result = ikevd("decode", str(tmp_path / "pcap"), "--json")
    assert names(result) == [NAMES]
    assert result.exit_code == 1
    assert "pcap file: 80 octets wanted, 79 left" in result.stderr


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(MESSAGE)[:-9])
    assert ikevd("decode", str(tmp_path / "cut.gz")).exit_code == 1
    result = ikevd("decode", str(tmp_path / "none"))
    assert (result.exit_code, result.stderr) == (1, f"{tmp_path / 'none'}: No such file or directory\n")


# -- trace --decode ---------------------------------------------------------------------------------------------------


def test_a_trace_shows_every_field_below_its_message(served: str) -> None:
    shown = ikevd("trace", "--decode", "--socket", served).stdout.splitlines()
    (rung,) = [number for number, line in enumerate(shown) if "MM1" in line]
    assert shown[rung + 1 :] == ["    octets: 28", "    header", "      version: 1.0", "    payloads: none"]


def test_a_trace_as_json_holds_the_trees(served: str) -> None:
    assert json.loads(ikevd("trace", "--decode", "--json", "--socket", served).stdout)["records"] == [DECODED]


# -- capture ----------------------------------------------------------------------------------------------------------


def test_a_capture_is_written_and_read_again(served: str, tmp_path: Path) -> None:
    file = tmp_path / "ike.pcap"
    assert ikevd("capture", str(file), "--socket", served).exit_code == 0
    assert list(datagrams(frames(file.read_bytes()))) == [CAPTURED]


def test_keys_are_written_to_a_file_that_only_its_owner_reads(served: str, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.touch(0o644)
    assert ikevd("capture", str(tmp_path / "ike.pcap"), "--keys", str(keys), "--socket", served).exit_code == 0
    assert keys.read_text() == f"{KEY}\n"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600


def test_keys_that_are_withheld_leave_no_file(served: str, tmp_path: Path) -> None:
    file = tmp_path / "ike.pcap"
    result = ikevd("capture", str(file), "--connection", "munich", "--keys", "-", "--socket", served)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "keys are given out only where the configuration has control.export_keys: true\n"
    assert not file.exists()


def test_a_capture_of_nothing_leaves_no_file(served: str, tmp_path: Path) -> None:
    file = tmp_path / "ike.pcap"
    result = ikevd("capture", str(file), "--connection", "nobody", "--socket", served)
    assert (result.exit_code, result.stderr) == (1, "no negotiation on record fits\n")
    assert not file.exists()


def test_a_capture_that_cannot_be_written_is_named(served: str, tmp_path: Path) -> None:
    result = ikevd("capture", str(tmp_path / "none" / "ike.pcap"), "--socket", served)
    assert (result.exit_code, result.stderr) == (1, f"{tmp_path}/none/ike.pcap: No such file or directory\n")
