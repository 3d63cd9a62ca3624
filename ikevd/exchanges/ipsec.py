"""From an agreed Quick Mode to a pair of ESP or AH SAs with keys (RFC 2409 section 5.5, KEYMAT)."""

from __future__ import annotations

from functools import lru_cache

from ikevd.addresses import Path
from ikevd.crypto.keys import keymat, under
from ikevd.crypto.primitives import Prf
from ikevd.crypto.secret import Secret
from ikevd.crypto.weak_keys import is_weak_des_key, is_weak_triple_des_key
from ikevd.errors import InvalidKey, Malformed
from ikevd.findings import IpsecSaStands, Traffic
from ikevd.frozen import frozen, replace
from ikevd.policy.algorithms import esp_key_octets
from ikevd.policy.child import Child
from ikevd.policy.choose import Phase2Choice, describe
from ikevd.policy.suites import IpsecSuite
from ikevd.refusals import ReservedSpi, WeakKey
from ikevd.sa.model import EspKeys, IpsecSa, IsakmpSa, Spi, UdpEncapsulation
from ikevd.wire.registry import EspTransform, Integrity, Protocol

IDENTITIES = 2
FIRST_SPI = 256
"""SPIs up to 255 are reserved (RFC 4303 section 2.1)."""
WEAK_KEYS = {EspTransform.DES: is_weak_des_key, EspTransform.TRIPLE_DES: is_weak_triple_des_key}
OLD_SHA256_BITS = 96
"""The ICV of HMAC-SHA-256 before RFC 4868."""


@frozen
class PairKeys:
    """Of both directions; they go to the kernel and nowhere else."""

    inbound: EspKeys
    outbound: EspKeys


def sa_pair(
    sa: IsakmpSa,
    child: Child,
    path: Path,
    choice: Phase2Choice,
    spi: Spi,
    nonces: tuple[bytes, bytes],
    g_xy: Secret | None,
    *,
    initiator: bool,
) -> tuple[IpsecSa, PairKeys]:
    """The pair as it goes to the kernel, and its keys; `spi` is ours, `nonces` is (Ni_b, Nr_b)."""
    theirs = Spi.of(choice.suite.protocol, choice.peer_spi)
    if theirs.number < FIRST_SPI:
        raise Malformed(ReservedSpi(str(theirs), str(FIRST_SPI)))
    under_skeyid_d = under(sa.keys.hash, sa.keys.skeyid_d)
    keys = PairKeys(*(_keys(under_skeyid_d, choice.suite, each, nonces, g_xy) for each in (spi, theirs)))
    made = IpsecSa(
        child=child.name,
        reqid=child.reqid,
        local=path.local.address,
        remote=path.remote.address,
        local_selector=child.local,
        remote_selector=child.remote,
        suite=choice.suite,
        lifetime=choice.lifetime,
        replay_window=child.replay_window,
        inbound=spi,
        outbound=theirs,
        initiator=initiator,
        encap=_encapsulation(sa, path),
        icv_bits=_icv_bits(child, choice.suite),
    )
    return made, keys


def _encapsulation(sa: IsakmpSa, path: Path) -> UdpEncapsulation | None:
    """`path` is that of ESP in UDP."""
    return _between(path.local.port, path.remote.port) if sa.nat and sa.nat.encapsulates else None


@lru_cache(maxsize=256)
def _between(local_port: int, remote_port: int) -> UdpEncapsulation:
    """One for all pairs with these ports, which most have in common."""
    return UdpEncapsulation(local_port, remote_port)


def at_path(sa: IpsecSa, path: Path) -> IpsecSa:
    """The pair with the ports of a later message: the NAT in front of the peer may have chosen others meanwhile."""
    now = _between(path.local.port, path.remote.port) if sa.encap else None
    return sa if sa.encap == now else replace(sa, encap=now)


def _icv_bits(child: Child, suite: IpsecSuite) -> int | None:
    """None: as usual for the suite."""
    old = child.sha256_96 and suite.integrity == Integrity.HMAC_SHA2_256 and suite.protocol == Protocol.ESP
    return OLD_SHA256_BITS if old else None


def _keys(
    under_skeyid_d: Prf, suite: IpsecSuite, spi: Spi, nonces: tuple[bytes, bytes], g_xy: Secret | None
) -> EspKeys:
    length = sum(esp_key_octets(suite.transform, suite.key_bits, suite.integrity))
    return split_keymat(spi, suite, keymat(under_skeyid_d, suite.protocol, spi.octets, *nonces, length, g_xy))


def split_keymat(spi: Spi, suite: IpsecSuite, octets: Secret) -> EspKeys:
    """KEYMAT of one direction: the cipher's key with its salt, then that of the integrity check (RFC 2407 section 4.5).

    Raises InvalidKey for a weak key (RFC 2405 section 3, RFC 2451 section 2.3): the peer would have to refuse it too.
    """
    cipher, _ = esp_key_octets(suite.transform, suite.key_bits, suite.integrity)
    encryption, integrity = octets.reveal()[:cipher], octets.reveal()[cipher:]
    if (is_weak := WEAK_KEYS.get(suite.transform)) and is_weak(encryption):
        raise InvalidKey(WeakKey(str(spi), str(suite.transform)))
    return EspKeys(Secret(encryption), Secret(integrity))


def stands(sa: IpsecSa) -> IpsecSaStands:
    """What there is to say of a pair that stands."""
    selectors = Traffic(str(sa.local_selector), str(sa.remote_selector))
    spis = str(sa.inbound), str(sa.outbound)
    cpis = (str(sa.cpis.inbound), str(sa.cpis.outbound)) if sa.cpis is not None else (None, None)
    return IpsecSaStands(selectors, describe(sa.suite), *spis, *cpis)
