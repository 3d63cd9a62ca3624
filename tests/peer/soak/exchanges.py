"""Main Mode, Quick Mode and Informational, as far as the rules of a peer's life see them: who waits for what."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

from ikevd.peer.child_state import Half
from ikevd.policy.child import Child
from ikevd.sa.model import Cookies, IpsecSa, Spi
from tests.builders import ALICE, BOB
from tests.peer.records import ipsec


@dataclass(frozen=True)
class Message:
    """`kind`: MM1, MM2, MM5, MM6, QM1 to QM3 or INFO."""

    kind: str
    under: Cookies
    id: int = 0
    body: object = None


@dataclass(frozen=True)
class Ask:
    """Sent again until it is answered."""

    message: Message


@dataclass(frozen=True)
class Tell:
    """Sent again whenever the peer repeats itself."""

    message: Message


@dataclass(frozen=True)
class Reserve:
    """An SPI, of the kernel."""

    child: str


@dataclass(frozen=True)
class Open:
    """So much of the pair shall stand in the kernel."""

    sa: IpsecSa
    half: Half


Wish = Ask | Tell | Reserve | Open
Exchange = Generator[Wish, object, object]


ANSWERS = {"MM1": "MM2", "MM5": "MM6", "QM1": "QM2", "QM2": "QM3"}


def answers(asked: Message, message: Message) -> bool:
    """Is this what `asked` waits for?"""
    if asked.kind == "MM1":  # the responder's cookie comes with the answer
        return message.kind == "MM2" and message.under.initiator == asked.under.initiator
    return (message.kind, message.under, message.id) == (ANSWERS.get(asked.kind), asked.under, asked.id)


def main_mode(cookie: bytes) -> Exchange:
    """Initiator: the cookies of the ISAKMP SA."""
    answer = yield Ask(Message("MM1", Cookies(cookie)))
    assert isinstance(answer, Message)
    yield Ask(Message("MM5", answer.under))
    return answer.under


def initiate(under: Cookies, id: int, child: Child, *, alice: bool) -> Exchange:
    """Quick Mode, initiator: its pair."""
    spi = yield Reserve(child.name)
    answer = yield Ask(Message("QM1", under, id, (child.name, spi)))
    assert isinstance(spi, Spi)
    assert isinstance(answer, Message)
    sa = _pair(child, spi, answer.body, alice=alice, initiator=True)
    yield Open(sa, Half.INBOUND)
    yield Open(sa, Half.BOTH)
    yield Tell(Message("QM3", under, id))
    return sa


def respond(under: Cookies, id: int, child: Child, theirs: object, *, alice: bool) -> Exchange:
    """Quick Mode, responder: its pair."""
    spi = yield Reserve(child.name)
    assert isinstance(spi, Spi)
    sa = _pair(child, spi, theirs, alice=alice, initiator=False)
    yield Open(sa, Half.INBOUND)
    yield Ask(Message("QM2", under, id, spi))
    yield Open(sa, Half.BOTH)
    return sa


def _pair(child: Child, ours: Spi, theirs: object, *, alice: bool, initiator: bool) -> IpsecSa:
    assert isinstance(theirs, Spi)
    local, remote = (ALICE, BOB) if alice else (BOB, ALICE)
    return replace(
        ipsec(name=child.name),
        reqid=child.reqid,
        local=local,
        remote=remote,
        local_selector=child.local,
        remote_selector=child.remote,
        lifetime=child.lifetime,
        inbound=ours,
        outbound=theirs,
        initiator=initiator,
    )
