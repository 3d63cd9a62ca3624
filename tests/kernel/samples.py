"""SAs and policies for the tests of kernels."""

from ipaddress import IPv4Address, IPv6Address, ip_network

from ikevd.addresses import Address
from ikevd.crypto.secret import Secret
from ikevd.frozen import replace
from ikevd.host.interface import Kernel
from ikevd.host.policies import Action, Direction, KernelPolicy, PolicyId, Template
from ikevd.host.sas import KernelSa, SaId
from ikevd.policy.algorithms import ESP_CIPHERS, INTEGRITIES, esp_key_octets
from ikevd.policy.lives import Lifetime
from ikevd.policy.marks import Mark
from ikevd.policy.packing import PLAIN, Packing
from ikevd.policy.priorities import priority
from ikevd.policy.reqids import REQID_FIRST
from ikevd.policy.suites import DEFLATE, IpsecSuite
from ikevd.sa.model import NO_KEY, EspKeys, Spi
from ikevd.wire.registry import Encapsulation, EspTransform, Integrity, Protocol

HERE, PEER = IPv4Address("192.0.2.1"), IPv4Address("198.51.100.1")
FURTHER = IPv4Address("203.0.113.9")
"""Where the peer is later."""
HERE6, PEER6 = IPv6Address("2001:db8::1"), IPv6Address("2001:db8:1::1")
AES_SHA256 = IpsecSuite(EspTransform.AES_CBC, 256, Integrity.HMAC_SHA2_256)
AES_SHA1 = IpsecSuite(EspTransform.AES_CBC, 128, Integrity.HMAC_SHA1)
AES_GCM = IpsecSuite(EspTransform.AES_GCM_16, 256, Integrity.NONE)
TRIPLE_DES_MD5 = IpsecSuite(EspTransform.TRIPLE_DES, 0, Integrity.HMAC_MD5)
LACKING = IpsecSuite(EspTransform.BLOWFISH, 128, Integrity.HMAC_SHA2_256)
"""What `Bench.without_blowfish` takes away."""
EVERY_CIPHER = [
    IpsecSuite(transform, bits, Integrity.NONE if row.icv_bits else Integrity.HMAC_SHA2_256)
    for transform, row in ESP_CIPHERS.items()
    for _, bits in list(row.words())[:: 13 if transform == EspTransform.BLOWFISH else 1]
]
"""Each with each key length, but of the 52 of Blowfish four."""
EVERY_INTEGRITY = [IpsecSuite(EspTransform.AES_CBC, 128, integrity) for integrity in INTEGRITIES]
AH_SHA256 = IpsecSuite(EspTransform.NULL, 0, Integrity.HMAC_SHA2_256, protocol=Protocol.AH)
DEFLATES = [DEFLATE, replace(DEFLATE, mode=Encapsulation.TRANSPORT)]
CPI = Spi.of(Protocol.IPCOMP, b"\x0c\x0d")
EVERY_AH = [replace(AH_SHA256, integrity=integrity) for integrity in INTEGRITIES]
REQID = REQID_FIRST + 7
FORMER_REQID = REQID + 9
FOREIGN_REQID = 1
CHANGES = [
    (before, after) for before in Action for after in Action if after is not Action.BYPASS or before is Action.BYPASS
]
"""Of one policy. A bypass has no reqid by which it could claim what a child owns."""
BEARINGS = [(0, None), (42, None), (43, None), (0, Mark(42)), (0, Mark(43)), (0, Mark(0x4200, 0xFF00)), (44, Mark(44))]
"""if_id and mark of policies with one selector that stand side by side."""
SPI = Spi(0x0A0B0C0D)


def sa_of(
    spi: Spi = SPI,
    *,
    suite: IpsecSuite = AES_SHA256,
    source: Address = HERE,
    destination: Address = PEER,
    lifetime: Lifetime = Lifetime(3600),  # noqa: B008  # frozen
    replay_window: int = 128,
    reqid: int = REQID,
    if_id: int = 0,
    packing: Packing = PLAIN,
    set_mark: Mark | None = None,
) -> KernelSa:
    """An SA."""
    ours = {"if_id": if_id, "packing": packing, "set_mark": set_mark}
    return KernelSa(source, destination, spi, reqid, suite, lifetime, replay_window, **ours)  # type: ignore[arg-type]


def keys_of(suite: IpsecSuite) -> EspKeys:
    """Keys of the right lengths; of IPComp none."""
    if suite.protocol == Protocol.IPCOMP:
        return NO_KEY
    cipher_octets, mac_octets = esp_key_octets(suite.transform, suite.key_bits, suite.integrity)
    return EspKeys(Secret(bytes(range(cipher_octets))), Secret(bytes(range(mac_octets))))


async def add(kernel: Kernel, sa: KernelSa, *, reserved: bool = False) -> None:
    """Install the SA under keys of the right lengths."""
    await kernel.add_sa(sa, keys_of(sa.suite), reserved=reserved)


def policy_of(
    source: str = "10.1.0.0/24",
    destination: str = "10.2.0.0/24",
    *,
    ports: tuple[int, int, int] = (0, 0, 0),
    direction: Direction = Direction.OUT,
    action: Action = Action.TUNNEL,
    ends: tuple[Address, Address] = (HERE, PEER),
    reqid: int = REQID,
    if_id: int = 0,
    mark: Mark | None = None,
) -> KernelPolicy:
    """A policy; `ports` are protocol, source and destination port."""
    name = PolicyId(ip_network(source), ip_network(destination), *ports, direction, if_id, mark)
    bypass = action is Action.BYPASS
    number = priority(name.source, name.destination, *ports, bypass=bypass)
    return KernelPolicy(name, action, number, None if bypass else Template(*ends, reqid))


async def standing(kernel: Kernel) -> list[KernelPolicy | None]:
    """The policies of a dump, as they could be put."""
    return [found.policy for found in await kernel.dump_policies()]


async def sa_ids(kernel: Kernel, *, larval: bool = False) -> list[SaId]:
    """The SAs of a dump that are, or are not, larval."""
    return [found.id for found in await kernel.dump_sas() if found.larval == larval]
