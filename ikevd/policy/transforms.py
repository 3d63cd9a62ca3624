"""Suites to transforms and back: what the attributes of an offer mean (RFC 2409 appendix A, RFC 2407 section 4.5).

Attributes are always read from one transform, never from the first that has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from ikevd.errors import Malformed
from ikevd.frozen import replace
from ikevd.policy.algorithms import ESP_CIPHERS, IKE_CIPHERS, INTEGRITIES, default_key_bits
from ikevd.policy.lives import Lifetime
from ikevd.policy.suites import IkeSuite, IpsecSuite
from ikevd.wire.attributes import Attribute, decode_all, encode_all
from ikevd.wire.buffer import Reader
from ikevd.wire.registry import (
    AhTransform,
    AuthMethod,
    Cipher,
    Encapsulation,
    EspTransform,
    Group,
    Hash,
    IkeAttribute,
    Integrity,
    IpsecAttribute,
    LifeType,
    Phase1Transform,
    Protocol,
)
from ikevd.wire.sa import USUAL_TRANSFORM, Proposal, SaPayload, Transform

DEFAULT_ESP_SECONDS = 28800
"""RFC 2407 section 4.5: an absent SA life means eight hours."""
OFFERS = 256
"""Different ones of the configuration that are made once."""
ESP = Protocol.ESP
EXTENDED = 1
"""Of EXTENDED_SEQUENCE: numbers of 64 bits (RFC 4304 section 3); 0, which it does not name, means those of 32."""
DEFAULT_IKE_SECONDS = 86400
"""RFC 2409 sets none; a day is Cisco's default and the longest in use."""


# -- offering ---------------------------------------------------------------------------------------------------


def offer_phase1(suites: Sequence[IkeSuite], lifetime: Lifetime) -> SaPayload:
    """One proposal with a transform for each suite."""
    return _offer_phase1(tuple(suites), lifetime)


@lru_cache(maxsize=OFFERS)
def _offer_phase1(suites: tuple[IkeSuite, ...], lifetime: Lifetime) -> SaPayload:
    transforms = [
        Transform(number, Phase1Transform.KEY_IKE, (*_ike_attributes(suite), *_life(IkeAttribute, lifetime)))
        for number, suite in enumerate(suites, start=1)
    ]
    return SaPayload.of((Proposal(1, Protocol.ISAKMP, b"", tuple(transforms)),))


def offer_phase2(suites: Sequence[IpsecSuite], lifetime: Lifetime, spi: bytes) -> SaPayload:
    """One proposal of ESP or AH with a transform for each suite; all are of one protocol."""
    return SaPayload.of((Proposal(1, suites[0].protocol, spi, _ipsec_transforms(tuple(suites), lifetime)),))


@lru_cache(maxsize=OFFERS)
def _ipsec_transforms(suites: tuple[IpsecSuite, ...], lifetime: Lifetime) -> tuple[Transform, ...]:
    transforms = [
        Transform(number, _identifier(suite), (*_life(IpsecAttribute, lifetime), *_ipsec_attributes(suite)))
        for number, suite in enumerate(suites, start=1)
    ]
    return tuple([each.kept_as(each.encode()) for each in transforms])


def _ike_attributes(suite: IkeSuite) -> Iterator[Attribute]:
    yield Attribute.number(IkeAttribute.ENCRYPTION, suite.cipher)
    if suite.key_bits:
        yield Attribute.number(IkeAttribute.KEY_LENGTH, suite.key_bits)
    yield Attribute.number(IkeAttribute.HASH, suite.hash)
    yield Attribute.number(IkeAttribute.GROUP, suite.group)
    yield Attribute.number(IkeAttribute.AUTH_METHOD, suite.auth)


def _identifier(suite: IpsecSuite) -> int:
    return suite.transform if suite.protocol == ESP else INTEGRITIES[suite.integrity].ah


def _ipsec_attributes(suite: IpsecSuite) -> Iterator[Attribute]:
    if suite.group is not None:
        yield Attribute.number(IpsecAttribute.GROUP, suite.group)
    yield Attribute.number(IpsecAttribute.ENCAPSULATION, suite.mode)
    if suite.integrity != Integrity.NONE:
        yield Attribute.number(IpsecAttribute.AUTHENTICATION, suite.integrity)
    if suite.key_bits:
        yield Attribute.number(IpsecAttribute.KEY_LENGTH, suite.key_bits)
    if suite.esn:
        yield Attribute.number(IpsecAttribute.EXTENDED_SEQUENCE, EXTENDED)


