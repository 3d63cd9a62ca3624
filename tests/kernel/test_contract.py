"""The contract suite on Linux. The tests share a network namespace, which each leaves empty: a new one costs a tenth of
a second."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest
import pytest_asyncio

from ikevd.host.policies import Action, KernelPolicy, PolicyId
from ikevd.host.sas import SaId
from ikevd.kernel.adapter import XfrmKernel
from ikevd.kernel.netlink import NETLINK_XFRM, NetlinkError, RequestSocket
from ikevd.kernel.xfrm_layout import Msg
from ikevd.wire.registry import Protocol
from tests.kernel.contract import KernelContract
from tests.kernel.modules import without
from tests.kernel.namespaces import Namespace, new_namespace
from tests.kernel.samples import HERE, HERE6, PEER, PEER6

pytestmark = pytest.mark.kernel

WORDS = {Protocol.ESP: "esp", Protocol.IPCOMP: "comp"}
"""Of iproute2."""
KEYS = f"auth-trunc hmac(sha1) 0x{20 * 'ab'} 96 enc cbc(aes) 0x{16 * 'cd'}"


class LinuxBench:
    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        with namespace.entered():
            self.kernel = XfrmKernel()
        self._opened = [self.kernel]

    def shorten_reservations(self) -> float:
        self._keep_reservations(1)
        return 1.0

    def _keep_reservations(self, seconds: int) -> None:
        with self.namespace.entered():
            Path("/proc/sys/net/core/xfrm_acq_expires").write_text(str(seconds))

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds + 1.1)  # the kernel counts whole seconds

    def without_blowfish(self) -> AbstractContextManager[None]:
        return without("blowfish_generic")

    def successor(self) -> XfrmKernel:
        with self.namespace.entered():
            self._opened.append(XfrmKernel())
        return self._opened[-1]

    async def close(self) -> None:
        for kernel in self._opened:
            kernel.close()
        self._keep_reservations(30)
        with self.namespace.entered():
            requests = RequestSocket(NETLINK_XFRM)
        for what in (Msg.FLUSHPOLICY, Msg.FLUSHSA):
            with suppress(NetlinkError):  # ESRCH where there is none
                await requests.ask(what, b"\0")  # of any protocol
        requests.close()

    def send(self, policy: PolicyId) -> None:
        source, destination = policy.source[1], policy.destination[1]
        self.namespace.ip(f"addr replace {source} dev wire", f"route replace {policy.destination} dev wire")
        with self.namespace.entered():
            packets = socket.socket(socket.AF_INET if source.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        with packets:
            packets.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, policy.mark.value if policy.mark else 0)
            packets.bind((str(source), 0))
            with suppress(PermissionError):  # a block
                packets.sendto(b"", (str(destination), 9))

    def remove_sa(self, sa: SaId) -> None:
        self._xfrm(f"state delete dst {sa.destination} proto {WORDS[sa.spi.protocol]} spi 0x{sa.spi}")

    def remove_policy(self, policy: PolicyId) -> None:
        self._xfrm(f"policy delete {_selector(policy)}")

    def change_policy(self, policy: KernelPolicy) -> None:
        action = "action block" if policy.action is Action.BLOCK else "action allow"
        words = f"policy update {_selector(policy.id)} {action} priority {policy.priority}"
        if template := policy.template:
            ends = f"src {template.source} dst {template.destination}"
            words += f" tmpl {ends} proto esp mode tunnel reqid {template.reqid}"
        self._xfrm(words)

    def flush_sas(self) -> None:
        self._xfrm("state flush")

    def flush_policies(self) -> None:
        self._xfrm("policy flush")

    def _xfrm(self, words: str) -> None:
        self.namespace.run("ip", "xfrm", *words.split())

    def plant_sa(self, sa: SaId, reqid: int) -> None:
        name = f"src 192.0.2.99 dst {sa.destination} proto esp spi 0x{sa.spi} mode tunnel reqid {reqid}"
        self._xfrm(f"state add {name} {KEYS}")

    def plant_block(self, policy: PolicyId, priority: int) -> None:
        self._xfrm(f"policy add {_selector(policy)} action block priority {priority}")

    def plant_policy(self, policy: PolicyId, reqid: int) -> None:
        template = f"tmpl src 192.0.2.99 dst 198.51.100.99 proto esp mode tunnel reqid {reqid}"
        self._xfrm(f"policy add {_selector(policy)} {template}")


def _selector(policy: PolicyId) -> str:
    words = f"src {policy.source} dst {policy.destination} dir {policy.direction.value}"
    if policy.mark is not None:
        words += f" mark {policy.mark.value} mask {policy.mark.mask}"
    return f"{words} if_id {policy.if_id}" if policy.if_id else words


@pytest.fixture(scope="module")
def on_a_wire() -> Iterator[Namespace]:
    """A namespace with a link, at whose other end nobody is, and routes to the peers over it."""
    namespace = new_namespace()
    namespace.ip(
        "link add wire type dummy",
        "link set wire up",
        f"addr add {HERE} dev wire",
        f"addr add {HERE6} dev wire nodad",
        f"route add {PEER} dev wire",
        f"route add {PEER6} dev wire",
    )
    yield namespace
    namespace.close()


class TestXfrmKernel(KernelContract):
    @pytest_asyncio.fixture
    async def bench(self, on_a_wire: Namespace) -> AsyncIterator[LinuxBench]:
        bench = LinuxBench(on_a_wire)
        yield bench
        await bench.close()
