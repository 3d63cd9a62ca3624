"""`LinuxLinks` and its socket as far as they need no privilege: they read the loopback interface."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from typing import Any

import pytest

from ikevd.errors import KernelRefused
from ikevd.kernel.links import LinuxLinks
from ikevd.kernel.rtnetlink import NETLINK_GET_STRICT_CHK


class SocketBefore420(socket.socket):
    """Of a kernel that filters no dumps."""

    def setsockopt(self, level: int, option: int, *value: Any) -> None:
        if option == NETLINK_GET_STRICT_CHK:
            raise OSError(errno.ENOPROTOOPT, "Protocol not available")
        super().setsockopt(level, option, *value)


async def test_links_that_are_closed_answer_no_more() -> None:
    links = LinuxLinks()
    assert [link.name for link in (await links.read("lo")).links] == ["lo"]
    links.close()
    links.close()
    with pytest.raises(KernelRefused):
        await links.read("lo")


async def test_what_waits_while_links_are_closed_is_cancelled() -> None:
    links, busy = LinuxLinks(), threading.Event()
    asyncio.get_running_loop().run_in_executor(links._ready(), busy.wait)
    waiting = [asyncio.ensure_future(links.read("lo")) for _ in range(2)]
    await asyncio.sleep(0)
    threading.Timer(0.5, busy.set).start()
    links.close()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(answers[-1], asyncio.CancelledError)


async def test_a_kernel_that_filters_no_dumps_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with LinuxLinks() as links:
        expected = (await links.read("lo")).addresses
    monkeypatch.setattr(socket, "socket", SocketBefore420)
    with LinuxLinks() as links:
        assert (await links.read("lo")).addresses == expected
