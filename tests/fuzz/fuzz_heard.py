"""Target: `Conversation.heard` at every stage of Main Mode, Quick Mode and Informational, in both roles.

Input: the stage, the helps of an attacker who knows cookies or even keys (see `Help`), then a datagram. `heard` must
raise nothing; a message that it does not accept must change nothing and, unless it is a repetition, be answered by
nothing.
"""

from __future__ import annotations

import random
import sys
from enum import IntFlag
from pathlib import Path

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["ikevd"]):
    from ikevd.conversation.effects import Effect, Raised, Transmit
    from ikevd.errors import InternalError
    from ikevd.facts import Dropped, Heard, Repeated
    from ikevd.wire.message import HEADER_OCTETS, VERSION, encode_chain
    from ikevd.wire.registry import ExchangeType, PayloadType
    from tests.fuzz import mutate, stages
    from tests.fuzz.stage import COOKIES, MESSAGE_ID, PHASE_1, Stage, drive

from tests.fuzz.memory import Ceiling

NAMES = list(stages.STAGES)


class Help(IntFlag):
    """What is made right before the datagram is heard."""

    HEADER = 1
    """Cookies, version, exchange type and message ID."""
    LENGTH = 2
    SEAL = 4
    """The body is encrypted with the right key and IV."""
    PROVE = 8
    """The right HASH is put in."""
    HOST_REFUSES = 16
    """The kernel refuses what an accepted message leads to."""
    TWICE = 32
    """The datagram comes twice."""
    FLAGS = 64
    """The header flags."""


ALL = Help.HEADER | Help.FLAGS | Help.LENGTH | Help.SEAL | Help.PROVE
ceiling = Ceiling()
waiting: dict[str, Stage] = {}


def datagram_of(stage: Stage, help: Help, header: bytes, body: bytes) -> bytes:
    first = PayloadType(header[16])
    if help & Help.PROVE and stage.prove and (body or not stage.genuine):
        first, body = stage.proven(first, body)
    if help & Help.SEAL and stage.chain:
        body = stage.seal(body)
    length = (HEADER_OCTETS + len(body)).to_bytes(4, "big") if help & Help.LENGTH else header[24:28]
    right = stage.header().encode(0)
    if help & Help.HEADER:
        header = right[:16] + bytes([first]) + right[17:19] + header[19:20] + right[20:]
    if help & Help.FLAGS:
        header = header[:19] + right[19:20] + header[20:]
    return header[:24] + length + body


def one_input(data: bytes) -> None:
    ceiling.check()
    if len(data) < 2:
        return
    name, help = NAMES[data[0] % len(NAMES)], Help(data[1] & 0x7F)
    stage = waiting.get(name) or stages.STAGES[name]()
    datagram = datagram_of(stage, help, *stages.split(data[2:]))
    effects = hear(stage, datagram, help)
    for effect in effects:
        assert not (isinstance(effect, Raised) and isinstance(effect.error, InternalError)), effect.error.__cause__
    if any(isinstance(effect, Heard) for effect in effects):
        waiting.pop(name, None)
        assert header_is_right(stage, datagram), datagram[:HEADER_OCTETS].hex()
        hear(stage, datagram, help)
    else:
        waiting[name] = stage
        repeated = any(isinstance(effect, Repeated) for effect in effects)
        dropped = any(isinstance(effect, Dropped) for effect in effects)
        assert dropped != repeated, "one of both is its evidence"
        assert repeated or not any(isinstance(effect, Transmit) for effect in effects), "silence answers it"
        assert not any(isinstance(effect, Raised) for effect in effects)
        assert not stage.chain or stage.situation.chains[0].iv == stage.iv


def header_is_right(stage: Stage, datagram: bytes) -> bool:
    """What every accepted message must have, read here without the parser."""
    allowed = {1, 3} if stage.chain else {0, 2}
    if stage.exchange == ExchangeType.AGGRESSIVE and stage.prove and not stage.conversation.initiator:
        allowed = {0, 1, 2, 3}  # message 3 is encrypted or not (RFC 2409 section 5.4)
    flags, message_id = datagram[19], int.from_bytes(datagram[20:24], "big")
    return (
        datagram[:8] == COOKIES.initiator
        and datagram[17:19] == bytes([VERSION, stage.exchange])
        and flags in allowed
        and message_id == (0 if stage.exchange in PHASE_1 else MESSAGE_ID)
    )


def hear(stage: Stage, datagram: bytes, help: Help) -> list[Effect]:
    effects: list[Effect] = []
    for _ in range(2 if help & Help.TWICE else 1):
        heard = stage.conversation.heard(datagram, stage.path, 0.0)
        effects += drive(stage.conversation, heard, refuse=bool(help & Help.HOST_REFUSES))
    return effects


def custom_mutator(data: bytes, max_size: int, seed: int) -> bytes:
    """Half of the changes keep the chain of payloads well-formed, some move to another stage."""
    dice = random.Random(seed)
    choice = dice.random()
    if len(data) < 32 or choice < 0.4:
        return bytes(atheris.Mutate(data, max_size))
    if choice < 0.5:
        return bytes([dice.randrange(len(NAMES)), data[1] ^ (1 << dice.randrange(7))]) + data[2:]
    header, body = stages.split(data[2:])
    first, chain = mutate.mutated_chain(header[16], body, dice, atheris.Mutate)
    return (data[:2] + header[:16] + bytes([first]) + header[17:] + chain)[:max_size]


def write_seeds(folder: Path) -> None:
    """The genuine message of each stage with all helps, and as an onlooker sees it."""
    for number, (name, make) in enumerate(stages.STAGES.items()):
        stage = make()
        clear = encode_chain(stage.genuine)
        plain = stage.header().encode(len(clear)) + clear
        file = name.replace(" ", "-")
        (folder / f"{file}-clear").write_bytes(bytes([number, ALL]) + plain)
        (folder / f"{file}-sealed").write_bytes(bytes([number, 0]) + stage.genuine_datagram())


if __name__ == "__main__":
    if Path(sys.argv[1]).is_dir():  # else it is an input to run again
        write_seeds(Path(sys.argv[1]))
    atheris.Setup(sys.argv, one_input, custom_mutator=custom_mutator)
    atheris.Fuzz()
