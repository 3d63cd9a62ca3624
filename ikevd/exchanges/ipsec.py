"""From an agreed Quick Mode to a pair of ESP SAs with keys (RFC 2409 section 5.5, KEYMAT)."""

from __future__ import annotations

from ikevd.addresses import Path
from ikevd.crypto.keys import keymat
from ikevd.crypto.secret import Secret
from ikevd.errors import Malformed
from ikevd.policy.choose import Phase2Choice
from ikevd.policy.model import Child, EspSuite
from ikevd.sa.model import EspKeys, IpsecSa, IsakmpSa, Spi, UdpEncapsulation
from ikevd.wire.registry import Integrity, Protocol

IDENTITIES = 2
FIRST_SPI = 256
"""SPIs up to 255 are reserved (RFC 4303 section 2.1)."""
INTEGRITY_KEY_OCTETS = {Integrity.HMAC_SHA1: 20, Integrity.HMAC_SHA2_256: 32}
"""RFC 2404 and RFC 4868: the key is as long as the hash."""


def esp_pair(
    sa: IsakmpSa,
    child: Child,
    path: Path,
    choice: Phase2Choice,
    spi: Spi,
    nonces: tuple[bytes, bytes],
    g_xy: Secret | None,
    *,
    initiator: bool,
) -> IpsecSa:
    """The pair as it goes to the kernel; `spi` is ours, `nonces` is (Ni_b, Nr_b)."""
    theirs = Spi(int.from_bytes(choice.peer_spi, "big"))
    if theirs < FIRST_SPI:
        raise Malformed(f"the peer's ESP SPI {theirs} is a reserved one; {FIRST_SPI} and above are wanted")
    return IpsecSa(
        child=child.name,
        reqid=child.reqid,
        local=path.local.address,
        remote=path.remote.address,
        local_selector=child.local,
        remote_selector=child.remote,
        suite=choice.suite,
        lifetime=choice.lifetime,
        replay_window=child.replay_window,
        inbound=_esp_keys(sa, choice.suite, spi, nonces, g_xy),
        outbound=_esp_keys(sa, choice.suite, theirs, nonces, g_xy),
        initiator=initiator,
        encap=_encapsulation(sa, path),
    )


def _encapsulation(sa: IsakmpSa, path: Path) -> UdpEncapsulation | None:
    """ESP goes where IKE goes (RFC 3948 section 2)."""
    return UdpEncapsulation(path.local.port, path.remote.port) if sa.nat and sa.nat.encapsulates else None


def _esp_keys(sa: IsakmpSa, suite: EspSuite, spi: Spi, nonces: tuple[bytes, bytes], g_xy: Secret | None) -> EspKeys:
    """KEYMAT of one direction: the cipher's key, then that of the integrity check (RFC 2407 section 4.4.4)."""
    cipher, integrity = suite.key_bits // 8, INTEGRITY_KEY_OCTETS[suite.integrity]
    octets = keymat(sa.keys, Protocol.ESP, spi.octets, *nonces, cipher + integrity, g_xy).reveal()
    return EspKeys(spi, Secret(octets[:cipher]), Secret(octets[cipher:]))
