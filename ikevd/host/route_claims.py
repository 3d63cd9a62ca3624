"""Which routes may not be set, though a tunnel wants them: what a peer chose must not lead away what is not its own,
and none may be the way to another peer. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from ikevd.addresses import Address
from ikevd.frozen import replace
from ikevd.host.routes import WantedRoute
from ikevd.policy.interface import MAIN_TABLE
from ikevd.policy.selectors import Network

MAX_SPARED = 1000
"""Peers that one route leaves out; one that would have to leave out more is refused."""


class Claims:
    """What of this machine's ways is somebody's already."""

    def __init__(self, others: Iterable[Network], peers: Iterable[Address]) -> None:
        """`others`: networks to which routes lead that are not ours; `peers`: of all tunnels, up or configured."""
        self._others = {version: _Networks(others, version) for version in (4, 6)}
        self._peers = {_number(peer): peer for peer in peers}
        self._numbers = sorted(self._peers)

    def admit(self, wanted: WantedRoute) -> WantedRoute | str:
        """The route, with the peers that it leaves out; or why it is not set."""
        if wanted.inside is not None and (other := self._others[wanted.to.version].beside(wanted.to, wanted.inside)):
            return (
                f"the peer at {wanted.peer} asks for {wanted.to}, and another route of this machine leads to {other}: "
                f"no route is set for it; wanted networks of peers alone `within {wanted.inside}`"
            )
        spared = self._peers_in(wanted)
        if not spared:
            return wanted
        if wanted.table == MAIN_TABLE or wanted.inside is not None or len(spared) > MAX_SPARED:
            return (
                f"the route to {wanted.to} would be the way to {spared[0]} too, with which there is another tunnel: it "
                "is not set; wanted a network without it, or a `table` of its own"
            )
        return replace(wanted, spared=spared)

    def _peers_in(self, wanted: WantedRoute) -> tuple[Address, ...]:
        """But for its own."""
        first, last = _number(wanted.to.network_address), _number(wanted.to.broadcast_address)
        numbers = self._numbers[bisect_left(self._numbers, first) : bisect_right(self._numbers, last)]
        return tuple(peer for peer in map(self._peers.__getitem__, numbers) if peer != wanted.peer)


def is_part(network: Network, inside: Iterable[Network]) -> bool:
    """Of one of these, and not all of it."""
    return any(
        whole.version == network.version and whole.prefixlen < network.prefixlen and network.network_address in whole
        for whole in inside
    )


class _Networks:
    """Of one IP version, looked up without a look at all."""

    def __init__(self, networks: Iterable[Network], version: int) -> None:
        self._all = {_key(net): net for net in networks if net.version == version}
        self._sorted = sorted(self._all)

    def beside(self, to: Network, inside: Network) -> Network | None:
        """One within `inside`, and not all of it, that has addresses of `to`."""
        if not self._all:
            return None
        first, bits = int(to.network_address), to.max_prefixlen
        for prefix in range(inside.prefixlen + 1, to.prefixlen):  # those around it
            if above := self._all.get((first >> (bits - prefix) << (bits - prefix), prefix)):
                return above
        begin = bisect_left(self._sorted, (first, to.prefixlen))
        end = bisect_right(self._sorted, (int(to.broadcast_address), bits))
        parts = (key for key in self._sorted[begin:end] if key[1] > inside.prefixlen)
        return next((self._all[key] for key in parts), None)


def _number(address: Address) -> tuple[int, int]:
    return address.version, int(address)


def _key(net: Network) -> tuple[int, int]:
    return int(net.network_address), net.prefixlen
