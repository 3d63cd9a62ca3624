"""The ladders of a capture: one for each pair of cookies, who spoke first left, with the addresses as headings.

Works on the views of `ikevd.dissect.capture`; what is encrypted stays so, and its label comes from counting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from ikevd.conversation.labels import LABELS
from ikevd.dissect.brief import EXCHANGE_NAMES, address_of, payload_names
from ikevd.dissect.fields import View
from ikevd.observe.folding import folded
from ikevd.observe.ladder import moment, rungs
from ikevd.text import flow, printable

PREFIXES = {**{str(kind): prefix for kind, prefix in LABELS.items()}, "TRANSACTION": "TX"}
PHASE_1 = ("MAIN_MODE", "AGGRESSIVE")
NO_COOKIE = "0" * 16


@dataclass(slots=True)
class _Exchange:
    """The messages under one message ID."""

    name: str
    message_id: str
    starter: str
    """Address of who began it; empty where the capture does not hold the beginning."""
    labels: dict[str, str] = field(default_factory=dict)
    """By digest of the message."""
    count: int = 0
    events: list[View] = field(default_factory=list)

    def label(self, digest: str, source: str) -> str:
        """`MM3`: the next number that this side can have sent, without number where the beginning is missing."""
        if digest not in self.labels:
            self.count += 1
            self.count += self.count % 2 != (source == self.starter)
            prefix = PREFIXES.get(self.name, self.name)
            numbered = self.starter and self.name not in ("INFORMATIONAL", "TRANSACTION") and self.name in PREFIXES
            self.labels[digest] = f"{prefix}{self.count}" if numbered else prefix
        return self.labels[digest]


@dataclass(slots=True)
class _Conversation:
    """Everything under one pair of cookies."""

    initiator: str
    responder: str
    left: str
    """Endpoint that spoke first."""
    right: str
    began: float
    exchanges: dict[tuple[str, str], _Exchange] = field(default_factory=dict)
    ends: tuple[str, str] = ("", "")


class Ladders:
    """Collects messages; `drawn` gives the ladders in the order in which they began."""

    def __init__(self) -> None:
        self._all: list[_Conversation] = []
        self._open: dict[tuple[str, str], _Conversation] = {}

    def add(self, view: View) -> None:
        """A message with its header; other views are left out."""
        if "time" not in view or "header" not in view.get("message", ()):
            return
        header, source, destination = view["message"]["header"], view["source"], view["destination"]
        at = datetime.fromisoformat(view["time"]).timestamp()
        pair = header["initiator_cookie"], header["responder_cookie"]
        talk = self._conversation(pair, source, destination, at)
        key = header["exchange"]["name"], header["message_id"]
        if key not in talk.exchanges:
            known = key[0] not in PHASE_1 or pair[1] == NO_COOKIE
            talk.exchanges[key] = _Exchange(*key, address_of(source) if known else "")
        events = talk.exchanges[key].events
        outwards = address_of(source) == address_of(talk.left)
        ends = (source, destination) if outwards else (destination, source)
        if ends != talk.ends and talk.ends != ("", ""):
            text = f"from here on between {ends[0]} and {ends[1]}"
            events.append({"at": at, "fact": "note", "text": text})
        talk.ends = ends
        digest = sha256(bytes.fromhex(view["wire"])).hexdigest()
        label = talk.exchanges[key].label(digest, address_of(source))
        message = {"label": label, "payloads": payload_names(view["message"]), "octets": view["message"]["octets"]}
        events.append({"at": at, "fact": "sent" if outwards else "heard", "wire": digest, **message})

    def _conversation(self, pair: tuple[str, str], source: str, destination: str, at: float) -> _Conversation:
        initiator, responder = pair
        talk = self._open.get(pair) or self._open.pop((initiator, NO_COOKIE), None)
        if talk is None:
            talk = _Conversation(initiator, responder, source, destination, at)
            self._all.append(talk)
        if talk.responder == NO_COOKIE:
            talk.responder = responder
        self._open[initiator, talk.responder] = self._open[pair] = talk
        return talk

    def drawn(self, width: int) -> Iterator[str]:
        """One drawing for each pair of cookies."""
        for talk in self._all:
            yield "\n".join((*_head(talk, width), *_below(talk, width)))


def _head(talk: _Conversation, width: int) -> Iterator[str]:
    yield from flow([f"{talk.left} ──▶", f"◀── {talk.right}"], width, rest="  ", separator="  ")
    yield f"  began {moment(talk.began)}"
    yield f"  cookies {talk.initiator}:{talk.responder}"


def _below(talk: _Conversation, width: int) -> Iterator[str]:
    for exchange in talk.exchanges.values():
        title = printable(EXCHANGE_NAMES.get(exchange.name, exchange.name))
        yield f"  {title}, message ID {exchange.message_id}" if int(exchange.message_id, 16) else f"  {title}"
        for event in folded(exchange.events):
            yield from rungs(event, talk.began, width)
