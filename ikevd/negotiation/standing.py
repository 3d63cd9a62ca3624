"""The ISAKMP SAs of one session: which stand, which serves, and how each ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ikevd.addresses import Path
from ikevd.conversation.timing import Timing
from ikevd.errors import Abandoned, IkeError
from ikevd.exchanges import lifetimes
from ikevd.facts import Established, Note
from ikevd.findings import ClaimedLife, IsakmpSaStands
from ikevd.negotiation.isakmp import LiveIsakmpSa, QuickModeEnd
from ikevd.negotiation.keepalive import Keepalive
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.router import Router
from ikevd.negotiation.runner import Runner
from ikevd.peer import notices
from ikevd.peer.timing import RETIRED_FOR
from ikevd.policy.choose import describe
from ikevd.policy.model import Connection
from ikevd.sa.model import IsakmpSa
from ikevd.wire.payloads import NotifyPayload, Payload

MAX_ISAKMP_SAS = 8
"""Of one session: crossing phase 1 and restarts of the peer leave several; the oldest goes."""


class Standing:
    """Oldest first in `live`; those on their way out are among them, marked as retired."""

    def __init__(
        self,
        connection: Connection,
        router: Router,
        ports: Ports,
        *,
        on_quick_mode: Callable[[LiveIsakmpSa, QuickModeEnd], None],
        on_informational: Callable[[LiveIsakmpSa, tuple[Payload, ...]], None],
        has_children: Callable[[], bool],
    ) -> None:
        """`has_children`: does any IPsec SA of the session stand? They outlive their ISAKMP SA and need a NAT's mapping
        as much."""
        self.live: list[LiveIsakmpSa] = []
        self._connection = connection
        self._router = router
        self._ports = ports
        self._on_quick_mode = on_quick_mode
        self._on_informational = on_informational
        self._has_children = has_children
        self._keepalive = Keepalive(connection.nat_keepalive, ports.keepalive, self._path_to_keep)
        self._kept: LiveIsakmpSa | None = None
        """The newest ISAKMP SA that goes through a NAT of ours."""

    def adopt(self, sa: IsakmpSa, phase1: Runner) -> LiveIsakmpSa:
        """A phase 1 ended well, in either role."""
        live = LiveIsakmpSa(
            sa,
            phase1,
            self._connection.children,
            Timing(self._connection.resend),
            self._ports,
            on_quick_mode=self._on_quick_mode,
            on_informational=self._on_informational,
            on_worn=self._worn_out,
        )
        phase1.record.add(
            Established(IsakmpSaStands(str(sa.remote_id), str(sa.path.remote), describe(sa.suite), sa.lifetime.seconds))
        )
        self._ports.export_key(sa)
        for doubted in [other for other in self.live if other.doubted and not other.busy]:
            self.retire(doubted, tell=True, cause=Abandoned("replaced by a new ISAKMP SA"))
        self._add(live)
        return live

    def usable(self) -> LiveIsakmpSa | None:
        """The newest ISAKMP SA for a new Quick Mode."""
        return next((live for live in reversed(self.live) if not live.retired and not live.doubted), None)

    def for_farewells(self) -> LiveIsakmpSa | None:
        """The best ISAKMP SA to say Delete under."""
        return self.usable() or next((live for live in self.live if not live.retired), None)

    def shorten(self, live: LiveIsakmpSa, claims: Sequence[NotifyPayload]) -> None:
        """The peer says, authenticated, that the ISAKMP SA ends sooner."""
        before, live.sa = live.sa.lifetime, lifetimes.claimed(live.sa, claims)
        if live.sa.lifetime == before or live.retired:
            return
        live.phase1.record.add(Note(ClaimedLife(before.seconds, live.sa.lifetime.seconds)))
        self._arm(live)

    def retire(self, live: LiveIsakmpSa, *, tell: bool, cause: IkeError) -> None:
        """The end of an ISAKMP SA cuts no IPsec SA (RFC 2408 section 3.15, strongSwan issue 1827)."""
        if live.retired:
            return
        live.retire(cause)
        if tell:
            live.tell(notices.delete_isakmp(live.sa.cookies))
        asyncio.get_running_loop().call_later(RETIRED_FOR, self._forget, live)

    def close(self) -> None:
        """Forget everything without a word."""
        self._keepalive.stop()
        for live in tuple(self.live):
            self._forget(live)

    def _add(self, live: LiveIsakmpSa) -> None:
        self._router.register(live.cookie, live)
        self.live.append(live)
        self._arm(live)
        if live.sa.nat and (live.sa.nat.local or live.sa.nat.forced):
            self._kept = live
            self._keepalive.start()
        standing = [other for other in self.live if not other.retired]
        if len(standing) > MAX_ISAKMP_SAS:
            self.retire(standing[0], tell=True, cause=Abandoned("too many ISAKMP SAs with this peer"))

    def _arm(self, live: LiveIsakmpSa) -> None:
        if live.expiry is not None:
            live.expiry.cancel()
        live.expiry = asyncio.get_running_loop().call_at(live.expires, self._expired, live)

    def _path_to_keep(self) -> Path | None:
        kept = self._kept
        return kept.path if kept and (kept in self.live or self._has_children()) else None

    def _worn_out(self, live: LiveIsakmpSa) -> None:
        self.retire(live, tell=True, cause=Abandoned("the ISAKMP SA has used up its message IDs"))

    def _expired(self, live: LiveIsakmpSa) -> None:
        if live in self.live and not live.retired:
            self.retire(live, tell=True, cause=Abandoned("the lifetime of the ISAKMP SA ended"))

    def _forget(self, live: LiveIsakmpSa) -> None:
        if live in self.live:
            self.live.remove(live)
            self._router.forget(live.cookie)
            live.close()
