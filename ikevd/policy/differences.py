"""In what two suites differ, in the words of the configuration."""

from __future__ import annotations

from collections.abc import Iterator

from ikevd.findings import Difference
from ikevd.policy.model import EspSuite, IkeSuite
from ikevd.policy.proposals import cipher_word, group_word, hash_word, integrity_word
from ikevd.wire.registry import Encapsulation

MODES = {
    Encapsulation.UDP_TUNNEL: "tunnel in UDP",
    Encapsulation.UDP_TRANSPORT: "transport in UDP",
    Encapsulation.UDP_TUNNEL_DRAFT: "tunnel in UDP, as in the drafts",
    Encapsulation.UDP_TRANSPORT_DRAFT: "transport in UDP, as in the drafts",
}


def differences(theirs: IkeSuite | EspSuite, ours: IkeSuite | EspSuite) -> tuple[Difference, ...]:
    """Every field in which the two differ; two of one kind."""
    pairs = zip(_fields(theirs), _fields(ours), strict=True)
    return tuple(Difference(name, one, other) for (name, one), (_, other) in pairs if one != other)


def _fields(suite: IkeSuite | EspSuite) -> Iterator[tuple[str, str]]:
    yield "cipher", cipher_word(suite)
    if isinstance(suite, IkeSuite):
        yield "hash", hash_word(suite.hash)
        yield "group", group_word(suite.group)
        yield "authentication method", str(suite.auth)
    else:
        yield "integrity", integrity_word(suite.integrity)
        yield "PFS group", "none" if suite.group is None else group_word(suite.group)
        yield "encapsulation", MODES.get(suite.mode, str(suite.mode).lower())
