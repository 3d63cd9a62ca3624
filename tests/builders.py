"""Connections, children and SAs for tests: everything has a default, a test names what it is about."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from ipaddress import ip_address, ip_network

from ikevd.addresses import Endpoint, Path
from ikevd.crypto import groups
from ikevd.crypto.secret import Secret
from ikevd.policy.child import Child, Start
from ikevd.policy.connection import Connection, Location, PreSharedKey, Resend
from ikevd.policy.dpd import Dpd, DpdMode
from ikevd.policy.identity import Identity
from ikevd.policy.lives import Lifetime
from ikevd.policy.selectors import TrafficSelector
from ikevd.policy.suites import IkeSuite, IpsecSuite
from ikevd.wire.registry import Cipher, EspTransform, Group, Hash, Integrity
from tests.plugins.secrets import MARK

ALICE, BOB = ip_address("192.0.2.1"), ip_address("198.51.100.1")
ALICE_TO_BOB = Path(Endpoint(ALICE, 500), Endpoint(BOB, 500))
BOB_TO_ALICE = Path(Endpoint(BOB, 500), Endpoint(ALICE, 500))

AES128_SHA256_X25519 = IkeSuite(Cipher.AES_CBC, 128, Hash.SHA2_256, Group.CURVE25519)
AES256_SHA1_MODP2048 = IkeSuite(Cipher.AES_CBC, 256, Hash.SHA1, Group.MODP_2048)
ESP_AES128_SHA256 = IpsecSuite(EspTransform.AES_CBC, 128, Integrity.HMAC_SHA2_256)
ESP_AES256_SHA1 = IpsecSuite(EspTransform.AES_CBC, 256, Integrity.HMAC_SHA1)


class SeededEntropy:
    """The same octets for the same seed."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def octets(self, count: int) -> bytes:
        return self._random.randbytes(count)


def key_pair(group: Group) -> groups.KeyPair:
    """A fresh one."""
    return groups.generate(group, os.urandom)


def psk(text: str = f"a {MARK} for tests", source: str = "test.yaml:1:1") -> PreSharedKey:
    return PreSharedKey(Secret(text.encode()), source)


def selector(text: str) -> TrafficSelector:
    return TrafficSelector.of(ip_network(text))


def child(local: str = "10.1.0.0/24", remote: str = "10.2.0.0/24", **changes: object) -> Child:
    plain = Child(
        name="lan",
        reqid=0x696B0000,
        local=selector(local),
        remote=selector(remote),
        suites=(ESP_AES128_SHA256,),
        lifetime=Lifetime(3600),
        start=Start.MANUAL,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


NO_DPD = Dpd(mode=DpdMode.OFF)
"""Of a peer that is silent for long, or where all that is said matters."""


def connection(**changes: object) -> Connection:
    """Alice's view of Bob."""
    plain = Connection(
        name="bob",
        local=ALICE,
        remote=BOB,
        local_id=None,
        remote_id=None,
        psk=psk(),
        suites=(AES128_SHA256_X25519,),
        lifetime=Lifetime(86400),
        children=(child(),),
        resend=Resend(),
        location=Location("test.yaml", 2, 3),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def mirrored(view: Connection) -> Connection:
    """The same connection as the other side configures it."""
    return replace(
        view,
        name="alice",
        local=view.remote,
        remote=view.local,
        local_id=view.remote_id,
        remote_id=view.local_id,
        children=tuple(replace(c, local=c.remote, remote=c.local) for c in view.children),
    )


def fqdn(name: str) -> Identity:
    return Identity.parse(name)
