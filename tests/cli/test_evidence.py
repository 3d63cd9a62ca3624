"""`ikevd decode`, `capture` and `trace --decode`: what was said on the wire, field by field and as a file."""

from __future__ import annotations

import gc
import gzip
import io
import json
import stat
import struct
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import pytest
from click.testing import Result

from ikevd.cli import decode
from ikevd.dissect.bounded import opened
from ikevd.dissect.frames import Datagram, datagrams
from ikevd.dissect.pcap import frames
from ikevd.dissect.pcap_writer import file_header, record
from ikevd.errors import Malformed
from ikevd.wire.message import Header, encode_chain
from ikevd.wire.payloads import IdPayload, VidPayload
from ikevd.wire.registry import ExchangeType, Flags, IdType, PayloadType
from ikevd.wire.vendor_ids import XAUTH
from tests.builders import ALICE, BOB
from tests.cli.bomb import bomb
from tests.cli.invoked import ikevd
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
        gzip.compress(captured((500, 500, MESSAGE)), mtime=0),
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
    assert decode.show_file(Path("-"), "outline") == 0


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


def with_one(octets: bytes, cut: int) -> bytes:
    """A pcap file with one datagram, of which the snap length cut the last octets."""
    packet = captured((500, 500, octets))[len(file_header()) + 16 :]
    kept = packet[:-cut]
    return file_header() + struct.pack(">IIII", 0, 0, len(kept), len(packet)) + kept


def test_a_message_cut_by_the_snap_length_shows_its_header_and_what_was_kept(tmp_path: Path) -> None:
    (tmp_path / "pcap").write_bytes(with_one(MESSAGE, 7))
    result = ikevd("decode", str(tmp_path / "pcap"))
    assert result.exit_code == 1
    assert result.stdout.endswith("    length: 52\n  cut: the capture kept only 45 of 52 octets\n")
    assert "malformed" not in result.stdout
    assert result.stderr.endswith(
        "pcap: messages that the capture kept only in part: 1 of 1 (tcpdump -s 0 keeps all)\n"
    )


@pytest.mark.parametrize("octets", [MESSAGE, b"\xff" * len(MESSAGE)])
def test_a_message_cut_in_its_header_shows_how_much_was_kept(octets: bytes, tmp_path: Path) -> None:
    (tmp_path / "pcap").write_bytes(with_one(octets, 40))
    result = ikevd("decode", str(tmp_path / "pcap"))
    assert result.exit_code == 1
    assert result.stdout.endswith("  octets: 12\n  cut: the capture kept only 12 of 52 octets\n")


def test_esp_cut_by_the_snap_length_has_the_length_that_it_had(tmp_path: Path) -> None:
    packet = captured((4500, 4500, b"\1\2\3\4" + bytes(100)))[len(file_header()) + 16 :]
    (tmp_path / "pcap").write_bytes(file_header() + struct.pack(">IIII", 0, 0, 60, len(packet)) + packet[:60])
    assert ikevd("decode", str(tmp_path / "pcap")).stdout.endswith("SPI 01020304, sequence 0, 104 octets\n")


def test_a_datagram_on_the_nat_port_without_its_first_octets_is_not_taken_for_a_message(tmp_path: Path) -> None:
    packet = captured((4500, 4500, bytes(4) + MESSAGE))[len(file_header()) + 16 :]
    (tmp_path / "pcap").write_bytes(file_header() + struct.pack(">IIII", 0, 0, 31, len(packet)) + packet[:31])
    result = ikevd("decode", str(tmp_path / "pcap"))
    assert (result.exit_code, result.stdout) == (1, "")


def test_packets_without_their_ports_and_without_their_fragments_are_counted(tmp_path: Path) -> None:
    header, *others = captured((500, 500, MESSAGE)), with_one(MESSAGE, 55), captured((500, 500, MESSAGE))
    first_fragment = bytearray(others[1][len(file_header()) :])
    first_fragment[16 + 6] |= 0x20
    start = len(file_header())
    (tmp_path / "pcap").write_bytes(header + others[0][start:] + first_fragment)
    result = ikevd("decode", str(tmp_path / "pcap"), "--json")
    assert names(result) == [NAMES]
    assert result.exit_code == 1
    assert [line.split("pcap: ")[1] for line in result.stderr.splitlines()] == [
        "packets of which the capture kept no more than headers: 1 (tcpdump -s 0 keeps all)",
        "UDP packets without all of their fragments: 1",
    ]


