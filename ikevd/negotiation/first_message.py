"""The first message of a phase 1 that a peer begins, and the negotiation that comes of it."""

from __future__ import annotations

from ikevd.addresses import Path
from ikevd.conversation import replay
from ikevd.conversation.core import Conversation
from ikevd.conversation.effects import Effect
from ikevd.conversation.inputs import Beginning
from ikevd.conversation.timing import Timing
from ikevd.crypto.secret import Secret
from ikevd.exchanges import aggressive_mode, main_mode
from ikevd.exchanges.link import Exchange, Host, Link, Situation
from ikevd.exchanges.phase1 import Candidates
from ikevd.frozen import frozen
from ikevd.host.entropy import SEED_OCTETS, Entropy
from ikevd.negotiation.ports import Ports
from ikevd.observe import history
from ikevd.sa.model import COOKIE_OCTETS, Cookies, IsakmpSa
from ikevd.wire.registry import ExchangeType


@frozen
class FirstMessage:
    """Message 1 of Main or Aggressive Mode, with the connections that it may be meant for."""

    kind: ExchangeType
    octets: bytes
    path: Path
    key: bytes
    """See `key_of`."""
    known: bool
    """Is its address configured?"""
    candidates: Candidates

    @property
    def cookie(self) -> bytes:
        """The initiator's."""
        return self.octets[:COOKIE_OCTETS]

    @property
    def timing(self) -> Timing:
        """Of the first connection."""
        return Timing(self.candidates.connections[0].resend)

    def beginning(self, ours: bytes, ports: Ports) -> Beginning:
        """Of an exchange that may be told again, with the cookie `ours`."""
        seed = Secret(ports.entropy.octets(SEED_OCTETS))
        return Beginning(
            seed, self.kind, False, Cookies(self.cookie), 0, self.path, minted=ours, nat_port=ports.nat_port
        )

    def respond(self, link: Link, _: Host, entropy: Entropy) -> Exchange[IsakmpSa]:
        """The exchange itself."""
        mode = aggressive_mode if self.kind == ExchangeType.AGGRESSIVE else main_mode
        exchange: Exchange[IsakmpSa] = mode.respond(link, self.candidates, entropy)
        return exchange

    def play(
        self, ours: bytes, now: float, ports: Ports, beginning: Beginning | None = None
    ) -> tuple[Conversation, list[Effect]]:
        """The exchange up to its wait for message 3, and all that comes of it. Message 2 of Main Mode is the same
        however often it is played with the same cookie `ours`. `beginning`: as it was made for that cookie, where the
        exchange may be told again."""
        if beginning is not None:
            core = replay.begin(beginning, self.respond, self.timing)
        else:
            situation = Situation(Cookies(self.cookie), 0, self.path, nat_port=ports.nat_port)
            exchange = self.respond(Link(situation), Host(), ports.entropy)
            core = Conversation(exchange, self.kind, situation, self.timing, initiator=False, minted=ours)
        return core, [*core.start(now), *core.heard(self.octets, self.path, now)]

    def open_record(self, core: Conversation, ports: Ports) -> history.Record:
        """The evidence of it; it names the connection where there is but one."""
        record = ports.history.open(self.kind, core.cookies, 0, self.path.remote, initiator=False)
        if len(self.candidates.connections) == 1:
            record.connection = self.candidates.connections[0].name
        return record


def key_of(octets: bytes, path: Path) -> bytes:
    """Both endpoints and the initiator's cookie: by them a repetition is known. A copy from another port has a
    negotiation of its own, so that it takes none from the peer, however early it comes."""
    theirs, ours = path.remote, path.local
    ports = theirs.port.to_bytes(2, "big") + ours.port.to_bytes(2, "big")
    return theirs.address.packed + ours.address.packed + ports + octets[:COOKIE_OCTETS]
