"""An exchange told again in a new process, from what moved it (`inputs`).

`begin` makes the conversation that remembers its inputs, `revive` makes it once more and gives it the same inputs; what
that leads to was done by the process before. From there on it waits, says again, answers repetitions and ends as the
first one would have, octet by octet.

Not told again is what proves nothing and moves nothing: why datagrams were dropped, hints, ICMP errors, how often
something was repeated. So the words in which a wait ends may say less, and the bounds on answers, reminders and
complaints begin anew. Copies that were due while no process was there are not said. An exchange that failed is not told
again, although the first process would have answered repetitions for a while.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

from ikevd.addresses import Path
from ikevd.conversation.core import Conversation
from ikevd.conversation.effects import AskHost, Effect, Raised, Remember, Returned
from ikevd.conversation.inputs import Beginning, Input, InputKind, Inputs
from ikevd.conversation.timing import Timing
from ikevd.crypto.ciphers import IvChain
from ikevd.errors import IkeError
from ikevd.exchanges import phase2
from ikevd.exchanges.link import Exchange, Host, HostCall, Link, Situation, T_co
from ikevd.host.entropy import Entropy, SeededEntropy
from ikevd.sa.model import IsakmpSa

Make = Callable[[Link, Host, Entropy], Exchange[T_co]]
"""Makes the coroutine; the policy that it needs is the maker's."""


class Irreproducible(IkeError):
    """What was kept of an exchange does not lead there again."""


@dataclass(slots=True)
class Revived(Generic[T_co]):
    """An exchange that was told again."""

    conversation: Conversation[T_co]
    asks: HostCall | None = None
    """What it waits for from the host, if for that: to be asked again."""
    returned: tuple[T_co] | None = None
    """Its result, where it has ended."""


def begin(
    beginning: Beginning, make: Make[T_co], timing: Timing, sa: IsakmpSa | None = None, *, remembers: bool = True
) -> Conversation[T_co]:
    """The exchange at its beginning, not started yet. `sa`: the ISAKMP SA that it is under; `remembers`: shall its
    effects tell what moved it?"""
    chains, forks = (_chains(beginning, blocks, sa) for blocks in (beginning.origins, beginning.forks))
    situation = Situation(
        beginning.cookies,
        beginning.message_id,
        beginning.path,
        chains,
        forks,
        nat_port=beginning.nat_port,
        nat=sa.nat if sa else None,
        answered_at=beginning.answered_at,
    )
    exchange = make(Link(situation), Host(), SeededEntropy(beginning.seed.reveal()))
    return Conversation(
        exchange,
        beginning.kind,
        situation,
        timing,
        initiator=beginning.initiator,
        minted=beginning.minted,
        remembers=remembers,
    )


def revive(inputs: Inputs, make: Make[T_co], timing: Timing, now: float, sa: IsakmpSa | None = None) -> Revived[T_co]:
    """The exchange after its last input, at `now`. Raises `Irreproducible` where the record is not whole, or where the
    policy that `make` has, or this version, says something else than was said."""
    if not _is_sound(inputs):
        raise Irreproducible("the record of the exchange was cut off or altered")
    try:
        revived = Revived(begin(inputs.beginning, make, timing, sa))
    except (ValueError, OverflowError) as error:
        raise Irreproducible(f"the exchange cannot begin as it did: {error}") from None
    try:
        for given in inputs.given:
            _give(revived, given, sa)
        if revived.conversation.said != inputs.said:
            raise Irreproducible("the exchange says something else than it did: its connection has changed")
    except Irreproducible:
        revived.conversation.close()
        raise
    revived.conversation.pass_over(now)
    return revived


def _is_sound(inputs: Inputs) -> bool:
    try:
        return inputs.sound
    except (ValueError, OverflowError, struct.error):
        return False


def _give(revived: Revived[T_co], given: Input, sa: IsakmpSa | None) -> None:
    """One input; what it leads to was done once, and is looked at only."""
    if given.kind is InputKind.SERVED:
        if revived.asks is None:
            raise Irreproducible("the exchange does not ask its host where it did")
        revived.asks = None
    effects = _effects(revived.conversation, given, sa)
    for effect in effects:
        match effect:
            case AskHost(call):
                revived.asks = call
            case Returned(result):
                revived.returned = (result,)
            case Raised(error):
                raise Irreproducible(f"the exchange fails where it did not: {type(error).__name__}")
    if not any(isinstance(effect, Remember) for effect in effects):
        raise Irreproducible(f"what the exchange was given moves it no more: {given.kind.value}")


def _effects(conversation: Conversation[T_co], given: Input, sa: IsakmpSa | None) -> list[Effect[T_co]]:
    match given:
        case Input(InputKind.STARTED, at):
            return conversation.start(at)
        case Input(InputKind.HEARD, at, octets, Path() as path):
            return conversation.heard(octets, path, at)
        case Input(InputKind.SERVED, at):
            return conversation.resume(given.answer, at)
        case Input(InputKind.SILENT, at):
            return conversation.tick(at)
        case Input(InputKind.FORKED, octets=origin) if sa is not None:
            return conversation.fork(phase2.chain(sa, origin, conversation.message_id))
        case Input(InputKind.CONFIRMED):
            return conversation.confirm()
    return []


def _chains(beginning: Beginning, blocks: tuple[bytes, ...], sa: IsakmpSa | None) -> tuple[IvChain, ...]:
    """From each of `blocks`. Raises ValueError where there is no ISAKMP SA for them."""
    if blocks and sa is None:
        raise ValueError("there is no ISAKMP SA for it")
    return phase2.chains_from(sa, blocks, beginning.message_id) if sa and blocks else ()