def _life(names: type[IkeAttribute] | type[IpsecAttribute], lifetime: Lifetime) -> Iterator[Attribute]:
    yield Attribute.number(names.LIFE_TYPE, LifeType.SECONDS)
    yield Attribute.number(names.LIFE_DURATION, lifetime.seconds)
    if lifetime.kilobytes is not None:
        yield Attribute.number(names.LIFE_TYPE, LifeType.KILOBYTES)
        yield Attribute.number(names.LIFE_DURATION, lifetime.kilobytes)


# What is looked for in each transform that is read: as constants, since to ask an enum for a member is slow.
KEY_IKE, TUNNEL = Phase1Transform.KEY_IKE, Encapsulation.TUNNEL
_ENCRYPTION, _KEY_LENGTH = IkeAttribute.ENCRYPTION, IkeAttribute.KEY_LENGTH
_HASH, _GROUP, _AUTH_METHOD = IkeAttribute.HASH, IkeAttribute.GROUP, IkeAttribute.AUTH_METHOD
_IKE_WANTED = frozenset((_ENCRYPTION, _HASH, _AUTH_METHOD, _GROUP))
_IKE_KNOWN = _IKE_WANTED | {_KEY_LENGTH}
_IKE_LIFE = IkeAttribute.LIFE_TYPE, IkeAttribute.LIFE_DURATION
_ESP_GROUP, _ESP_KEY_LENGTH = IpsecAttribute.GROUP, IpsecAttribute.KEY_LENGTH
_AUTHENTICATION, _ENCAPSULATION = IpsecAttribute.AUTHENTICATION, IpsecAttribute.ENCAPSULATION
_ESN = IpsecAttribute.EXTENDED_SEQUENCE
_ESP_KNOWN = frozenset((_ESP_GROUP, _ESP_KEY_LENGTH, _AUTHENTICATION, _ENCAPSULATION, _ESN))
_ESP_LIFE = IpsecAttribute.LIFE_TYPE, IpsecAttribute.LIFE_DURATION
_SECONDS, _KILOBYTES = LifeType.SECONDS, LifeType.KILOBYTES

# -- reading ------------------------------------------------------------------------------------------------------


def read_phase1(transform: Transform) -> tuple[IkeSuite | str, Lifetime]:
    """The suite of one transform, or in words why it is none of ours."""
    return _usual_phase1(transform.octets) if _is_usual(transform) else _read_phase1(transform)


@lru_cache(maxsize=256)
def _usual_phase1(octets: bytes) -> tuple[IkeSuite | str, Lifetime]:
    """Most peers of a gateway offer the same transforms."""
    return _read_phase1(Transform.decode(octets, 1))


def _is_usual(transform: Transform) -> bool:
    """Was it received as it would be sent, and in no more octets than usual?"""
    return 0 < len(transform.octets) <= USUAL_TRANSFORM


def _read_phase1(transform: Transform) -> tuple[IkeSuite | str, Lifetime]:
    numbers, life = _read_attributes(transform, *_IKE_LIFE)
    default = Lifetime(DEFAULT_IKE_SECONDS)
    if transform.id != KEY_IKE:
        return f"a transform with the ID {transform.id}", default
    if isinstance(numbers, int):
        return _odd(transform, IkeAttribute(numbers)), default
    if missing := _IKE_WANTED - numbers.keys():
        return f"a transform without {IkeAttribute(min(missing))}", default
    if odd := numbers.keys() - _IKE_KNOWN:
        return f"a transform with attribute {IkeAttribute(min(odd))}", default
    cipher = Cipher.of(numbers[_ENCRYPTION])
    key_bits = numbers.get(_KEY_LENGTH)
    suite = IkeSuite(
        cipher,
        default_key_bits(IKE_CIPHERS.get(cipher)) if key_bits is None else key_bits,
        Hash.of(numbers[_HASH]),
        Group.of(numbers[_GROUP]),
        AuthMethod.of(numbers[_AUTH_METHOD]),
    )
    return suite, _lifetime(life, default)


def read_phase2(transform: Transform, protocol: Protocol = ESP) -> tuple[IpsecSuite | str, Lifetime]:
    """The suite of one transform of ESP or AH, or in words why it is none of ours."""
    if protocol != ESP:
        return _read_ah(transform)
    return _usual_phase2(transform.octets) if _is_usual(transform) else _read_phase2(transform)


@lru_cache(maxsize=256)
def _usual_phase2(octets: bytes) -> tuple[IpsecSuite | str, Lifetime]:
    return _read_phase2(Transform.decode(octets, 1))


