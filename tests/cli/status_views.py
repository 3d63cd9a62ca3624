"""Answers of `status` as `ikevd status` gets them, and how they are drawn."""

from __future__ import annotations

import io
from typing import Any

from ikevd.cli.screen import show

LOCAL, REMOTE = "2001:db8:1111:2222:3333:4444:5555:0/112", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:0/112"
SA = {
    "spi_in": "c0ffee01",
    "spi_out": "deadbeef",
    "local": "192.0.2.1",
    "remote": "198.51.100.1",
    "local_selector": "10.1.0.0/24",
    "remote_selector": "10.2.0.0/24",
    "lent_by": None,
    "protocol": "ESP",
    "mode": "tunnel",
    "udp_encapsulation": None,
    "ipcomp": None,
    "initiator": True,
    "suite": "aes256-sha256-modp2048",
    "age_seconds": 10,
    "expires_in_seconds": 3590,
    "rekeys_in_seconds": 3122,
    "replaced": False,
    "lifetime_kilobytes": None,
    "bytes_in": 84,
    "packets_in": 1,
    "bytes_out": 123_456_789,
    "packets_out": 102_400,
    "replayed_in": 0,
    "forged_in": 0,
}
ISAKMP: dict[str, Any] = {
    "cookies": "91e816c608db1602:4bc78b933b1eb81e",
    "initiator": False,
    "exchange": "AGGRESSIVE",
    "cisco": {"ios": "QM_IDLE", "asa": "AM_ACTIVE"},
    "local_id": "192.0.2.1",
    "remote_id": "gw.example.net",
    "local": "192.0.2.1:4500",
    "remote": "198.51.100.1:4500",
    "suite": "aes256-sha256-modp2048",
    "age_seconds": 602,
    "expires_in_seconds": 85_798,
    "renews_in_seconds": 84_358,
    "retired": False,
    "nat": {"method": "RFC 3947", "local": False, "remote": True, "forced": False, "tried": False},
    "peer_vendors": ["strongSwan", "XAUTH", "Dead Peer Detection", "Cisco Unity", "NAT-T RFC 3947", "NAT-T draft-03"],
    "heard_seconds": 41,
    "heard_by": "IKE",
    "dpd": True,
    "unanswered": 3,
}
FAILED = {
    "exchange": "MAIN_MODE",
    "initiator": True,
    "peer": "198.51.100.1:500",
    "outcome": "failed",
    "furthest": "MM5 sent",
    "cisco": {"ios": "MM_KEY_EXCH", "asa": "MM_WAIT_MSG6"},
    "cause": "no MM6",
    "started": 0.0,
    "last_event": 1.0,
}


HEAD: dict[str, Any] = {
    "version": "1",
    "pid": 1,
    "uptime_seconds": 1.0,
    "listening": [],
    "socket_holder": {"kind": "none", "pid": None, "problem": None},
    "half_open": 0,
    "refused": [],
}


def child(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"name": "lan", "local": "10.1.0.0/24", "remote": "10.2.0.0/24", "state": "up", "sas": [SA]}
    plain |= {
        "carried_by": None,
        "last_cause": None,
        "retry_in_seconds": None,
        "last_in_seconds": 4,
        "one_way_seconds": None,
        "group": None,
        "updown": None,
    }
    return {**plain, "esp_proposals": ["aes256-sha256-modp2048"], "pfs": "required", **changes}


def connection(**changes: Any) -> dict[str, Any]:
    plain = {"name": "berlin", "local": "192.0.2.1", "remote": "198.51.100.1", "negotiating": False, "phase1": None}
    plain["one_way"] = None
    plain["ike_proposals"] = ["aes256-sha256-modp2048", "aes128-sha1-modp1024"]
    return {**plain, "isakmp": [ISAKMP], "children": [child()], **changes}


def drawn(width: int, *connections: dict[str, Any], config: bool = False) -> list[str]:
    """The lines below the daemon's own."""
    stream = io.StringIO()
    status = {**HEAD, "version": "1.2.3", "listening": ["192.0.2.1:500"]}
    show({**status, "connections": connections}, width, stream, config=config)
    return stream.getvalue().splitlines()[2:]
