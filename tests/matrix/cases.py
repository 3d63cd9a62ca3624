"""The interop matrix as one table: the dimensions, what cannot be and why, and the cases that follow from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import product

from tests.matrix import algorithms
from tests.matrix.pairwise import all_pairs

DIMENSIONS: Mapping[str, Sequence[str]] = {
    "peer": ("strongswan", "libreswan"),
    "role": ("initiator", "responder"),
    "exchange": ("main", "aggressive"),
    "path": ("ipv4", "ipv6", "nat-here", "nat-there", "esp-blocked"),
    "cipher": algorithms.CIPHERS,
    "hash": algorithms.HASHES,
    "group": algorithms.GROUPS,
    "esp": algorithms.ESP,
    "pfs": ("no-pfs", "pfs"),
    "ids": ("addresses", "fqdn", "user_fqdn", "key_id"),
}
"""`role` is ours. `nat-here` is a NAT in front of us, `nat-there` in front of the peer; on `esp-blocked` we force ESP
into UDP. With `pfs` Quick Mode takes the group of phase 1."""

BARE_ESP = ("ipv4", "ipv6")
"""The paths on which ESP travels as its own IP protocol."""

INDEPENDENT = (
    frozenset(("cipher", "group")),
    frozenset(("cipher", "esp")),
    frozenset(("group", "esp")),
    frozenset(("hash", "esp")),
    frozenset(("ids", "esp")),
    frozenset(("path", "esp")),
)
"""Where the pairwise part for CI does not ask that all values meet: no formula of RFC 2409 joins them, except hash and
(with PFS) group to the ESP suite, by way of KEYMAT alone; and the kernel puts every suite into UDP alike. The whole
matrix asks for these too."""


@dataclass(frozen=True)
class Case:
    """One tunnel."""

    peer: str
    role: str
    exchange: str
    path: str
    cipher: str
    hash: str
    group: str
    esp: str
    pfs: str
    ids: str

    def __str__(self) -> str:
        return " ".join(astuple(self))

    @property
    def ike(self) -> str:
        """Words of a phase 1 proposal."""
        return f"{self.cipher}-{self.hash}-{self.group}"

    @property
    def esp_proposal(self) -> str:
        """Words of a phase 2 proposal."""
        esp = self.esp.replace(algorithms.SHA256_96, "sha256")
        return f"{esp}-{self.group}" if self.pfs == "pfs" else esp

    @property
    def udp(self) -> bool:
        """Does ESP travel in UDP?"""
        return self.path not in BARE_ESP

    @property
    def topology(self) -> str:
        """Where it stands: cases of one topology and peer run one after the other."""
        return self.path if self.path.startswith("nat") else "plain"


def exception(case: Mapping[str, str]) -> str | None:
    """Why a case, complete or not, cannot be."""
    if case.get("peer") != "libreswan":
        return None
    words = [case.get("cipher", ""), case.get("group", ""), case.get("esp", "").split("-")[0]]
    lacking = [algorithms.LIBRESWAN_WITHOUT[word] for word in words if word in algorithms.LIBRESWAN_WITHOUT]
    if lacking:
        return lacking[0]
    if "ccm" in case.get("esp", "") and case.get("path", "ipv4") not in BARE_ESP:
        return "libreswan 4.10 installs CCM without the UDP encapsulation that it agreed on"
    if case.get("pfs") == "pfs" and case.get("group", "modp2048") not in algorithms.LIBRESWAN_PFS:
        return "libreswan 4.10 has only MODP groups for perfect forward secrecy in IKEv1"
    return None


def pairwise_cases() -> list[Case]:
    """The part for CI: every peer, role and exchange on every path, twice, and pairwise the rest."""
    twice = 2 * _cells(DIMENSIONS)
    return _ordered(all_pairs(DIMENSIONS, lambda case: exception(case) is None, independent=INDEPENDENT, seeds=twice))


def whole_matrix() -> list[Case]:
    """For each peer the same with nothing independent of anything."""
    found = []
    for peer in DIMENSIONS["peer"]:
        of_peer = {**DIMENSIONS, "peer": (peer,)}
        found += all_pairs(of_peer, lambda case: exception(case) is None, seeds=_cells(of_peer))
    return _ordered(found)


def _cells(dimensions: Mapping[str, Sequence[str]]) -> list[Mapping[str, str]]:
    names = ("peer", "role", "exchange", "path")
    return [dict(zip(names, values, strict=True)) for values in product(*(dimensions[name] for name in names))]


def _ordered(cases: Sequence[Mapping[str, str]]) -> list[Case]:
    return sorted((Case(**case) for case in cases), key=lambda case: (case.topology, case.peer))
