"""A controller made by hand, and the daemon's outside that serves it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ikevd.addresses import Address
from ikevd.control.client import Client
from ikevd.control.interface import NotAllowed, Progress, UnknownName
from ikevd.control.pace import Pace, paced
from ikevd.control.reload_shapes import Reload
from ikevd.control.sa_shapes import Phase1
from ikevd.control.status_shapes import Connection, Status
from ikevd.dissect.frames import Datagram
from ikevd.dissect.pcap_writer import file_header, record
from ikevd.errors import IkeError, PeerRefused, Said
from ikevd.facts import Established, Fact, Failed, Heard, Hint, Sent
from ikevd.observe.history import Entry
from ikevd.observe.views import View, entry_view
from ikevd.wire.message import Header
from ikevd.wire.registry import ExchangeType, Flags, NotifyType, PayloadType
from ikevd.wording import Names
from tests.builders import ALICE_TO_BOB

T = TypeVar("T")
STARTED = 1_700_000_000.0
NOTE = "a note \x1b[2J"
NAMES = ("berlin", "berlin/lan", "lan[1]", "a b/ü", "dmz", "silent", "mute", "broken", "flood", "gone", "nobody")
PHASE1: Phase1 = {
    "exchange": "MAIN_MODE",
    "initiator": True,
    "peer": "198.51.100.1:500",
    "outcome": "established",
    "furthest": "MM6 received",
    "cisco": {"ios": "QM_IDLE", "asa": "MM_ACTIVE"},
    "cause": None,
    "started": STARTED,
    "last_event": STARTED + 1,
}
STATUS: Status = {
    "schema": 1,
    "version": "1.2.3",
    "pid": 4711,
    "uptime_seconds": 3725.0,
    "listening": ["192.0.2.1:500", "192.0.2.1:4500"],
    "socket_holder": {"kind": "process", "pid": 4712, "problem": None},
    "half_open": 2,
    "refused": [],
    "connections": [
        {
            "name": "berlin",
            "local": "192.0.2.1",
            "remote": "198.51.100.1",
            "ike_proposals": ["aes128-sha256-x25519"],
            "negotiating": False,
            "phase1": PHASE1,
            "one_way": None,
            "interface": None,
            "route_problem": None,
            "mss_problem": None,
            "isakmp": [
                {
                    "cookies": "0123456789abcdef:fedcba9876543210",
                    "initiator": True,
                    "local_id": "192.0.2.1",
                    "remote_id": "evil \x1b[2J",
                    "exchange": "MAIN_MODE",
                    "cisco": {"ios": "QM_IDLE", "asa": "MM_ACTIVE"},
                    "local": "192.0.2.1:4500",
                    "remote": "198.51.100.1:4500",
                    "suite": "aes128-sha256-x25519",
                    "age_seconds": 10,
                    "expires_in_seconds": 86390,
                    "renews_in_seconds": 84_358,
                    "retired": False,
                    "nat": {"method": "RFC 3947", "local": True, "remote": False, "forced": False, "tried": False},
                    "peer_vendors": ["DPD", "Cisco Unity", "evil \x1b[2J"],
                    "heard_seconds": 7,
                    "heard_by": "ESP",
                    "dpd": True,
                    "unanswered": 0,
                }
            ],
            "children": [
                {
                    "name": "lan",
                    "group": None,
                    "local": "10.1.0.0/24",
                    "remote": "10.2.0.0/24",
                    "state": "up",
                    "carried_by": None,
                    "last_cause": None,
                    "retry_in_seconds": None,
                    "last_in_seconds": 4,
                    "one_way_seconds": None,
                    "updown": None,
                    "esp_proposals": ["aes128-sha256"],
                    "pfs": "off",
                    "sas": [
                        {
                            "spi_in": "c0ffee01",
                            "spi_out": "deadbeef",
                            "local": "192.0.2.1",
                            "remote": "198.51.100.1",
                            "local_selector": "10.1.0.0/24",
                            "remote_selector": "10.2.0.0/24",
                            "lent_by": None,
                            "protocol": "ESP",
                            "mode": "tunnel",
                            "udp_encapsulation": {"local_port": 4500, "remote_port": 4500},
                            "ipcomp": {"cpi_in": "d001", "cpi_out": "4242"},
                            "initiator": True,
                            "suite": "aes128-sha256",
                            "lifetime_kilobytes": None,
                            "age_seconds": 10,
                            "expires_in_seconds": 3590,
                            "rekeys_in_seconds": 3122,
                            "replaced": False,
                            "bytes_in": 84,
                            "packets_in": 1,
                            "bytes_out": 168,
                            "packets_out": 2,
                            "replayed_in": 0,
                            "forged_in": 0,
                        }
                    ],
                },
                {
                    "name": "dmz",
                    "group": None,
                    "local": "10.1.1.0/24",
                    "remote": "10.2.0.0/24",
                    "state": "retry",
                    "carried_by": None,
                    "last_cause": "the peer refuses: INVALID_ID_INFORMATION",
                    "retry_in_seconds": 7.5,
                    "last_in_seconds": None,
                    "one_way_seconds": None,
                    "updown": None,
                    "esp_proposals": ["aes128-sha256"],
                    "pfs": "off",
                    "sas": [],
                },
            ],
        },
        {
            "name": "munich",
            "local": "any",
            "remote": "any",
            "ike_proposals": ["aes128-sha256-x25519"],
            "negotiating": True,
            "phase1": {**PHASE1, "outcome": "negotiating", "furthest": "MM1 sent"},
            "isakmp": [],
            "one_way": None,
            "interface": None,
            "route_problem": None,
            "mss_problem": None,
            "children": [],
        },
    ],
    "counters": {"drop: Malformed": 3},
}
RECORD: View = {
    "number": 1,
    "exchange": "MAIN_MODE",
    "initiator": True,
    "cookies": {"initiator": "0123456789abcdef", "responder": "fedcba9876543210"},
    "message_id": "00000000",
    "peer": "198.51.100.1:500",
    "connection": "berlin",
    "child": None,
    "started": STARTED,
    "spis": [],
    "events": [{"at": STARTED + 0.5, "fact": "note", "text": NOTE, "finding": {"kind": "said", "text": NOTE}}],
    "not_kept": 0,
}


DECODED: View = {
    **RECORD,
    "events": [
        {
            "at": STARTED + 0.5,
            "fact": "sent",
            "label": "MM1",
            "payloads": ["SA"],
            "vendors": [],
            "notifications": [],
            "octets": 28,
            "wire": "00",
            "path": str(ALICE_TO_BOB),
            "copy": 1,
            "message": {"octets": 28, "header": {"version": "1.0"}, "payloads": []},
        }
    ],
}
MESSAGE = Header(b"initiato", bytes(8), PayloadType.NONE, ExchangeType.MAIN_MODE, Flags.NONE, 0).encode(0)
CAPTURED = Datagram(1_700_000_000_500_000_000, ALICE_TO_BOB.local, ALICE_TO_BOB.remote, MESSAGE)
KEY = "0123456789abcdef,00112233445566778899aabbccddeeff"


RELOADED: Reload = {
    "schema": 1,
    "ok": True,
    "dry_run": False,
    "problems": [],
    "unchanged": 997,
    "changed": [
        {
            "name": "berlin",
            "keys": ["ike_proposals"],
            "reach": "renewed",
            "children": [{"name": "lan", "keys": ["remote"], "reach": "replaced"}],
            "added": ["dmz"],
            "removed": ["old"],
        }
    ],
    "removed": ["paris"],
    "added": ["madrid"],
    "settings": [{"key": "log.level", "at_next_start": False}, {"key": "listen.port", "at_next_start": True}],
    "remarks": ["listen.port takes effect at the next start"],
}
UNUSABLE: Reload = {
    **RELOADED,
    "ok": False,
    "problems": ["/etc/ikevd/ikevd.yaml:3:5: connections.berlin: has no psk", "evil \x1b[2J"],
    "unchanged": 0,
    "changed": [],
    "removed": [],
    "added": [],
    "settings": [],
    "remarks": [],
}


@dataclass
class StandIn:
    """`dmz` is refused, `silent` and `mute` never answer, `broken` is a bug, `gone` cannot be taken down."""

    waiting: int = 0
    asked: list[tuple[str | None, ...]] = field(default_factory=list)
    filters: tuple[object, ...] = ()
    trouble: Exception | None = None
    stalled: bool = False
    records: Callable[[], Iterator[View]] | None = None
    """What a trace gives instead of the usual."""
    connections: list[Connection] = field(default_factory=lambda: STATUS["connections"])
    """Of the status."""
    reloaded: Reload = field(default_factory=lambda: RELOADED)

    async def status(
        self, name: str | None, peer: Address | None, pace: Pace
    ) -> tuple[View, AsyncIterator[Connection]]:
        if self.trouble:
            raise self.trouble
        if self.stalled:
            await self._for_ever()
        if name == "paris":
            self.expect(name)
        shown = [c for c in self.connections if name in (None, c["name"]) and str(peer) in ("None", c["remote"])]
        return {key: value for key, value in STATUS.items() if key != "connections"}, paced(iter(shown))

    def names(self) -> Names:
        return {"berlin": {"lan": [], "dmz": []}, "munich": {"halls": ["halls[1]", "halls[2]"]}}

    async def trace(
        self, spi: str | None, connection: str | None, peer: str | None, last: int, *, decode: bool = False
    ) -> Iterator[View]:
        self.filters = spi, connection, peer, last
        if self.records is not None:
            return self.records()
        return iter([] if connection == "nobody" else [DECODED if decode else RECORD])

    async def capture(self, spi: str | None, connection: str | None, peer: str | None, last: int) -> Iterator[bytes]:
        self.filters = spi, connection, peer, last
        return iter([file_header(), *([] if connection == "nobody" else [record(CAPTURED)])])

    async def keys(self, spi: str | None, connection: str | None, peer: str | None) -> list[str]:
        if connection == "munich":
            raise NotAllowed("keys are given out only where the configuration has control.export_keys: true")
        return [KEY]

    def expect(self, name: str) -> None:
        if name not in NAMES:
            raise UnknownName(f"no connection or child is named {name}; configured: berlin (lan, dmz)")

    async def up(self, name: str, progress: Progress) -> None:
        self.asked.append(("up", name))
        match name:
            case "dmz":
                _say(progress, Failed(Said("the peer refuses: INVALID_ID_INFORMATION"), "PeerRefused"))
                raise PeerRefused("the peer refuses: INVALID_ID_INFORMATION", NotifyType.INVALID_ID_INFORMATION)
            case "silent":
                for copy in (1, 2, 3):
                    _say(progress, Sent("MM5", ("HASH",), bytes(76), ALICE_TO_BOB, copy))
                _say(progress, Hint(NotifyType.AUTHENTICATION_FAILED))
                await self._for_ever()
            case "mute":
                await self._for_ever()
            case "broken":
                raise RuntimeError("up is broken")
            case "flood":
                for _ in range(5000):
                    _say(progress, Hint(NotifyType.NO_PROPOSAL_CHOSEN))
            case _:
                _say(progress, Sent("MM1", ("SA",), bytes(80), ALICE_TO_BOB))
                _say(progress, Heard("MM2", ("SA",), bytes(80), ALICE_TO_BOB))
                _say(progress, Established(Said("ISAKMP SA with evil \x1b[2J")))

    async def down(self, name: str | None, progress: Progress, *, in_clear: bool = False) -> None:
        self.asked.append(("down", name, "in clear") if in_clear else ("down", name))
        if name == "silent":
            _say(progress, Sent("MM5", ("HASH",), bytes(76), ALICE_TO_BOB))
            await self._for_ever()
        if name == "gone":
            raise IkeError("the kernel keeps it")

    def expect_connection(self, name: str) -> None:
        if name not in self.names():
            raise UnknownName(f"no connection is named {name}; configured: berlin")

    async def rekey(self, name: str, progress: Progress, *, phase1: bool = False) -> None:
        self.asked.append(("rekey", name, "ike") if phase1 else ("rekey", name))
        if name == "gone":
            raise IkeError("gone is not up: `ikevd up gone` brings it up")
        _say(progress, Established(Said("IPsec SA pair")))

    async def reset(self, name: str, progress: Progress) -> None:
        self.asked.append(("reset", name))

    async def reload(self, *, dry_run: bool) -> Reload:
        self.asked.append(("reload", "dry run" if dry_run else None))
        if self.trouble:
            raise self.trouble
        return {**self.reloaded, "dry_run": dry_run}

    async def _for_ever(self) -> None:
        self.waiting += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.waiting -= 1


def _say(progress: Progress, fact: Fact) -> None:
    progress({"connection": "berlin", "child": None, "initiator": True, **entry_view(Entry(STARTED, fact))})


@dataclass
class Daemon:
    """What serves, and a way to ask it."""

    path: Path
    controller: StandIn

    async def ask(self, question: Callable[[Client], T]) -> T:
        """The client blocks, so it runs in a thread."""
        return await asyncio.to_thread(question, Client(self.path))
