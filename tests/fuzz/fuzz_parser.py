"""Target: the parser, the tree of a message, the choice of a proposal: only `Malformed` and `Refused` may come out.

Input: one octet (how to read the rest), then a datagram.
"""

from __future__ import annotations

import json
import random
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["ikevd"]):
    from ikevd.dissect.decode import decoded
    from ikevd.dissect.outline import outline
    from ikevd.errors import Malformed, Refused
    from ikevd.policy.choose import Phase1Offer, accept_phase1, accept_phase2, choose_phase2
    from ikevd.policy.identity import MAX_SHOWN, Identity
    from ikevd.policy.selectors import TrafficSelector
    from ikevd.wire.message import HEADER_OCTETS, VERSION, Header, Message, encode_chain, first_type
    from ikevd.wire.payloads import IdPayload
    from ikevd.wire.sa import SaPayload
    from tests.builders import ESP_AES128_SHA256
    from tests.fuzz import mutate, stages

from tests.fuzz.memory import Ceiling

AS_IT_IS = 0x80
"""Flag in the first octet: the header is read as it stands; else its length and version are made right."""
IKE, ESP = stages.ALICE_VIEW, (ESP_AES128_SHA256, stages.PFS)

ceiling = Ceiling()


def patched(data: bytes) -> bytes:
    """The datagram in `data`, with the length in its header made right."""
    datagram = data[1:]
    if data[:1] and data[0] & AS_IT_IS:
        return datagram
    header, body = stages.split(datagram)
    length = (HEADER_OCTETS + len(body)).to_bytes(4, "big")
    return header[:17] + bytes([VERSION]) + header[18:24] + length + body


def one_input(data: bytes) -> None:
    ceiling.check()
    datagram = patched(data)
    judge_view(datagram)
    try:
        header = Header.decode_untrusted(datagram)
        message = Message.decode_untrusted(header, datagram[HEADER_OCTETS : header.length])
    except Malformed:
        return
    assert header.encode(header.length - HEADER_OCTETS) == datagram[:HEADER_OCTETS]
    assert encode_chain(message.payloads) == message.chain, "every payload re-encodes as it came"
    for payload in message.payloads:
        if isinstance(payload, SaPayload):
            judge_offer(payload)
        elif isinstance(payload, IdPayload):
            judge_identity(payload)


def judge_view(datagram: bytes) -> None:
    """Whatever the octets, there is a tree, and its text moves no cursor; also as the payloads of an encrypted one."""
    for chain in (b"", datagram[HEADER_OCTETS:]):
        view = decoded(datagram, chain)
        json.dumps(view)
        assert outline(view).replace("\n", "").isprintable()


def judge_offer(sa: SaPayload) -> None:
    for choose in (
        lambda: Phase1Offer(sa).choose(IKE.suites),
        lambda: choose_phase2(sa, ESP, IKE.lifetime),
        lambda: accept_phase1(IKE.suites, sa),
        lambda: accept_phase2(ESP, sa, IKE.lifetime),
    ):
        with suppress(Malformed, Refused):
            choose()
    again = SaPayload.decode(sa.encode())
    assert again == sa


def judge_identity(payload: IdPayload) -> None:
    with suppress(Refused):
        identity = Identity.from_payload(payload)
        text = str(identity)
        assert len(text) > MAX_SHOWN or not identity.type.known or Identity.parse(text) == identity
    try:
        selector = TrafficSelector.from_id(payload)
    except (Malformed, Refused):
        return
    assert TrafficSelector.from_id(selector.to_id()) == selector
    str(selector)


def custom_mutator(data: bytes, max_size: int, seed: int) -> bytes:
    """Half of the changes keep the chain of payloads well-formed."""
    dice = random.Random(seed)
    if len(data) < 30 or dice.random() < 0.5:
        return bytes(atheris.Mutate(data, max_size))
    header, body = stages.split(data[1:])
    first, chain = mutate.mutated_chain(header[16], body, dice, atheris.Mutate)
    return (data[:1] + header[:16] + bytes([first]) + header[17:] + chain)[:max_size]


def write_seeds(folder: Path) -> None:
    """One genuine message of each stage, in the clear."""
    for name, make in stages.STAGES.items():
        stage = make()
        first, chain = stage.proven(first_type(stage.genuine), encode_chain(stage.genuine))
        header = replace(stage.header(), next_payload=first).encode(len(chain))
        (folder / name.replace(" ", "-")).write_bytes(b"\0" + header + chain)


if __name__ == "__main__":
    if Path(sys.argv[1]).is_dir():  # else it is an input to run again
        write_seeds(Path(sys.argv[1]))
    atheris.Setup(sys.argv, one_input, custom_mutator=custom_mutator)
    atheris.Fuzz()
