"""Every IKE cipher, hash and group, and every ESP cipher and integrity algorithm, with strongSwan, in both roles.

The lists are wrapped around one another, so that each algorithm is met at least once in as few tunnels as possible.
One ikevd with all suites stays up; strongSwan names one suite at a time. `make test` runs each tunnel in one role,
`make soak` in the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice

import pytest

from ikevd.crypto.groups import public_size
from ikevd.policy.algorithms import ESP_CIPHERS, GROUPS, IKE_CIPHERS, IKE_HASHES, INTEGRITIES, CipherRow
from ikevd.policy.choose import MAX_FOREIGN_PUBLIC
from tests.interop.crossing import packets_cross
from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import PLUGINS, StrongSwan
from tests.interop.topology import Topology

THEIRS = {64: (), 128: (128,), 448: (128, 192, 256)}
"""Of the key lengths of a cipher, by its longest, those that strongSwan has words for; else all."""


def words(rows: Sequence[CipherRow]) -> list[str]:
    """The words that strongSwan has too."""
    found = []
    for row in rows:
        known = THEIRS.get(row.key_bits[-1], row.key_bits)
        found += [word for word, bits in row.words() if not bits or bits in known]
    return found


ESP = [
    word if ESP_CIPHERS[transform].icv_bits else f"{word}-{integrity.word}"
    for (transform, word), integrity in zip(
        [(transform, word) for transform, row in ESP_CIPHERS.items() for word in words([row])],
        cycle(INTEGRITIES.values()),
        strict=False,
    )
]
IKE = [
    f"{cipher}-{hash_.word}-{group.word}"
    for cipher, hash_, group in zip(
        cycle(words(list(IKE_CIPHERS.values()))), cycle(IKE_HASHES.values()), GROUPS.values(), strict=False
    )
]
SOUND = [row for row in GROUPS.values() if not row.weak and public_size(row.group) <= MAX_FOREIGN_PUBLIC]
PFS = [f"-{row.word}" for row in SOUND]
CASES = list(islice(zip(cycle(IKE), cycle(ESP), cycle(["", *PFS]), strict=False), max(len(IKE), len(ESP))))


def in_role(first: int) -> pytest.MarkDecorator:
    """Every case; every second one in `make test`."""
    cases = [
        pytest.param(*case, id="{}+{}{}".format(*case), marks=[] if number % 2 == first else pytest.mark.soak)
        for number, case in enumerate(CASES)
    ]
    return pytest.mark.parametrize(("ike", "esp", "pfs"), cases)


def their_words(text: str) -> str:
    """`curve25519` and `curve448` are `x25519` and `x448` for strongSwan 5.9."""
    return text.replace("curve", "x")


@pytest.fixture(scope="module")
def module_charon_b(topology: Topology) -> Iterator[StrongSwan]:
    with StrongSwan(topology.gw_b, plugins=f"{PLUGINS} gcrypt ctr ccm") as charon:
        yield charon


@pytest.fixture(scope="module")
def site(topology: Topology) -> Site:
    """All suites; at this end PFS is optional."""
    esp = ", ".join(f"{suite}-modp2048" for suite in ESP)
    return Site(topology.gw_a, topology.gw_b, f"[{', '.join(IKE)}]", f"[{esp}], pfs: optional")


@pytest.fixture(scope="module")
def ikevd(topology: Topology, site: Site) -> Iterator[Ikevd]:
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        yield ikevd


@in_role(0)
def test_as_responder_with_every_algorithm(
    topology: Topology, charon_b: StrongSwan, ikevd: Ikevd, site: Site, ike: str, esp: str, pfs: str
) -> None:
    """With optional PFS the peer may name any sound group, or none."""
    charon_b.load(replace(site, ike=their_words(ike), esp=their_words(esp + pfs)).mirrored().swanctl())
    charon_b.initiate("lan")
    packets_cross(topology)


@in_role(1)
def test_as_initiator_with_every_algorithm(
    topology: Topology, charon_b: StrongSwan, ikevd: Ikevd, site: Site, ike: str, esp: str, pfs: str
) -> None:
    """Optional PFS offers the group that the suites name."""
    charon_b.load(replace(site, ike=their_words(ike), esp=f"{esp}-modp2048").mirrored().swanctl())
    ikevd.up("lan")
    packets_cross(topology)
