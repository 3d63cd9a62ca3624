"""Mutations that know ISAKMP: one payload, transform or attribute is changed and every length made right again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from ikevd.errors import Malformed
from ikevd.wire.registry import PayloadType
from ikevd.wire.sa import SaPayload

Body = tuple[int, bytes]
Mutate = Callable[[bytes, int], bytes]
MAX_BODY = 512
MAX_CHAIN = 12
TYPES = [*map(int, PayloadType), 15, 99, 255]


def bodies_of(first: int, chain: bytes) -> list[Body]:
    """The payloads that can be read, as type and body; what follows the last is lost."""
    found: list[Body] = []
    while first and len(chain) >= 4 and len(found) < MAX_CHAIN:
        length = max(4, int.from_bytes(chain[2:4], "big"))
        found.append((first, chain[4:length]))
        first, chain = chain[0], chain[length:]
    return found


def chain_of(bodies: list[Body]) -> tuple[int, bytes]:
    """The first type, and the payloads with right lengths."""
    types = [kind for kind, _ in bodies] + [0]
    octets = b"".join(
        bytes([following, 0]) + (len(body) + 4).to_bytes(2, "big") + body
        for (_, body), following in zip(bodies, types[1:], strict=True)
    )
    return types[0], octets


def mutated_chain(first: int, chain: bytes, dice: random.Random, mutate: Mutate) -> tuple[int, bytes]:
    """The chain after one change that keeps every length of a payload right."""
    bodies = bodies_of(first, chain)
    if not bodies:
        return first, chain
    place = dice.randrange(len(bodies))
    kind, body = bodies[place]
    match dice.randrange(8):
        case 0:
            bodies.insert(dice.randrange(len(bodies) + 1), (kind, body))
        case 1:
            del bodies[place]
        case 2:
            bodies[place] = dice.choice(TYPES), body
        case 3:
            bodies.insert(dice.randrange(len(bodies) + 1), bodies.pop(place))
        case 4 | 5 if kind == PayloadType.SA:
            bodies[place] = kind, _mutated_sa(body, dice, mutate)
        case _:
            bodies[place] = kind, mutate(body or b"\0", MAX_BODY)
    return chain_of(bodies)


def _mutated_sa(body: bytes, dice: random.Random, mutate: Mutate) -> bytes:
    """One attribute changed, doubled or dropped; or one transform or proposal doubled or dropped."""
    try:
        sa = SaPayload.decode(body)
        proposals = list(sa.proposals)
        at = dice.randrange(len(proposals))
        transforms = list(proposals[at].transforms)
        number = dice.randrange(len(transforms))
        attributes = list(transforms[number].attributes)
        place = dice.randrange(len(attributes))
    except (Malformed, ValueError):
        return mutate(body or b"\0", MAX_BODY)
    match dice.randrange(7):
        case 0:
            attributes.insert(0, attributes[place])
        case 1:
            del attributes[place]
        case 2:
            attributes[place] = replace(attributes[place], type=dice.randrange(18))
        case 3:
            wide = mutate(attributes[place].value or b"\0", 12)
            attributes[place] = replace(attributes[place], basic=False, value=wide)
        case 4:
            attributes[place] = replace(attributes[place], basic=True, value=dice.randbytes(2))
        case 5:
            proposals.append(proposals[at])
        case _:
            transforms.append(transforms[number])
    transforms[number] = replace(transforms[number], attributes=tuple(attributes))
    proposals[at] = replace(proposals[at], transforms=tuple(transforms[:32]))
    return replace(sa, proposals=tuple(proposals[:8]), received=b"").encode()
