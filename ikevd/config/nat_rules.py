"""Rules of this machine that translate source addresses behind routing, as `kernel.nat_tables` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from ikevd.frozen import frozen
from ikevd.policy.selectors import Network, TrafficSelector


class Verdict(Enum):
    """What becomes of a packet that a rule matches."""

    TRANSLATE = "its source address becomes another one"
    ACCEPT = "no further rule of this chain looks at it"
    RETURN = "the chain that jumped here goes on"
    JUMP = "another chain looks at it"
    OTHER = "nothing that matters here"


@frozen
class Ends:
    """Addresses of one side that a rule matches."""

    networks: tuple[Network, ...]
    negated: bool = False
    """It matches all others."""

    def meets(self, selector: TrafficSelector) -> bool:
        """Is any of them among these?"""
        return not self._cover(selector) if self.negated else any(_overlap(net, selector) for net in self.networks)

    def covers(self, selector: TrafficSelector) -> bool:
        """Are all of these among them?"""
        return not any(_overlap(net, selector) for net in self.networks) if self.negated else self._cover(selector)

    def _cover(self, selector: TrafficSelector) -> bool:
        return any(_within(selector, net) for net in self.networks)


@frozen
class NatRule:
    """One rule; None: that does not matter to it."""

    text: str
    """As its program shows it."""
    verdict: Verdict
    source: Ends | None = None
    destination: Ends | None = None
    interfaces: frozenset[str] | None = None
    """By which packets leave; `ppp+` stands for all that begin so."""
    protected: bool | None = None
    """Does it match only packets that IPsec takes, or only others?"""
    target: str = ""
    """The chain of a JUMP."""
    sure: bool = True
    """Is nothing else asked of a packet?"""


@frozen
class NatTable:
    """All rules of one program, or of one table."""

    versions: frozenset[int]
    """Of IP."""
    bases: tuple[str, ...]
    """The chains in which packets begin behind routing."""
    chains: Mapping[str, tuple[NatRule, ...]]
    cure: str
    """A command that exempts what IPsec takes; `{chain}` stands for the chain."""


def _overlap(network: Network, selector: TrafficSelector) -> bool:
    return (
        network.version == selector.first.version
        and int(network[0]) <= int(selector.last)
        and int(selector.first) <= int(network[-1])
    )


def _within(selector: TrafficSelector, network: Network) -> bool:
    return selector.first in network and selector.last in network
