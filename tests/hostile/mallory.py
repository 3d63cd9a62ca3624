"""A peer by hand: it knows its pre-shared key, speaks IKE correctly up to where a test wants otherwise, and then says
whatever the test hands to it, properly encrypted and proven or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ikevd.addresses import Address, Endpoint, Path
from ikevd.crypto import keys
from ikevd.crypto.ciphers import IvChain
from ikevd.exchanges import phase2
from ikevd.exchanges.phase1 import Keying, local_identity, remote_identity
from ikevd.policy.connection import Connection
from ikevd.policy.transforms import offer_phase1, offer_phase2, read_phase1
from ikevd.sa.model import Cookies, IsakmpSa
from ikevd.wire.message import HEADER_OCTETS, Header, Message, encode_chain, first_type
from ikevd.wire.payloads import HashPayload, IdPayload, KePayload, NoncePayload, Payload
from ikevd.wire.registry import ExchangeType, Flags, PayloadType
from ikevd.wire.sa import SaPayload
from tests.builders import SeededEntropy, key_pair

COOKIE = b"mallory!"
SPI = bytes.fromhex("0000a5a5")
NI, NR = SeededEntropy(71).octets(32), SeededEntropy(72).octets(32)


@dataclass(frozen=True)
class Chain:
    """Payloads as octets, right or wrong."""

    first: PayloadType
    octets: bytes

    @classmethod
    def of(cls, *payloads: Payload) -> Chain:
        return cls(first_type(payloads), encode_chain(payloads))

    def behind(self, proof: HashPayload) -> Chain:
        """With a HASH before them."""
        head = encode_chain([proof])
        return Chain(PayloadType.HASH, bytes([self.first]) + head[1:] + self.octets)


def datagram(header: Header, body: bytes) -> bytes:
    return header.encode(len(body)) + body


def changed(octets: bytes, at: int, new: bytes) -> bytes:
    """`new` in place of the octets at `at`; a negative place counts from the end."""
    at %= len(octets)
    return octets[:at] + new + octets[at + len(new) :]


def flipped(octets: bytes, at: int, bit: int = 1) -> bytes:
    """One bit is another."""
    return changed(octets, at, bytes([octets[at] ^ bit]))


def padded(octets: bytes, block: int) -> bytes:
    return octets + bytes(-len(octets) % block)


class Mallory:
    """The other end of one connection of a gateway. `tell` hands a datagram to the gateway; `heard` gives what the
    gateway sent since it was last asked."""

    def __init__(
        self, view: Connection, path: Path, tell: Callable[[bytes, Path], None], heard: Callable[[], list[bytes]]
    ) -> None:
        """`view`: the connection as Mallory would configure it; `path`: as the gateway sees it."""
        self.view, self.path = view, path
        self._tell, self.heard = tell, heard
        self.sa: IsakmpSa | None = None

    def say(self, octets: bytes, *, source: Address | None = None, ports: tuple[int, int] | None = None) -> list[bytes]:
        """One datagram, and what is answered at once. `ports`: (the gateway's, that of the source)."""
        here, there = ports or (self.path.local.port, self.path.remote.port)
        local = Endpoint(self.path.local.address, here)
        self._tell(octets, Path(local, Endpoint(source or self.path.remote.address, there)))
        return self.heard()

    def main_mode(self, cookie: bytes = COOKIE) -> MainMode:
        """A Main Mode that Mallory begins."""
        return MainMode(self, Cookies(cookie))

    def aggressive(self, cookie: bytes = COOKIE) -> Aggressive:
        """An Aggressive Mode that Mallory begins."""
        return Aggressive(self, Cookies(cookie))

    def establish(self, cookie: bytes = COOKIE, *announced: Payload) -> IsakmpSa:
        """A whole Main Mode, correctly, with these vendor IDs."""
        mode = self.main_mode(cookie)
        mode.hear_2(*self.say(mode.message_1(mode.offer, *announced)))
        mode.hear_4(*self.say(mode.message_3()))
        mode.hear_6(*self.say(mode.message_5()))
        assert mode.sa
        self.sa = mode.sa
        return mode.sa

    def protected(
        self,
        kind: ExchangeType,
        message_id: int,
        chain: Chain,
        *,
        proof: HashPayload | None = None,
        prove: bool = True,
        flags: int = Flags.ENCRYPTION,
        padding: int = 0,
    ) -> bytes:
        """The first message of an exchange under the ISAKMP SA, with HASH(1) or with `proof` in its place; `prove`
        False: without any."""
        assert self.sa
        if prove or proof:
            chain = chain.behind(
                proof or HashPayload(keys.hash_1(self.sa.keys.under_skeyid_a(), message_id, chain.octets))
            )
        iv_chain = phase2.chains(self.sa, message_id)[0]
        body = iv_chain.encrypt(padded(chain.octets, len(iv_chain.iv)) + bytes(padding))
        return datagram(self._header(kind, message_id, chain.first, flags), body)

    def _header(self, kind: ExchangeType, message_id: int, first: PayloadType, flags: int) -> Header:
        assert self.sa
        pair = self.sa.cookies
        return Header(pair.initiator, pair.responder, first, kind, Flags(flags), message_id)

    def quick_mode(self, message_id: int = 0x0BAD0001) -> QuickMode:
        """A Quick Mode that Mallory begins."""
        assert self.sa
        return QuickMode(self, self.sa, message_id)

    def inform(self, *payloads: Payload, message_id: int = 0x0BADF00D, **options: Any) -> list[bytes]:
        """One Informational message, proven unless `options` say otherwise."""
        chain = Chain.of(*payloads)
        return self.say(self.protected(ExchangeType.INFORMATIONAL, message_id, chain, **options))


class MainMode:
    """Main Mode as initiator. Each `message_N` gives the datagram, with other payloads where a test hands them in, and
    changes nothing; each `hear_N` goes on from the answer."""

    def __init__(self, mallory: Mallory, cookies: Cookies) -> None:
        self._mallory = mallory
        self.cookies = cookies
        self.view = mallory.view
        self.offer = offer_phase1(self.view.suites, self.view.lifetime)
        self.keying: Keying | None = None
        self.sa: IsakmpSa | None = None

    def clear(self, chain: Chain, *, message_id: int = 0, flags: int = 0) -> bytes:
        pair = self.cookies
        header = Header(pair.initiator, pair.responder, chain.first, ExchangeType.MAIN_MODE, Flags(flags), message_id)
        return datagram(header, chain.octets)

    def message_1(self, *payloads: Payload) -> bytes:
        return self.clear(Chain.of(*(payloads or (self.offer,))))

    def hear_2(self, octets: bytes) -> None:
        header = Header.decode_untrusted(octets)
        self.cookies = Cookies(self.cookies.initiator, header.responder)
        chosen = Message.decode_untrusted(header, octets[HEADER_OCTETS:]).one(SaPayload)
        suite, _ = read_phase1(chosen.proposals[0].transforms[0])
        assert not isinstance(suite, str)
        self.suite = suite
        self.pair = key_pair(suite.group)

    def message_3(self, *payloads: Payload) -> bytes:
        return self.clear(Chain.of(*(payloads or (KePayload(self.pair.public), NoncePayload(NI)))))

    def hear_4(self, octets: bytes) -> None:
        message = Message.decode_untrusted(Header.decode_untrusted(octets), octets[HEADER_OCTETS:])
        g_xr, nr = message.one(KePayload).body, message.one(NoncePayload).body
        public = self.pair.public, g_xr
        self.keying = Keying.derive(
            self.view.psk, self.suite, self.cookies, self.offer.body, public, (NI, nr), self.pair.shared(g_xr)
        )

    def identity(self) -> tuple[Payload, HashPayload]:
        """IDii and HASH_I as they should be."""
        assert self.keying
        path = self._mallory.path
        idii = local_identity(self.view, Path(path.remote, path.local)).to_payload()
        return idii, self.keying.hash_i(idii)

    def message_5(self, *payloads: Payload, padding: int = 0) -> bytes:
        """Encrypted; the IV stays, so that another message 5 can be made."""
        assert self.keying
        chain = Chain.of(*(payloads or self.identity()))
        body = self.sealed(padded(chain.octets, len(self.keying.chain.iv)) + bytes(padding))
        pair = self.cookies
        header = Header(pair.initiator, pair.responder, chain.first, ExchangeType.MAIN_MODE, Flags.ENCRYPTION, 0)
        return datagram(header, body)

    def sealed(self, clear: bytes) -> bytes:
        assert self.keying
        before = self.keying.chain.iv
        body = self.keying.chain.encrypt(clear)
        self.keying.chain.iv = before
        return body

    def hear_6(self, octets: bytes) -> None:
        """The genuine message 5 has been answered."""
        assert self.keying
        iv_chain = self.keying.chain
        iv_chain.encrypt(padded(Chain.of(*self.identity()).octets, len(iv_chain.iv)))
        iv_chain.commit(iv_chain.propose(octets[HEADER_OCTETS:]))
        path = Path(self._mallory.path.remote, self._mallory.path.local)
        self.sa = IsakmpSa(
            self.cookies,
            self.view.name,
            True,
            path,
            local_identity(self.view, path),
            remote_identity(self.view, path),
            self.suite,
            self.view.lifetime,
            self.keying.keys,
            self.keying.cipher_key,
            (iv_chain.iv,),
        )


class Aggressive:
    """Aggressive Mode as initiator."""

    def __init__(self, mallory: Mallory, cookies: Cookies) -> None:
        self._mallory = mallory
        self.cookies = cookies
        self.view = mallory.view
        self.offer = offer_phase1(self.view.suites[:1], self.view.lifetime)
        self.pair = key_pair(self.view.suites[0].group)
        self.keying: Keying | None = None

    def identity(self) -> IdPayload:
        path = self._mallory.path
        return local_identity(self.view, Path(path.remote, path.local)).to_payload()

    def payloads(self) -> tuple[Payload, ...]:
        """What message 1 should hold."""
        return self.offer, KePayload(self.pair.public), NoncePayload(NI), self.identity()

    def message_1(self, *payloads: Payload) -> bytes:
        chain = Chain.of(*(payloads or self.payloads()))
        return datagram(self._header(chain.first), chain.octets)

    def hear_2(self, octets: bytes) -> Message:
        header = Header.decode_untrusted(octets)
        self.cookies = Cookies(self.cookies.initiator, header.responder)
        message = Message.decode_untrusted(header, octets[HEADER_OCTETS:])
        g_xr, nr = message.one(KePayload).body, message.one(NoncePayload).body
        public, nonces = (self.pair.public, g_xr), (NI, nr)
        shared, suite = self.pair.shared(g_xr), self.view.suites[0]
        self.keying = Keying.derive(self.view.psk, suite, self.cookies, self.offer.body, public, nonces, shared)
        return message

    def message_3(self, *payloads: Payload, encrypted: bool = True) -> bytes:
        """The IV stays, so that another message 3 can be made."""
        assert self.keying
        chain = Chain.of(*(payloads or (self.keying.hash_i(self.identity()),)))
        if not encrypted:
            return datagram(self._header(chain.first), chain.octets)
        before = self.keying.chain.iv
        body = self.keying.chain.encrypt(padded(chain.octets, len(before)))
        self.keying.chain.iv = before
        return datagram(self._header(chain.first, Flags.ENCRYPTION), body)

    def _header(self, first: PayloadType, flags: Flags = Flags.NONE) -> Header:
        pair = self.cookies
        return Header(pair.initiator, pair.responder, first, ExchangeType.AGGRESSIVE, flags, 0)


class QuickMode:
    """Quick Mode as initiator, without PFS."""

    def __init__(self, mallory: Mallory, sa: IsakmpSa, message_id: int) -> None:
        self._mallory, self._sa, self.message_id = mallory, sa, message_id
        child = mallory.view.children[0]
        self.offer = offer_phase2(child.suites, child.lifetime, SPI)
        self.identities = child.local.to_id(), child.remote.to_id()
        self.chain: IvChain = phase2.chains(sa, message_id)[0]
        self.nr = b""

    def payloads(self) -> tuple[Payload, ...]:
        """What message 1 should hold."""
        return self.offer, NoncePayload(NI), *self.identities

    def message_1(self, *payloads: Payload, **options: Any) -> bytes:
        chain = Chain.of(*(payloads or self.payloads()))
        return self._mallory.protected(ExchangeType.QUICK_MODE, self.message_id, chain, **options)

    def hear_2(self, octets: bytes, first: bytes) -> Message:
        """`first`: the message 1 that was answered."""
        self.chain.iv = first[-len(self.chain.iv) :]
        proposed = self.chain.propose(octets[HEADER_OCTETS:])
        self.chain.commit(proposed)
        message = Message.decode_untrusted(Header.decode_untrusted(octets), proposed.plaintext)
        self.nr = message.one(NoncePayload).body
        return message

    def message_3(self, proof: HashPayload | None = None) -> bytes:
        proof = proof or phase2.Hashes(self._sa, self.message_id).third(NI, self.nr)
        before = self.chain.iv
        body = self.chain.encrypt(padded(Chain.of(proof).octets, len(before)))
        self.chain.iv = before
        pair = self._sa.cookies
        header = Header(
            pair.initiator,
            pair.responder,
            PayloadType.HASH,
            ExchangeType.QUICK_MODE,
            Flags.ENCRYPTION,
            self.message_id,
        )
        return datagram(header, body)


def mallory_at(address: Address, gateway: Address) -> Path:
    """The path as the gateway sees it."""
    return Path(Endpoint(gateway, 500), Endpoint(address, 500))
