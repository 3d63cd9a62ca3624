"""`python -m tests.cli.bomb FILE`: a small gzip that unpacks to a capture of very many messages."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

from ikevd.dissect.frames import Datagram
from ikevd.dissect.pcap_writer import file_header, record
from ikevd.wire.message import Header, encode_chain
from ikevd.wire.payloads import VidPayload
from ikevd.wire.registry import ExchangeType, Flags, PayloadType
from ikevd.wire.vendor_ids import XAUTH
from tests.builders import ALICE_TO_BOB

MESSAGES = 150_000


def bomb(messages: int = MESSAGES) -> bytes:
    """The same message so many times."""
    body = encode_chain([VidPayload(XAUTH)])
    header = Header(b"initiato", bytes(8), PayloadType.VID, ExchangeType.MAIN_MODE, Flags.NONE, 0)
    sent = Datagram(0, ALICE_TO_BOB.local, ALICE_TO_BOB.remote, header.encode(len(body)) + body)
    return gzip.compress(file_header() + record(sent) * messages, mtime=0)


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(bomb())
