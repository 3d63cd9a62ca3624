"""Every record that the store keeps: by hypothesis, all values that the types allow, and a typical one of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_network,
)
from typing import Any

from hypothesis import strategies as st

from ikevd.addresses import Endpoint, Path
from ikevd.conversation.inputs import Beginning, Input, InputKind, Inputs
from ikevd.crypto.keys import Phase1Keys
from ikevd.crypto.secret import Secret
from ikevd.errors import Finding
from ikevd.finding_kinds import FINDINGS
from ikevd.findings import Asked, PeerRefuses, Traffic
from ikevd.host.policies import Direction, PolicyId
from ikevd.host.sas import SaId
from ikevd.peer.child_state import ChildState, Half, PairState
from ikevd.peer.exchange_state import Attempt, QuickModeState
from ikevd.peer.isakmp_state import IsakmpState, Stage
from ikevd.peer.state import PeerKey, PeerState
from ikevd.policy.identity import Identity
from ikevd.policy.lives import Lifetime
from ikevd.policy.nat import NatMethod
from ikevd.sa.model import Cookies, IpsecSa, IsakmpSa, NatTraversal, Spi
from ikevd.store.interface import ExchangeState, Placed, PlacedPolicy
from ikevd.wire import registry
from ikevd.wire.registry import ExchangeType, Hash, IdType, Registry
from tests.builders import AES128_SHA256_X25519, ALICE, BOB, ESP_AES128_SHA256, fqdn, selector
from tests.plugins.secrets import MARK

RECORDS: tuple[type, ...] = (
    PeerKey,
    PeerState,
    IsakmpState,
    ChildState,
    PairState,
    QuickModeState,
    ExchangeState,
    Placed,
)
_TIMES = st.floats(allow_nan=False)
_SCOPES = st.sampled_from(["eth0", "1", "wlan0.7"])


def any_of(kind: type) -> st.SearchStrategy[Any]:
    """All values of a stored type."""
    return st.from_type(kind)


def _linked(address: IPv6Address, scope: str | None) -> IPv6Address:
    return address if scope is None else IPv6Address(f"{address}%{scope}")


def _findings() -> st.SearchStrategy[Finding]:
    return st.one_of([st.deferred(lambda kind=kind: st.from_type(kind)) for kind in FINDINGS.values()])  # type: ignore[misc]


def _identities() -> st.SearchStrategy[Identity]:
    return st.builds(Identity, st.from_type(IdType), st.binary(max_size=40))


def _register() -> None:
    st.register_type_strategy(Spi, st.integers(0, 0xFFFFFFFF).map(Spi))
    st.register_type_strategy(Secret, st.binary(max_size=64).map(Secret))
    st.register_type_strategy(Identity, _identities())
    st.register_type_strategy(IPv6Address, st.builds(_linked, st.ip_addresses(v=6), st.none() | _SCOPES))
    st.register_type_strategy(IPv4Address, st.ip_addresses(v=4))
    st.register_type_strategy(IPv4Network, st.ip_addresses(v=4).map(IPv4Network))
    st.register_type_strategy(IPv6Network, st.ip_addresses(v=6).map(IPv6Network))
    st.register_type_strategy(IPv4Interface, st.ip_addresses(v=4).map(IPv4Interface))
    st.register_type_strategy(IPv6Interface, st.ip_addresses(v=6).map(IPv6Interface))
    st.register_type_strategy(Finding, _findings())
    st.register_type_strategy(float, _TIMES)
    for kind in vars(registry).values():
        if isinstance(kind, type) and issubclass(kind, Registry) and kind is not Registry:
            st.register_type_strategy(kind, st.integers(0, 0x1FFFF).map(kind))


_register()

COOKIES = Cookies(bytes(range(8)), bytes(range(8, 16)))
KEY = PeerKey("berlin", fqdn("gw.berlin.example"), 3)
SECRET = Secret(f"{MARK:-<32}".encode())


def isakmp_sa(cookies: Cookies = COOKIES) -> IsakmpSa:
    return IsakmpSa(
        cookies=cookies,
        connection=KEY.connection,
        initiator=True,
        path=Path(Endpoint(ALICE, 4500), Endpoint(BOB, 4500)),
        local_id=fqdn("gw.alice.example"),
        remote_id=fqdn("gw.berlin.example"),
        suite=AES128_SHA256_X25519,
        lifetime=Lifetime(86400),
        keys=Phase1Keys(Hash.SHA2_256, SECRET, SECRET),
        cipher_key=Secret(bytes(16)),
        last_blocks=(bytes(16), bytes(range(16))),
        nat=NatTraversal(NatMethod.RFC_3947, local=False, remote=True),
        peer_vendors=("strongSwan 5.9.8", "DPD", "RFC 3947"),
    )


def isakmp_state(cookies: Cookies = COOKIES) -> IsakmpState:
    """Typical: established through a NAT."""
    sa = isakmp_sa(cookies)
    return IsakmpState(sa, Stage.READY, sa.path, born=12345.678901, heard=12399.25, expires=98745.678901)


def pair_state(spi: int = 0xD0000001) -> PairState:
    sa = IpsecSa(
        child="lan",
        reqid=0x696B0001,
        local=ALICE,
        remote=BOB,
        local_selector=selector("10.1.0.0/24"),
        remote_selector=selector("10.2.0.0/24"),
        suite=ESP_AES128_SHA256,
        lifetime=Lifetime(3600),
        replay_window=128,
        inbound=Spi(spi),
        outbound=Spi(spi + 1),
        initiator=True,
    )
    return PairState(sa, COOKIES, Half.BOTH, born=12346.5, expires=15946.5, attempt=None)


def child_state(spi: int = 0xD0000001) -> ChildState:
    """Typical: up with one pair."""
    return ChildState(wanted=True, pairs=(pair_state(spi),), since=12346.5)


def exchange_state(*heard: bytes, seed: bytes = bytes(32)) -> ExchangeState:
    """A Quick Mode that the peer began, after these datagrams."""
    path = Path(Endpoint(ALICE, 4500), Endpoint(BOB, 4500))
    beginning = Beginning(Secret(seed), ExchangeType.QUICK_MODE, False, COOKIES, 0xCAFE, path, origins=(bytes(16),))
    given = tuple(Input(InputKind.HEARD, 12400.5, octets, path) for octets in heard)
    return ExchangeState(Inputs(beginning, given, said=bytes(16), seal=bytes(16)), Attempt(7))


def refused_child() -> ChildState:
    asked = Asked(Traffic("10.1.0.0/24", "10.2.0.0/24"), ("aes128-sha256",))
    cause = PeerRefuses("NO_PROPOSAL_CHOSEN", asked)
    return ChildState(wanted=True, failures=3, retry_at=20000.5, cause=cause, since=13000.25)


def gates(network: str = "10.2.0.0/24") -> Placed:
    """Of a connection with one child, and an SA that is still to be removed."""
    name = PolicyId(ip_network("10.1.0.0/24"), ip_network(network), 0, 0, 0, Direction.OUT)
    return Placed((PlacedPolicy(name, 0x696B0001),), (SaId(ALICE, Spi(0xD0000009)),))


def peer_state(children: Mapping[str, ChildState] | None = None, **changes: Any) -> PeerState:
    """One ISAKMP SA, one child that is up, one that was refused, a Quick Mode under way."""
    state = PeerState(
        key=KEY,
        isakmp={COOKIES: isakmp_state()},
        children={"lan": child_state(), "voice": refused_child()} if children is None else children,
        quick_modes={Attempt(7): QuickModeState(COOKIES, ours=True, born=12400.0, child="voice")},
        serial=7,
        waiting=("voice",),
        deletes_to_send=(Spi(0xD0000009),),
    )
    return replace(state, **changes)