@pytest.mark.parametrize("octets", [MESSAGE[:-1].hex().encode(), MESSAGE[:-1], captured((500, 500, MESSAGE[:-1]))])
def test_a_malformed_message_is_shown_and_the_exit_code_is_1(octets: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(octets)
    result = ikevd("decode", str(tmp_path / "file"))
    assert result.exit_code == 1
    assert "malformed: ISAKMP length is 52, but the datagram has 51 octets\n" in result.stdout
    assert result.stderr.endswith("file: malformed messages: 1 of 1\n")


@pytest.mark.parametrize(
    "octets",
    [
        Path("README.md").read_bytes(),
        b"\x7fELF" + bytes(200),
        MESSAGE[:20],
        MESSAGE + bytes(65_536 - len(MESSAGE)),
        MESSAGE.hex().encode() + b"g",
    ],
)
def test_what_is_neither_datagram_nor_capture_nor_hex_is_refused(octets: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(octets)
    result = ikevd("decode", str(tmp_path / "file"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("file: no datagram, no capture, no hex\n")


def test_damaged_gzip_is_said_to_be_damaged(tmp_path: Path) -> None:
    whole = gzip.compress(MESSAGE)
    (tmp_path / "gz").write_bytes(whole[:10] + b"\xff" * 10 + whole[20:])
    result = ikevd("decode", str(tmp_path / "gz"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "gz: damaged gzip: " in result.stderr
    assert "Traceback" not in result.stderr


def read(file: Path, limit: int, plain: int = 10**9) -> bytes:
    with opened(file, limit, plain) as stream:
        return stream.read()


def zeros(octets: int) -> bytes:
    return gzip.compress(bytes(octets), mtime=0)


@pytest.mark.parametrize("octets", [bytes(100_000), zeros(100_000)], ids=["plain", "gzip"])
def test_no_more_is_read_than_the_limit(octets: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(octets)
    assert read(tmp_path / "file", limit=100_000) == bytes(100_000)
    with pytest.raises(Malformed, match=r"more than .* MiB; tcpdump -r can pick the packets of IKE from a capture"):
        read(tmp_path / "file", limit=99_999)


def test_gzip_that_unpacks_to_a_thousand_times_its_size_is_refused_beyond_what_any_may(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(zeros(100_000))
    assert read(tmp_path / "file", limit=10**9, plain=100_000) == bytes(100_000)
    with pytest.raises(Malformed, match=r"the gzip unpacks to more than 50 times its size"):
        read(tmp_path / "file", limit=10**9, plain=50_000)


def test_gzip_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(zeros(10) + zeros(20))
    assert read(tmp_path / "file", limit=1000) == bytes(30)


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["text", "json"])
def test_no_more_messages_are_shown_than_the_limit_and_that_is_said(
    more: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "MAX_MESSAGES", 3)
    (tmp_path / "pcap").write_bytes(captured(*[(500, 500, MESSAGE)] * 3))
    assert ikevd("decode", str(tmp_path / "pcap"), *more).exit_code == 0
    (tmp_path / "pcap").write_bytes(captured(*[(500, 500, MESSAGE)] * 4))
    result = ikevd("decode", str(tmp_path / "pcap"), *more)
    assert result.exit_code == 1
    assert result.stderr.endswith("pcap: more than 3 messages; tcpdump can pick some (-c, host, net)\n")
    assert names(result) == [NAMES] * 3 if more else result.stdout.count("octets: 52") == 3


def test_hex_beyond_a_mebibyte_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "hex").write_text("00" * (2**19 + 1))
    result = ikevd("decode", str(tmp_path / "hex"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("hex: no capture, and more than 1 MiB of anything else are not read\n")


@pytest.mark.parametrize("length", [2**24 + 1, 2**32 - 1])
def test_a_frame_longer_than_any_is_refused_before_it_is_read(length: int, tmp_path: Path) -> None:
    (tmp_path / "pcap").write_bytes(file_header() + struct.pack(">IIII", 0, 0, length, length))
    result = ikevd("decode", str(tmp_path / "pcap"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith(f"pcap file: a piece of {length} octets, wanted 16777216 at most\n")


@contextmanager
def garbage_collected_as_in_a_new_process() -> Iterator[None]:
    """Beside all that other tests have left, the collector waits for a quarter as much again."""
    gc.freeze()
    gc.collect()
    try:
        yield
    finally:
        gc.unfreeze()


@pytest.mark.long
def test_the_memory_for_decoding_a_small_file_that_unpacks_to_thousands_of_messages_stays_flat(tmp_path: Path) -> None:
    peaks = []
    with garbage_collected_as_in_a_new_process():
        for count in (100, 3000):
            (tmp_path / "gz").write_bytes(bomb(count))
            with open("/dev/null", "w") as nowhere, redirect_stdout(nowhere):
                tracemalloc.start()
                assert decode.show_file(tmp_path / "gz", "json") == 0
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
    assert peaks[1] < peaks[0] + 200_000


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(MESSAGE)[:-9])
    assert ikevd("decode", str(tmp_path / "cut.gz")).exit_code == 1
    result = ikevd("decode", str(tmp_path / "none"))
    assert (result.exit_code, result.stderr) == (1, f"{tmp_path / 'none'}: No such file or directory\n")


@pytest.mark.parametrize(("form", "first"), [("--brief", "1  1970-01-01T"), ("--ladder", "192.0.2.1:500 ──▶")])
def test_a_capture_is_shown_in_one_line_each_and_as_ladders(form: str, first: str, tmp_path: Path) -> None:
    (tmp_path / "pcap").write_bytes(captured((500, 500, MESSAGE), (500, 500, MESSAGE)))
    result = ikevd("decode", form, str(tmp_path / "pcap"))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(first)
    assert result.stdout.count("VID, ID") == (2 if form == "--brief" else 1)


@pytest.mark.parametrize("form", [[], ["--json"], ["--brief"], ["--ladder"]])
def test_only_what_fits_is_shown(form: list[str], tmp_path: Path) -> None:
    (tmp_path / "pcap").write_bytes(captured((500, 500, MESSAGE)))
    fitting = ikevd("decode", *form, str(tmp_path / "pcap"), "--peer", "192.0.2.1", "--spi", "69", "--exchange", "main")
    assert fitting.exit_code == 0
    assert b"initiato".hex() in fitting.stdout
    other = ikevd("decode", *form, str(tmp_path / "pcap"), "--exchange", "quick")
    assert (other.exit_code, other.stderr) == (1, f"{tmp_path / 'pcap'}: none of its messages fits\n")


def test_a_ladder_of_what_has_no_addresses_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "hex").write_text(MESSAGE.hex())
    result = ikevd("decode", "--ladder", str(tmp_path / "hex"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("hex: a ladder needs addresses and times, which only a capture has\n")


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
    result = ikevd("capture", str(file), "--socket", served)
    assert (result.exit_code, result.stderr) == (0, "1 messages of 1 negotiations\n")
    assert list(datagrams(frames(file.read_bytes()))) == [CAPTURED]


def test_keys_are_written_to_a_file_that_only_its_owner_reads(served: str, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.touch(0o644)
    assert ikevd("capture", str(tmp_path / "ike.pcap"), "--keys", str(keys), "--socket", served).exit_code == 0
    assert keys.read_text() == f"{KEY}\n"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600


def test_keys_go_into_no_link(served: str, tmp_path: Path) -> None:
    (tmp_path / "keys").symlink_to(tmp_path / "elsewhere")
    result = ikevd("capture", str(tmp_path / "ike.pcap"), "--keys", str(tmp_path / "keys"), "--socket", served)
    assert (result.exit_code, result.stderr) == (1, f"{tmp_path}/keys: is a symbolic link\n")
    assert not (tmp_path / "elsewhere").exists()
    assert not (tmp_path / "ike.pcap").exists()


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
