"""Sessions of other implementations, decrypted with their known keys into well-formed chains of payloads.

The payload types of the two captures are compared with what tshark prints.
"""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ikevd.crypto.ciphers import CbcCipher, IvChain
from ikevd.crypto.keys import phase1_iv, phase2_iv
from ikevd.crypto.secret import Secret
from ikevd.wire.registry import Cipher, Flags, Hash, PayloadType

CIPHERS = {
    "3des-cbc": Cipher.TRIPLE_DES_CBC,
    "aes-cbc-128": Cipher.AES_CBC,
    "aes-cbc-256": Cipher.AES_CBC,
}
HASHES = {"md5": Hash.MD5, "sha2-256": Hash.SHA2_256}
CERTS = "captures/with-keys/wireshark-ikev1-certs.pcap"
ANDROID = "captures/with-keys/wireshark-ikev1-bug-12620.pcapng.gz"

Chain = list[tuple[int, bytes]]


@dataclass(frozen=True)
class Message:
    """One ISAKMP message: what of its header is needed here, and its body."""

    frame: int
    first: int
    encrypted: bool
    message_id: int
    body: bytes


def read_messages(testdata: Path, file: str) -> list[Message]:
    """The messages of one capture, each datagram once; the non-ESP marker of port 4500 taken off."""
    name = file.removeprefix("captures/").replace("/", "__")
    rows = json.loads((testdata / "messages" / f"{name}.json").read_text())["messages"]
    payloads = {bytes.fromhex(row["payload"]): row for row in reversed(rows)}
    messages = []
    for datagram, row in reversed(payloads.items()):
        data = datagram[4:] if 4500 in (row["sport"], row["dport"]) else datagram
        flags, message_id = data[19], int.from_bytes(data[20:24], "big")
        encrypted = bool(flags & Flags.ENCRYPTION)
        messages.append(Message(row["frame"], data[16], encrypted, message_id, data[28:]))
    return messages


def walk(first: int, body: bytes) -> Chain:
    """The payloads of a message; fails unless every length fits."""
    payloads, kind, offset = [], first, 0
    while kind:
        length = int.from_bytes(body[offset + 2 : offset + 4], "big")
        assert length >= 4
        assert offset + length <= len(body)
        payloads.append((kind, body[offset + 4 : offset + length]))
        kind, offset = body[offset], offset + length
    return payloads


def public_values(messages: Iterable[Message]) -> list[bytes]:
    """g^xi and g^xr from the first messages in the clear."""
    clear = [message for message in messages if not message.encrypted]
    return [body for m in clear for kind, body in walk(m.first, m.body) if kind == PayloadType.KE][:2]


def decrypt(session: dict[str, Any], messages: list[Message], first_iv: bytes | None) -> dict[int, Chain]:
    """Frame to payloads of every encrypted message: one chain of IVs for phase 1, one for each message id."""
    cipher = CbcCipher(CIPHERS[session["encryption"]], Secret(bytes.fromhex(session["isakmp_key"])))
    hash, size = HASHES[session["hash"]], cipher.block_size
    if first_iv is None:
        g_xi, g_xr = public_values(messages)
        first_iv = phase1_iv(hash, g_xi, g_xr, size)
    chains = {0: IvChain(cipher, first_iv)}
    found = {}
    for message in (m for m in messages if m.encrypted):
        if message.message_id not in chains:
            iv = phase2_iv(hash, chains[0].iv, message.message_id, size)
            chains[message.message_id] = IvChain(cipher, iv)
        proposed = chains[message.message_id].propose(message.body)
        found[message.frame] = walk(message.first, proposed.plaintext)
        chains[message.message_id].commit(proposed)
    return found


def session_of(testdata: Path, key: str, name: str) -> dict[str, Any]:
    sessions = yaml.safe_load((testdata / "keys.yaml").read_text())["captures"]
    found: dict[str, Any]
    (found,) = (session for session in sessions if session.get(key) == name)
    return found


def types_by_tshark(testdata: Path, session: dict[str, Any]) -> dict[int, list[int]]:
    """Frame to payload types, without the proposals and transforms inside an SA payload."""
    with (testdata / session["expected"]).open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    types = {int(row["frame.number"]): map(int, row["isakmp.typepayload"].split(";")) for row in rows}
    inner = (PayloadType.PROPOSAL, PayloadType.TRANSFORM)
    return {frame: [kind for kind in kinds if kind not in inner] for frame, kinds in types.items()}


@pytest.mark.parametrize(("file", "frames"), [(CERTS, [5, 6, 7, 9, 10]), (ANDROID, [4, 5, 6, 7, 8, 9, 10])])
def test_a_capture_decrypts_to_the_payloads_that_tshark_prints(testdata: Path, file: str, frames: list[int]) -> None:
    session = session_of(testdata, "file", file)
    found = decrypt(session, read_messages(testdata, file), first_iv=None)
    expected = types_by_tshark(testdata, session)
    assert {frame: [kind for kind, _ in chain] for frame, chain in found.items()} == {
        frame: expected[frame] for frame in frames
    }


def test_the_identities_of_main_mode_are_read(testdata: Path) -> None:
    found = decrypt(session_of(testdata, "file", CERTS), read_messages(testdata, CERTS), first_iv=None)
    identities = [dict(found[frame])[PayloadType.ID][4:] for frame in (5, 6)]
    assert identities == [bytes([192, 168, 12, 118]), bytes([172, 16, 1, 103])]


@pytest.mark.parametrize(
    ("name", "chains"),
    [
        ("openswan-v1rwnat", [[5, 9], [5, 9], [8, 1, 10, 4, 5, 5]]),
        ("openswan-parent", [[5, 9]]),
    ],
)
def test_an_openswan_transcript_decrypts(testdata: Path, name: str, chains: list[list[int]]) -> None:
    session = session_of(testdata, "transcript", name)
    files = [message for file in session["files"] for message in read_messages(testdata, file)]
    messages = [replace(message, frame=number) for number, message in enumerate(files, 1)]
    found = decrypt(session, messages, first_iv=bytes.fromhex(session["first_iv"]))
    assert [[kind for kind, _ in chain] for chain in found.values()] == chains
