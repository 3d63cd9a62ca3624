"""One peer, as the file has it: how it is reached, how each end proves itself, and what is negotiated with it."""

from __future__ import annotations

from dataclasses import field
from enum import Enum

from ikevd.addresses import Address
from ikevd.crypto.secret import Secret
from ikevd.frozen import frozen
from ikevd.policy.child import Child
from ikevd.policy.dpd import Dpd
from ikevd.policy.identity import Identity
from ikevd.policy.interface import Interface
from ikevd.policy.lives import Lifetime, LifetimeCheck
from ikevd.policy.nat import Encap, NatMethod
from ikevd.policy.selectors import TrafficSelector
from ikevd.policy.suites import IkeSuite

AUTO_MSS = 0
"""What fits into the tunnel."""


@frozen
class Location:
    """Where something stands in the configuration."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@frozen
class PreSharedKey:
    """A pre-shared key and where it is defined; the value is never shown."""

    key: Secret
    source: str = field(compare=False)
    """In words, for example `/etc/ikevd/ikevd.yaml:12:10 (file /etc/ikevd/berlin.psk)`; the same key stays the same
    wherever it stands."""


@frozen
class Resend:
    """How a message that wants an answer is sent again: `sends` times in all, each pause `factor` longer."""

    interval: float = 1.0
    factor: float = 1.8
    sends: int = 6


class Unique(Enum):
    """What becomes of a peer's former self when it says that it begins anew (INITIAL-CONTACT)."""

    REPLACE = "replace"
    """What is older of it ends."""
    KEEP = "keep"
    """While the former self lives, the newcomer is refused."""
    NEVER = "never"
    """INITIAL-CONTACT is neither said nor obeyed."""


@frozen
class AddressRange:
    """The addresses `first` to `last`, both included and of one family."""

    first: Address
    last: Address

    def __contains__(self, address: Address) -> bool:
        return address.version == self.first.version and int(self.first) <= int(address) <= int(self.last)

    def __str__(self) -> str:
        return str(TrafficSelector(self.first, self.last))


@frozen
class Connection:
    """One peer: how it is reached, how it proves itself, and its children."""

    name: str
    local: Address | None
    """None: whichever address routing chooses."""
    remote: Address | None
    """None: the peer may come from anywhere, or from `remote_range`, and only it can initiate."""
    local_id: Identity | None
    """None: the local address of the exchange."""
    remote_id: Identity | None
    """None: the remote address of the exchange, or `any_identity`."""
    psk: PreSharedKey
    suites: tuple[IkeSuite, ...]
    lifetime: Lifetime
    children: tuple[Child, ...]
    resend: Resend
    location: Location = field(compare=False)
    """A line that is inserted above makes it no other connection."""
    remote_range: AddressRange | None = None
    """Where `remote` is None: the addresses that the peer may come from. None: anywhere."""
    group_key: bool = False
    """Where `remote` is None: several clients have this key, and may show one identity; else who shows it from
    another address or port is the same peer, which has moved."""
    any_identity: bool = False
    """Where `remote` is None: the peer may call itself what it likes."""
    aggressive: bool = False
    """As initiator Aggressive Mode; as responder Aggressive Mode beside Main Mode."""
    encrypt_third: bool = True
    """As initiator of Aggressive Mode: is message 3 encrypted? (RFC 2409 section 5.4 leaves both open.)"""
    encap: Encap = Encap.AUTO
    nat_methods: tuple[NatMethod, ...] = (NatMethod.RFC_3947, NatMethod.DRAFT_03, NatMethod.DRAFT_02)
    """Best first; empty: no NAT traversal."""
    nat_keepalive: float = 20.0
    """Seconds between keepalives while this side is behind a NAT (RFC 3948 section 4); 0: none."""
    sha256_96: bool = False
    """HMAC-SHA-256 of ESP cut to 96 bits instead of 128, as Linux before 2.6.33 and some appliances do."""
    cisco_unity: bool = False
    """Send the vendor ID of Cisco Unity."""
    dpd: Dpd = field(default_factory=Dpd)
    unique: Unique = Unique.REPLACE
    lifetime_check: LifetimeCheck = LifetimeCheck.CLAIM
    """As responder."""
    places: tuple[Address | str, ...] = ()
    """Where `remote` is None: the addresses and names at which the one peer is called, in this order. It may come from
    anywhere, and its identity, which is given, tells it."""
    first_place: bool = False
    """Does each phase 1 begin with the first of them? Else with the one that worked last."""
    backup_of: str | None = None
    """Another connection: while its peer does not carry the selectors that both have, this one's does."""
    give_back: bool = True
    """Does that one carry them again as soon as it can?"""

    mss: int | None = None
    """What TCP connections through its tunnels get as MSS at most; AUTO_MSS: what fits; None: they are left alone."""
    interface: Interface | None = None
    """What is routed to it takes the tunnels of those children that are `routed`."""
    hooked: bool = field(default=False, init=False, compare=False, repr=False)
    """Has any child an updown program?"""
    leads_routes: bool = field(default=False, init=False, compare=False, repr=False)
    """Has any child routes that follow it?"""

    def __post_init__(self) -> None:
        object.__setattr__(self, "hooked", any(child.updown is not None for child in self.children))
        object.__setattr__(self, "leads_routes", any(child.route is not None for child in self.children))

    @property
    def addresses(self) -> tuple[Address, ...]:
        """At which its peer is called, as far as the file says so."""
        if self.remote is not None:
            return (self.remote,)
        return tuple(place for place in self.places if not isinstance(place, str))

    @property
    def anybody(self) -> bool:
        """Are there several peers, or is the only one called nowhere?"""
        return self.remote is None and not self.places
