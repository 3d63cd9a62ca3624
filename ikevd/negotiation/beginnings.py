"""How an exchange under an ISAKMP SA begins: its seed, its IV chains, its coroutine, and where it is stored."""

from __future__ import annotations

from collections.abc import Sequence

from ikevd.addresses import Path
from ikevd.conversation import replay
from ikevd.conversation.core import Conversation
from ikevd.conversation.inputs import Beginning
from ikevd.conversation.timing import Timing
from ikevd.crypto.secret import Secret
from ikevd.exchanges import informational, quick_mode
from ikevd.exchanges.link import Exchange, Host, Link
from ikevd.frozen import frozen
from ikevd.host.entropy import SEED_OCTETS, Entropy
from ikevd.negotiation.ends import Ends
from ikevd.negotiation.ledger import Kept, Ledger
from ikevd.negotiation.ports import Ports
from ikevd.policy.child import Child
from ikevd.sa.model import IsakmpSa
from ikevd.store.interface import ExchangeState
from ikevd.wire.payloads import Payload
from ikevd.wire.registry import ExchangeType

QUICK_MODE, INFORMATIONAL = ExchangeType.QUICK_MODE, ExchangeType.INFORMATIONAL


@frozen
class Begun:
    """An exchange that is not entered yet."""

    kind: ExchangeType
    core: Conversation
    kept: Kept | None = None
    """Where it is stored; None: it ends with this process."""
    child: str | None = None
    """Of a Quick Mode of ours."""


class Beginnings:
    """Of one ISAKMP SA."""

    __slots__ = ("_children", "_ends", "_ledger", "_ports", "_sa", "_timing")

    def __init__(
        self,
        sa: IsakmpSa,
        ends: Ends,
        children: Sequence[Child],
        timing: Timing,
        ports: Ports,
        ledger: Ledger | None,
    ) -> None:
        self._sa = sa
        self._ends = ends
        self._children = children
        self._timing = timing
        self._ports = ports
        self._ledger = ledger

    def reload(self, children: Sequence[Child], timing: Timing) -> None:
        """Those that begin from here on are for these."""
        self._children, self._timing = children, timing

    def by_peer(self, kind: ExchangeType, message_id: int, home: Path) -> Begun:
        """A Quick Mode or an Informational exchange of the peer's."""
        return self._begin(self._beginning(kind, message_id, home, initiator=False), None)

    def quick_mode(self, message_id: int, home: Path, child: Child, *, silent: bool) -> Begun:
        """Ours. `silent`: has the peer said nothing under this SA?"""
        return self._begin(self._beginning(QUICK_MODE, message_id, home, initiator=True, silent=silent), child)

    def telling(
        self, message_id: int, home: Path, payloads: Sequence[Payload], *, silent: bool, once: bool = False
    ) -> Begun:
        """An Informational message of ours."""
        speak = informational.say if once else informational.tell

        def make(link: Link, host: Host, entropy: Entropy) -> Exchange[object]:
            return speak(link, self._sa, *payloads)

        beginning = self._beginning(INFORMATIONAL, message_id, home, initiator=True, silent=silent)
        return Begun(INFORMATIONAL, replay.begin(beginning, make, self._timing, self._ends.sa, remembers=False))

    def again(self, stored: ExchangeState, now: float) -> tuple[Begun, replay.Revived[object]]:
        """A Quick Mode of an earlier process, told again; its place in the store is its owner's business. Raises
        `Irreproducible`."""
        child = next((child for child in self._children if child.name == stored.child), None)
        if self._ledger is None or (stored.child is not None and child is None):
            raise replay.Irreproducible("its child is not configured any more")
        make = self._maker(QUICK_MODE, child)
        revived = replay.revive(stored.inputs, make, self._timing, now, self._ends.sa)
        return Begun(QUICK_MODE, revived.conversation, child=stored.child), revived

    def _begin(self, beginning: Beginning, child: Child | None) -> Begun:
        """Quick Modes are stored; of an Informational exchange what it changed is."""
        kind, name, kept = beginning.kind, child.name if child else None, None
        if kind == QUICK_MODE and self._ledger is not None and self._ledger.open:
            kept = Kept(self._ledger, beginning, name)
        make = self._maker(kind, child)
        core = replay.begin(beginning, make, self._timing, self._ends.sa, remembers=kept is not None)
        return Begun(kind, core, kept, name)

    def _beginning(
        self, kind: ExchangeType, message_id: int, home: Path, *, initiator: bool, silent: bool = False
    ) -> Beginning:
        origins, forks = self._ends.origins
        last_was_ours = self._sa.exchange == ExchangeType.AGGRESSIVE and self._sa.initiator and silent
        return Beginning(
            Secret(self._ports.entropy.octets(SEED_OCTETS)),
            kind,
            initiator,
            self._sa.cookies,
            message_id,
            home,
            origins=origins,
            forks=forks,
            nat_port=self._ports.nat_port,
            answered_at=self._ports.port if last_was_ours else None,  # message 3 may be the first on another port
        )

    def _maker(self, kind: ExchangeType, child: Child | None) -> replay.Make[object]:
        def make(link: Link, host: Host, entropy: Entropy) -> Exchange[object]:
            if kind == INFORMATIONAL:
                return informational.hear(link, self._sa)
            if child is None:
                return quick_mode.respond(link, host, self._sa, self._children, entropy)
            return quick_mode.initiate(link, host, self._sa, child, entropy)

        return make