def _read_ah(transform: Transform) -> tuple[IpsecSuite | str, Lifetime]:
    """The transform ID and the attribute have to name the same (RFC 2407 section 4.4.3)."""
    read, lifetime = _read_phase2(transform)
    if isinstance(read, str):
        return read, lifetime
    row, named = INTEGRITIES.get(read.integrity), AhTransform.of(transform.id)
    if row is None or row.ah != named:
        return f"a transform of AH with the ID {named} and {read.integrity}", lifetime
    return replace(read, transform=EspTransform.NULL, key_bits=0, protocol=Protocol.AH), lifetime


def _read_phase2(transform: Transform) -> tuple[IpsecSuite | str, Lifetime]:
    numbers, life = _read_attributes(transform, *_ESP_LIFE)
    default = Lifetime(DEFAULT_ESP_SECONDS)
    if isinstance(numbers, int):
        return _odd(transform, IpsecAttribute(numbers)), default
    if odd := numbers.keys() - _ESP_KNOWN:
        return f"a transform with attribute {IpsecAttribute(min(odd))}", default
    if (long := numbers.get(_ESN, 0)) > EXTENDED:
        return f"a transform with {_ESN} {long}", default
    kind, group, key_bits = EspTransform.of(transform.id), numbers.get(_ESP_GROUP), numbers.get(_ESP_KEY_LENGTH)
    suite = IpsecSuite(
        kind,
        default_key_bits(ESP_CIPHERS.get(kind)) if key_bits is None else key_bits,
        Integrity.of(numbers.get(_AUTHENTICATION, 0)),
        None if group is None else Group.of(group),
        Encapsulation.of(numbers.get(_ENCAPSULATION, TUNNEL)),
        ESP,
        bool(long),
    )
    return suite, _lifetime(life, default)


def responder_lifetime(lifetime: Lifetime, protocol: Protocol) -> bytes:
    """The data of a RESPONDER-LIFETIME notification (RFC 2407 section 4.6.3.1): attributes of phase 2, for an ISAKMP SA
    those of phase 1, which IOS and vpnc read."""
    return encode_all(_life(IkeAttribute if protocol == Protocol.ISAKMP else IpsecAttribute, lifetime))


def read_responder_lifetime(octets: bytes, ours: Lifetime, protocol: Protocol = Protocol.ESP) -> Lifetime:
    """The life that the data of a RESPONDER-LIFETIME notification claims (RFC 2407 section 4.6.3.1): attributes of
    phase 2, for an ISAKMP SA those of phase 1 too. What it does not say, or says unreadably, is as in `ours`."""
    try:
        claim = Transform(0, 0, decode_all(Reader(octets, "RESPONDER-LIFETIME")))
    except Malformed:
        return ours
    phase1: tuple[type[IkeAttribute] | type[IpsecAttribute], ...] = (IkeAttribute,) * (protocol == Protocol.ISAKMP)
    for names in (*phase1, IpsecAttribute):
        _, lives = _read_attributes(claim, names.LIFE_TYPE, names.LIFE_DURATION)
        if lives:
            return _lifetime(lives, ours)
    return ours


def _odd(transform: Transform, kind: IkeAttribute | IpsecAttribute) -> str:
    readable = all(attribute.has_number for attribute in transform.attributes if attribute.type == kind)
    return f"a transform with {kind} twice" if readable else f"a transform whose {kind} is no number"


def _read_attributes(
    transform: Transform, life_type: int, life_duration: int
) -> tuple[Mapping[int, int] | int, Mapping[int, int]]:
    """Numbers by type, and lives by life type; in place of the numbers the type of an attribute that is doubled or no
    number.

    A duration belongs to the life type before it (RFC 2407 section 4.5); one without the other counts for nothing.
    """
    numbers: dict[int, int] = {}
    lives: dict[int, int] = {}
    kind: int | None = None
    for attribute in transform.attributes:
        type = attribute.type
        try:
            value = attribute.as_number()
        except Malformed:
            return type, lives
        if type == life_type:
            kind = value
        elif type == life_duration:
            if kind is not None:
                lives.setdefault(kind, value)
            kind = None
        elif type in numbers:
            return type, lives
        else:
            numbers[type] = value
    return numbers, lives


def _lifetime(lives: Mapping[int, int], default: Lifetime) -> Lifetime:
    seconds = lives.get(_SECONDS) or default.seconds
    return Lifetime(seconds, lives.get(_KILOBYTES) or None)
