"""What every negotiation needs of the rest of the daemon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any

from ikevd.addresses import Address, Path
from ikevd.frozen import frozen
from ikevd.host.entropy import Entropy
from ikevd.host.hooks import NoPrograms
from ikevd.host.interface import Kernel
from ikevd.host.links import Links
from ikevd.negotiation.agenda import Agenda, agenda_of_many
from ikevd.negotiation.clamping import Clamping
from ikevd.negotiation.clock import loop_time
from ikevd.negotiation.hooks import Hooks
from ikevd.negotiation.names import Names, nobody
from ikevd.negotiation.routing import Routing
from ikevd.negotiation.unreachable import Unreachable
from ikevd.observe.counters import Counters
from ikevd.observe.history import History
from ikevd.sa.model import IsakmpSa
from ikevd.store.interface import Store

SALT_OCTETS = 16


@frozen
class Ports:
    """Shared by all sessions; holds no state of any peer but when it is due."""

    transmit: Callable[[bytes, Path], str | None]
    """Sends; returns in words why a datagram could not leave this machine."""
    keepalive: Callable[[Path], str | None]
    """Sends the one octet that keeps a NAT's mapping alive (RFC 3948 section 2.3); returns as `transmit` does."""
    source_for: Callable[[Address], Address]
    """The local address that routing chooses for a peer."""
    kernel: Kernel
    store: Store
    entropy: Entropy
    history: History
    counters: Counters
    port: int
    """UDP port of IKE, here and at the peer."""
    trouble: Callable[[str], None]
    """Told, in words, of what no negotiation can report any more."""
    export_key: Callable[[IsakmpSa], None]
    """Writes the key log, where the operator asked for one."""
    links: Links | None = None
    """The interfaces and routes of this machine; None: nobody may change them."""
    unreachable: Unreachable = field(default_factory=Unreachable)
    """The `unreachable` routes of all connections."""
    routing: Routing = field(default_factory=Routing)
    """The routes that follow policy-based tunnels."""
    clamping: Clamping = field(default_factory=Clamping)
    """The MSS of TCP connections through tunnels."""
    nat_port: int = 4500
    """UDP port of IKE and ESP behind a NAT, here and at the peer."""
    names: Names = field(default_factory=lambda: Names(nobody))
    """The addresses of peers that have names."""
    hooks: Hooks = field(default_factory=lambda: Hooks(NoPrograms(), lambda said: None))
    """The updown programs of children."""
    due: Agenda[Agenda[Any]] = field(default_factory=agenda_of_many)
    """The agendas of all sessions are within it."""
    now: Callable[[], float] = loop_time
    """The clock of all records, in seconds: that of the machine, or in tests of the event loop. `due` has the same."""
    salt: bytes = field(default=b"", init=False, repr=False)
    """Drawn once, for numbers that no peer may guess."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "salt", self.entropy.octets(SALT_OCTETS))
