"""In what two suites differ, in the words of the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from operator import ne

from ikevd.findings import Difference
from ikevd.policy.proposals import cipher_word, group_word, hash_word, integrity_word
from ikevd.policy.suites import IkeSuite, IpsecSuite
from ikevd.wire.registry import Encapsulation

MODES = {
    Encapsulation.TUNNEL: "tunnel",
    Encapsulation.TRANSPORT: "transport",
    Encapsulation.UDP_TUNNEL: "tunnel in UDP",
    Encapsulation.UDP_TRANSPORT: "transport in UDP",
    Encapsulation.UDP_TUNNEL_DRAFT: "tunnel in UDP, as in the drafts",
    Encapsulation.UDP_TRANSPORT_DRAFT: "transport in UDP, as in the drafts",
}


def nearest(
    theirs: Sequence[IkeSuite | IpsecSuite], ours: Sequence[IkeSuite | IpsecSuite]
) -> tuple[IkeSuite | IpsecSuite, IkeSuite | IpsecSuite, tuple[Difference, ...]]:
    """The pair of one of theirs and one of ours that differs in the fewest fields, and these; all of one kind. Each
    suite is put into words once: a stranger may send many."""
    pairs = list(product(_in_words(theirs), _in_words(ours)))
    counts = [sum(map(ne, one, other)) for (_, one), (_, other) in pairs]
    (one, _), (other, _) = pairs[counts.index(min(counts))]
    return one, other, _differences(one, other)


def _in_words(suites: Sequence[IkeSuite | IpsecSuite]) -> list[tuple[IkeSuite | IpsecSuite, list[str]]]:
    return [(suite, [word for _, word in _fields(suite)]) for suite in suites]


def _differences(theirs: IkeSuite | IpsecSuite, ours: IkeSuite | IpsecSuite) -> tuple[Difference, ...]:
    pairs = zip(_fields(theirs), _fields(ours), strict=True)
    return tuple(Difference(name, one, other) for (name, one), (_, other) in pairs if one != other)


def _fields(suite: IkeSuite | IpsecSuite) -> Iterator[tuple[str, str]]:
    yield "cipher", cipher_word(suite)
    if isinstance(suite, IkeSuite):
        yield "hash", hash_word(suite.hash)
        yield "group", group_word(suite.group)
        yield "authentication method", str(suite.auth)
    else:
        yield "integrity", integrity_word(suite.integrity)
        yield "PFS group", "none" if suite.group is None else group_word(suite.group)
        yield "encapsulation", MODES.get(suite.mode, str(suite.mode).lower())
        yield "sequence numbers", "of 64 bits (esn)" if suite.esn else "of 32 bits"
