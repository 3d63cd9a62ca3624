"""Which routes may not be set, though a tunnel wants them: what a peer chose must not lead away what is not its own,
and none may be the way to another peer. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

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
        self._peers = sorted(set(peers), key=_number)

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
        first, last = wanted.to[0], wanted.to[-1]
        begin, end = (
            bisect_left(self._peers, _number(first), key=_number),
            bisect_right(self._peers, _number(last), key=_number),
        )
        return tuple(peer for peer in self._peers[begin:end] if peer != wanted.peer)


class _Networks:
    """Of one IP version, looked up without a look at all."""

    def __init__(self, networks: Iterable[Network], version: int) -> None:
        self._all = {net for net in networks if net.version == version}
        self._sorted = sorted(self._all, key=_key)
        self._keys = [_key(net) for net in self._sorted]

    def beside(self, to: Network, inside: Network) -> Network | None:
        """One within `inside`, and not all of it, that has addresses of `to`."""
        return next((net for net in self._meeting(to) if net.prefixlen > inside.prefixlen), None)

    def _meeting(self, to: Network) -> Iterator[Network]:
        yield from (above for above in _supernets(to) if above in self._all)
        begin = bisect_left(self._keys, (int(to[0]), to.prefixlen))
        end = bisect_right(self._keys, (int(to[-1]), to.max_prefixlen))
        yield from _from(self._sorted, begin, end)


def _number(address: Address) -> tuple[int, int]:
    return address.version, int(address)


def _key(net: Network) -> tuple[int, int]:
    return int(net.network_address), net.prefixlen


def _supernets(to: Network) -> Iterator[Network]:
    while to.prefixlen:
        to = to.supernet()
        yield to


def _from(networks: Sequence[Network], begin: int, end: int) -> Iterator[Network]:
    return (networks[at] for at in range(begin, end))
