"""Our tree of a message against that of tshark, which we did not write: every datagram of the shared test data, and
messages of ours with every payload."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from ikevd.addresses import Endpoint
from ikevd.dissect.bounded import opened
from ikevd.dissect.capture import message_views
from ikevd.dissect.decode import decoded
from ikevd.dissect.frames import Datagram, datagrams
from ikevd.dissect.pcap import Frame, frames
from ikevd.dissect.pcap_writer import file_header, record
from ikevd.wire.attributes import Attribute
from ikevd.wire.certificates import CertEncoding
from ikevd.wire.message import encode_chain
from ikevd.wire.modecfg import ConfigAttribute, ConfigType
from ikevd.wire.payloads import (
    AttributesPayload,
    CertReqPayload,
    DeletePayload,
    FragmentPayload,
    IdPayload,
    NatDPayload,
    NatOaPayload,
    NotifyPayload,
    Opaque,
    Payload,
    SaPayload,
    SigPayload,
)
from ikevd.wire.registry import Doi, IdType, IpsecAttribute, NotifyType, PayloadType, Protocol
from ikevd.wire.sa import Proposal, Transform
from tests import tshark
from tests.builders import ALICE, BOB
from tests.control.controlled import BOTH, controlled, traced
from tests.crypto.test_captures import ANDROID, CERTS, decrypt, read_messages, session_of
from tests.dissect.test_decode import datagram
from tests.gateways import alice_and_bob, reload
from tests.tshark import Pairs, Tshark
from tests.virtual_time import run

View = dict[str, Any]
FLAGS = {"ENCRYPTION": 1, "COMMIT": 2, "AUTHENTICATION_ONLY": 4}


@pytest.fixture(scope="module")
def reader() -> Tshark:
    return Tshark()


# -- our tree in the shape of tshark's --------------------------------------------------------------------------------


def header(view: View) -> tuple[object, ...]:
    head = view["header"]
    major, minor = head["version"].split(".")
    return (
        head["initiator_cookie"],
        head["responder_cookie"],
        head["next_payload"]["number"],
        int(major) << 4 | int(minor),
        head["exchange"]["number"],
        sum(FLAGS.get(flag) or int(flag, 16) for flag in head["flags"]),
        int(head["message_id"], 16),
        head["length"],
    )


def payloads(view: View) -> list[tuple[int, tuple[object, ...]]]:
    return [(payload["payload"]["number"], fields(payload)) for payload in view["payloads"]]


def fields(view: View) -> tuple[object, ...]:
    length = view["length"]
    match view["payload"]["number"]:
        case 1:
            return length, view["doi"]["number"], view["situation"], [_proposal(each) for each in view["proposals"]]
        case 5:
            kind, value = view["type"]["number"], view["value"]
            told = value if isinstance(value, str) else value["hex" if kind == IdType.KEY_ID else "text"]
            return length, kind, view["protocol"], view["port"], told
        case 6 | 7:
            return length, view["encoding"]["number"]
        case 8 | 9:
            return length, view["data"]["octets"]
        case 11:
            numbers = (view[name]["number"] for name in ("doi", "protocol", "type"))
            return length, *numbers, view["spi"], _notify_data(view)
        case 12:
            return length, view["doi"]["number"], view["protocol"]["number"], view["spis"]
        case 14:
            settings = [_setting(each) for each in view["attributes"]]
            return length, view["type"]["number"], view["identifier"], settings
        case 4 | 10 | 13 | 20 | 130:
            return length, view["data"]["hex"]
        case 21 | 131:
            return length, view["type"]["number"], view["value"]
        case 132:
            return length, view["id"], view["fragment"], int(view["last"])
        case _:
            return (length,)


def _notify_data(view: View) -> object:
    match view:
        case {"sequence": number} | {"replay": number}:
            return f"{number:08x}"
        case {"attributes": attributes}:
            return [_attribute(each) for each in attributes]
        case _:
            return view["data"]["hex"] if "data" in view else ""


def _proposal(view: View) -> tuple[object, ...]:
    transforms = [
        (each["transform"], _number(each["id"]), [_attribute(attribute) for attribute in each["attributes"]])
        for each in view["transforms"]
    ]
    return view["proposal"], view["protocol"]["number"], view["spi"], transforms


def _setting(view: View) -> tuple[object, ...]:
    """A password is hidden: of it the length is compared."""
    match view["value"]:
        case int(number):
            value: object = f"{number:04x}"
        case str(address):
            value = ip_address(address).packed.hex()
        case {"octets": count, "hidden": True}:
            value = count
        case octets:
            value = octets["hex"]
    return view["attribute"]["number"], view["basic"], value


def _attribute(view: View) -> tuple[object, ...]:
    return view["attribute"]["number"], view["basic"], _number(view["value"])


def _number(value: Any) -> object:
    return value.get("number", value.get("hex")) if isinstance(value, dict) else value


# -- the comparison ---------------------------------------------------------------------------------------------------


def difference(theirs: Pairs, ours: View) -> str:
    """Empty where both read the same; else which of them reads no further. What both read must be the same."""
    if "header" not in ours:
        return f"refused: {ours['malformed']}"
    assert header(ours) == tshark.header(theirs)
    if "payloads" not in ours:
        return ""
    read, text = payloads(ours), ""
    trees = tshark.payloads(theirs)
    if "malformed" in ours:
        trees, text = trees[: len(read)], f"refused: {ours['malformed']}"
    elif (tshark.MALFORMED, "") in theirs:
        text = f"tshark reads {len(trees)} of {len(read)} payloads"
        read = read[: len(trees)]
    assert read == [(kind, tshark.fields(kind, tree)) for kind, tree in trees]
    return text


def read_capture(path: Path) -> bytes:
    with opened(path) as stream:
        return stream.read()


def numbered(data: bytes) -> Iterator[tuple[int, Datagram]]:
    """Frame number (of the last fragment) and datagram."""
    current = 0

    def counted() -> Iterator[Frame]:
        nonlocal current
        for frame in frames(data):
            current += 1
            yield frame

    for each in datagrams(counted()):
        yield current, each


def trees(data: bytes) -> dict[int, View]:
    """The tree of each message of a capture, by frame number."""
    views = {frame: view for frame, each in numbered(data) for view in message_views([each])}
    return {frame: view["message"] for frame, view in views.items() if view["kind"] == "isakmp"}


def written(folder: Path, payloads: Iterable[bytes]) -> Path:
    """A capture of ours with one datagram in each frame."""
    path = folder / "written.pcap"
    ends = Endpoint(ALICE, 500), Endpoint(BOB, 500)
    path.write_bytes(file_header() + b"".join(record(Datagram(0, *ends, octets)) for octets in payloads))
    return path


# -- the shared test data ---------------------------------------------------------------------------------------------

NO_PROPOSAL = "refused: SA payload: 4 octets wanted, 0 left"
NO_DATAGRAM = "no datagram for this program"
DRAFT_NAT_D = "tshark reads 7 of 8 payloads"
EXCEPTIONS: dict[str, str] = {
    # made by hand by arkime's authors: no implementation sends it
    "arkime-ike-cert_synthetic.pcap 1": NO_PROPOSAL,
    "arkime-ike-cert_synthetic.pcap 3": NO_PROPOSAL,
    # NAT-D of NAT-T draft-07, which the vendor IDs announced, has number 15; tshark takes it for a payload of GDOI
    "tcpdump-ISAKMP_sa_setup.pcap 3": DRAFT_NAT_D,
    "tcpdump-ISAKMP_sa_setup.pcap 4": DRAFT_NAT_D,
    # made to crash parsers
    "tcpdump-isakmp-delete-segfault.pcap 1": "refused: ISAKMP length is 1126274970, but the datagram has 138 octets",
    "tcpdump-isakmp-pointer-loop.pcap 1": "refused by both: ISAKMP length is 0, but the datagram has 30 octets",
    "zeek-ikev1-zero-length.pcap 1": "refused by both: ISAKMP length is 0, but the datagram has 168 octets",
    # first fragments of IP packets whose other fragments never came: tshark guesses from what there is
    "tcpdump-isakmp-various-oobr.pcap 1": NO_DATAGRAM,
    "tcpdump-isakmpv1-attr-oobr.pcap 1": NO_DATAGRAM,
}
"""Each message of a capture that only one of the two reads, or reads in full."""
DATAGRAM_EXCEPTIONS: dict[str, str] = {
    # made to crash parsers
    "pkt-malformed.dat": "refused: ISAKMP length is 517, but the datagram has 507 octets",
    "libreswan-cve-2009-0790.bin": "refused: ISAKMP length is 15360, but the datagram has 60 octets",
    "libreswan-cve-2015-3204-a.bin": "refused: SA payload with situation 0xffffffff; identity only (1) is wanted",
    # payloads without a header
    "scapy-quick-plaintext.bin": "refused by both: ISAKMP length is 1, but the datagram has 288 octets",
}


def captures(testdata: Path) -> list[Path]:
    found = [path for folder in ("captures", "malformed") for path in sorted((testdata / folder).rglob("*.*cap*"))]
    return [path for path in found if path.suffix != ".out"]


@pytest.mark.long
def test_every_captured_message_is_read_as_tshark_reads_it(testdata: Path, reader: Tshark) -> None:
    found, compared = {}, 0
    for path in captures(testdata):
        theirs, ours = reader.messages(path), trees(read_capture(path))
        for frame in sorted(theirs.keys() | ours.keys()):
            where = f"{path.name} {frame}"
            if frame not in ours:
                found[where] = NO_DATAGRAM
            elif frame not in theirs:
                found[where] = f"refused by both: {ours[frame]['malformed']}"
            else:
                found |= dict.fromkeys([where] * bool(text := difference(theirs[frame], ours[frame])), text)
                compared += 1
    assert found == EXCEPTIONS
    assert compared > 4000


def test_every_single_datagram_is_read_as_tshark_reads_it(testdata: Path, reader: Tshark, tmp_path: Path) -> None:
    files = [path for path in sorted((testdata / "datagrams").rglob("*")) if path.is_file()]
    ours = [decoded(path.read_bytes()) for path in files]
    theirs = reader.messages(written(tmp_path, (path.read_bytes() for path in files)))
    found = {
        path.name: difference(theirs[frame], view) if frame in theirs else f"refused by both: {view['malformed']}"
        for frame, (path, view) in enumerate(zip(files, ours, strict=True), start=1)
    }
    assert {name: text for name, text in found.items() if text} == DATAGRAM_EXCEPTIONS


@pytest.mark.parametrize("file", [CERTS, ANDROID])
def test_every_encrypted_message_is_read_as_tshark_reads_it_with_the_key(
    testdata: Path, reader: Tshark, file: str
) -> None:
    session = session_of(testdata, "file", file)
    key = f"{session['initiator_cookie']},{session['isakmp_key']}"
    theirs = reader.messages(testdata / file, (key,))
    chains = decrypt(session, read_messages(testdata, file), first_iv=None)
    sent = {frame: each.payload for frame, each in numbered(read_capture(testdata / file))}
    for frame, payloads in chains.items():
        clear = encode_chain([Opaque(PayloadType(kind), body) for kind, body in payloads])
        assert difference(theirs[frame], decoded(sent[frame], clear)) == ""


# -- messages of ours -------------------------------------------------------------------------------------------------

ESP_SPIS = DeletePayload(Protocol.ESP, (b"\0\0\0\1", b"\0\0\0\2"))
LIFETIME = bytes.fromhex("80010001 80020e10")
LONG_LIFE = Attribute.number(IpsecAttribute.LIFE_DURATION, 86400)
ADDRESS = Attribute(ConfigAttribute.INTERNAL_IP4_ADDRESS, b"\x0a\0\0\1", basic=False)
MASK_16, MASK_32 = "ffff0000", "ffffffff" + "00" * 12
OURS: list[Payload] = [
    SaPayload((Proposal(1, Protocol.AH, b"spi1", (Transform(1, 3, (LONG_LIFE,)), Transform(2, 2, ()))),)),
    SaPayload(
        tuple(Proposal(7, protocol, b"spi2", (Transform(1, 12, ()),)) for protocol in (Protocol.ESP, Protocol.AH))
    ),
    *(
        IdPayload(kind, 17, 500, bytes.fromhex(data))
        for kind, data in (
            (IdType.IPV4_ADDR, "c0000201"),
            (IdType.IPV6_ADDR, "20010db8000000000000000000000001"),
            (IdType.IPV4_SUBNET, "0a010000" + MASK_16),
            (IdType.IPV6_SUBNET, "20010db8" + "00" * 12 + MASK_32),
            (IdType.IPV4_RANGE, "0a0000010a000009"),
            (IdType.IPV6_RANGE, "00" * 15 + "01" + "00" * 15 + "02"),
            (IdType.FQDN, b"gw".hex()),
            (IdType.USER_FQDN, b"a@b".hex()),
            (IdType.KEY_ID, b"group".hex()),
        )
    ),
    CertReqPayload(CertEncoding.X509_SIGNATURE, b""),
    SigPayload(bytes(128)),
    NotifyPayload(Protocol.ESP, NotifyType.RESPONDER_LIFETIME, b"", LIFETIME),
    NotifyPayload(Protocol.ISAKMP, NotifyType.R_U_THERE, bytes(16), b"\0\0\0\7"),
    NotifyPayload(Protocol.ESP, NotifyType.REPLAY_STATUS, b"spi1", b"\0\0\0\1"),
    NotifyPayload(Protocol.ISAKMP, NotifyType.INVALID_COOKIE, b"", b"why", Doi.ISAKMP),
    ESP_SPIS,
    DeletePayload(Protocol.ISAKMP, (bytes(16),)),
    AttributesPayload(ConfigType.SET, 0x1234, (ADDRESS, Attribute(ConfigAttribute.XAUTH_STATUS, b"\0\1", basic=True))),
    NatDPayload(PayloadType.NAT_D, bytes(20)),
    NatDPayload(PayloadType.NAT_D_DRAFT, bytes(16)),
    NatOaPayload(PayloadType.NAT_OA, IdType.IPV4_ADDR, b"\x0a\0\0\1"),
    NatOaPayload(PayloadType.NAT_OA_DRAFT, IdType.IPV6_ADDR, bytes(15) + b"\1"),
    FragmentPayload(1, 2, 1, b"piece"),
]


def test_every_payload_of_ours_is_read_as_tshark_reads_it(reader: Tshark, tmp_path: Path) -> None:
    ours = [datagram(payload) for payload in OURS]
    theirs = reader.messages(written(tmp_path, ours))
    for frame, octets in enumerate(ours, start=1):
        assert difference(theirs[frame], decoded(octets)) == ""


# -- a capture of ours ------------------------------------------------------------------------------------------------


def test_a_negotiation_captured_and_decrypted_by_tshark_is_what_the_trace_shows(reader: Tshark, tmp_path: Path) -> None:
    """Main Mode, two Quick Modes and the farewells of a whole engine, with the key that it gives out."""

    async def story() -> tuple[bytes, list[str], list[View]]:
        _, alice, _ = alice_and_bob(None, BOTH)
        controller = controlled(alice)
        await reload(alice, BOTH, export_keys=True)
        await controller.up("bob", lambda _: None)
        keys = await controller.keys(None, None, None)
        await controller.down("bob", lambda _: None)
        records = await traced(controller, last=100, decode=True)
        events = [event for record in records for event in record["events"] if "message" in event]
        return (
            b"".join(await controller.capture(None, None, None, 100)),
            keys,
            sorted(events, key=lambda event: event["at"]),
        )

    octets, keys, events = run(story())
    (tmp_path / "ours.pcap").write_bytes(octets)
    theirs = reader.messages(tmp_path / "ours.pcap", tuple(keys))
    kinds = {event["message"]["header"]["exchange"]["name"] for event in events}
    assert kinds == {"MAIN_MODE", "QUICK_MODE", "INFORMATIONAL"}
    assert len(theirs) == len(events) > 12
    for frame, event in enumerate(events, start=1):
        assert event["message"]["payloads"]
        assert difference(theirs[frame], event["message"]) == ""
