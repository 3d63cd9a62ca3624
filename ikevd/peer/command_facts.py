"""Facts of the operator: commands, and a file that was read again; all kinds of facts: `ikevd.peer.facts`."""

from __future__ import annotations

from ikevd.frozen import frozen
from ikevd.policy.changes import Reach


@frozen
class Wanted:
    """Bring the child up."""

    child: str


@frozen
class Unwanted:
    """Take these children down and tell the peer."""

    children: tuple[str, ...]
    open: bool = False
    """From here on their traffic passes in the clear."""


@frozen
class Reloaded:
    """The file was read again and says otherwise of the connection, which is the new one from here on."""

    ended: frozenset[str] = frozenset()
    """Of its children those whose pairs cannot go on, as for other networks."""
    renewed: frozenset[str] = frozenset()
    """Those that are negotiated anew while their pairs carry on."""
    phase1: Reach = Reach.OURS
    """How far it reaches for phase 1: another begins (RENEWED), or what stands ends first (REPLACED)."""


@frozen
class RekeyWanted:
    """The operator wants these children negotiated anew and, before them, `phase1`."""

    children: tuple[str, ...]
    phase1: bool = False


@frozen
class Reset:
    """The operator wants all with the peer to end at once, and what is wanted to begin anew."""


@frozen
class Ended:
    """Take everything down: children, phase 1 under way, ISAKMP SAs."""

    announce: bool = True
    """What no ISAKMP SA could protect is said under one made for it."""
