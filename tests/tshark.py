"""tshark, and its tree of a message in the shape that a test compares: nested tuples of numbers and hex."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
Pairs = list[tuple[str, Any]]
"""A JSON object of tshark, which repeats names and whose order matters."""
SA, PROPOSAL, TRANSFORM = 1, 2, 3
PASSWORDS = (16522, 16523, 16528, 16529)
MALFORMED = "malformed"


class Tshark:
    """Debian's tshark, on the path or where `make setup` unpacked it."""

    def __init__(self) -> None:
        unpacked = ROOT / ".rig" / "pkgs"
        libraries = unpacked / "usr" / "lib" / "x86_64-linux-gnu"
        self._environment = {**os.environ, "LD_LIBRARY_PATH": f"{libraries}:{libraries / 'wireshark'}"}
        installed = shutil.which("tshark")
        if installed:
            self._environment = dict(os.environ)
        elif not (unpacked / "usr" / "bin" / "tshark").exists():
            pytest.skip("tshark is not there (make setup fetches it)")
        self._program = installed or str(unpacked / "usr" / "bin" / "tshark")

    def messages(self, capture: Path, keys: tuple[str, ...] = ()) -> dict[int, Pairs]:
        """The ISAKMP tree of each frame that has one, by frame number; `keys`: lines of the decryption table."""
        table = [word for key in keys for word in ("-o", f"uat:ikev1_decryption_table:{key}")]
        show = ["-Y", "isakmp", "-T", "json", "-J", "frame isakmp"]
        done = subprocess.run(
            [self._program, "-r", str(capture), *show, *table],
            capture_output=True,
            text=True,
            env=self._environment,
            timeout=100,
            check=True,
        )
        return dict(map(_message, json.loads(done.stdout or "[]", object_pairs_hook=list)))


def _message(packet: Pairs) -> tuple[int, Pairs]:
    layers = dict(dict(packet)["_source"])["layers"]
    frame, isakmp = dict(dict(layers)["frame"]), dict(layers)["isakmp"]
    broken = [(MALFORMED, "")] if any(name == "_ws.malformed" for name, _ in layers) else []
    return int(frame["frame.number"]), [*isakmp, *broken]


def header(message: Pairs) -> tuple[object, ...]:
    """Cookies, next payload, version, exchange, flags, message ID and length."""
    named = dict(reversed(message))
    return (
        _hex(named["isakmp.ispi"]),
        _hex(named["isakmp.rspi"]),
        int(named["isakmp.nextpayload"]),
        int(named["isakmp.version"], 16),
        int(named["isakmp.exchangetype"]),
        int(named["isakmp.flags"], 16),
        int(named["isakmp.messageid"], 16),
        int(named["isakmp.length"]),
    )


def payloads(message: Pairs) -> list[tuple[int, Pairs]]:
    """Type and fields of each payload, of those that tshark decrypted where it did."""
    decrypted = dict(message).get("isakmp.enc.data")
    return list(_trees(decrypted if isinstance(decrypted, list) else message))


def _trees(pairs: Pairs) -> Iterator[tuple[int, Pairs]]:
    for (name, value), (_, tree) in pairwise(pairs):
        if name == "isakmp.typepayload":
            yield int(value), tree


def fields(kind: int, tree: Pairs) -> tuple[object, ...]:
    """Of one payload: length, then what stands in it."""
    named = dict(tree)
    length = int(dict(reversed(tree))["isakmp.payloadlength"])
    match kind:
        case 1:
            situation = int(_hex(named["isakmp.sa.situation"]), 16)
            return length, int(named["isakmp.sa.doi"]), situation, [_proposal(each) for _, each in _trees(tree)]
        case 4:
            return length, _hex(named.get("isakmp.key_exchange.data", ""))
        case 5:
            identity = (int(named[f"isakmp.id.{name}"]) for name in ("type", "protoid", "port"))
            return length, *identity, _identity(named["isakmp.id.data"])
        case 6:
            return length, int(named["isakmp.cert.encoding"])
        case 7:
            return length, int(named["isakmp.certreq.type"])
        case 8:
            return length, len(_hex(named["isakmp.hash"])) // 2
        case 9:
            return length, len(_hex(named["isakmp.sig"])) // 2
        case 10:
            return length, _hex(named["isakmp.nonce"])
        case 11:
            numbers = (int(named[f"isakmp.notify.{name}"]) for name in ("doi", "protoid", "msgtype"))
            return length, *numbers, _hex(named.get("isakmp.spi", "")), _notify_data(named)
        case 12:
            spis = [_hex(value) for name, value in tree if name == "isakmp.delete.spi"]
            return length, int(named["isakmp.delete.doi"]), int(named["isakmp.delete.protoid"]), spis
        case 13:
            return length, _hex(named["isakmp.vid_bytes"])
        case 14:
            settings = [_setting(value) for name, value in tree if name == "isakmp.cfg.attr"]
            return length, int(named["isakmp.cfg.type"]), int(named["isakmp.cfg.identifier"]), settings
        case 20 | 130:
            return length, _hex(named["isakmp.ike.nat_hash"])
        case 21 | 131:
            address = next(value for name, value in tree if "nat_original_address" in name)
            return length, int(named["isakmp.id.type"]), address
        case 132:
            fragment = int(named["isakmp.frag.packetid"], 16), int(named["isakmp.frag.seq"])
            return length, *fragment, int(named["isakmp.frag.last"])
        case _:
            return (length,)


def _proposal(tree: Pairs) -> tuple[object, ...]:
    named = dict(tree)
    return (
        int(named["isakmp.prop.number"]),
        int(named["isakmp.prop.protoid"]),
        _hex(named.get("isakmp.spi", "")),
        [_transform(each) for _, each in _trees(tree)],
    )


def _transform(tree: Pairs) -> tuple[object, ...]:
    named = dict(tree)
    attributes = [_attribute(value) for name, value in tree if name in ("isakmp.ike.attr", "isakmp.ipsec.attr")]
    return int(named["isakmp.trans.number"]), int(named["isakmp.trans.id"]), attributes


def _attribute(tree: Pairs) -> tuple[object, ...]:
    named = {name.rsplit(".", 1)[1]: value for name, value in reversed(tree)}
    return int(named["type"]), named["format"] == "1", number(_hex(named.get("value", "")))


def _setting(tree: Pairs) -> tuple[object, ...]:
    named = {name.rsplit(".", 1)[1]: value for name, value in reversed(tree)}
    kind, value = int(named["type"]), _hex(named.get("value", ""))
    return kind, named["format"] == "1", len(value) // 2 if kind in PASSWORDS else value


def _notify_data(named: dict[str, Any]) -> object:
    """In hex; of RESPONDER-LIFETIME the attributes."""
    inner = named.get("isakmp.notify.data_tree", [])
    attributes = [_attribute(value) for name, value in inner if name.endswith("ipsec.attr")]
    return attributes or _hex(named.get("isakmp.notify.data", ""))


def _identity(data: Pairs) -> str:
    """As an operator would write it; a KEY_ID in hex."""
    (name, value), *more = data
    if not more:
        return _hex(value) if name.endswith("key_id") else str(value)
    ((kind, other),) = more
    if kind.endswith("range_end"):
        return f"{value} - {other}"
    return f"{value}/{int(ip_address(other)).bit_count()}"


def number(digits: str) -> int | str:
    """A value of up to eight octets as a number."""
    return int(digits, 16) if 0 < len(digits) <= 16 else digits


def _hex(text: str) -> str:
    return text.replace(":", "")
