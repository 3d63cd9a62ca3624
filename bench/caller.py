"""`python -m bench.caller`: the initiator as a process of its own, so that its cost can be measured.

On its socket a line `GROUP FIRST LAST` brings these spokes of the group up, one after the other, and is answered `up`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import uvloop

from bench.initiator import Initiator
from bench.processes import Responder
from bench.sites import HUB, Place, Spoke, suite
from ikevd.daemon import GARBAGE_THRESHOLDS

ANSWERS_WITHIN = 300.0
"""Seconds; callgrind is slow."""


def spokes_of(groups: Sequence[str], each: int) -> dict[str, list[Spoke]]:
    """So many spokes for each group."""
    return {g: [Spoke(place * each + number, suite(g)) for number in range(each)] for place, g in enumerate(groups)}


class Caller(Responder):
    """The process, and the requests to it. `hub`: whom it calls."""

    name = "caller"

    def __init__(self, directory: Path, hub: Place, groups: Sequence[str], each: int) -> None:
        super().__init__(Place(directory, HUB, hub.port, hub.nat_port, hub.network))
        self._socket = directory / "caller.sock"
        self._arguments = [str(hub.port), str(hub.nat_port), hub.network, str(each), *groups]

    def command(self) -> list[str]:
        """This module."""
        return [sys.executable, "-m", "bench.caller", str(self._socket), *self._arguments]

    def is_ready(self) -> bool:
        """The socket is opened when all else is."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._socket)) == 0

    def bring_up(self, group: str, first: int, last: int) -> None:
        """Spokes `first` to `last` - 1 of the group. Raises `OSError` where one does not come up."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(ANSWERS_WITHIN)
            asking.connect(str(self._socket))
            asking.sendall(f"{group} {first} {last}\n".encode())
            if asking.recv(16) != b"up\n":
                raise ConnectionError(f"spokes {first} to {last} did not come up")


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("socket", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("nat_port", type=int)
    parser.add_argument("network")
    parser.add_argument("each", type=int)
    parser.add_argument("groups", nargs="+")
    asked = parser.parse_args()
    hub = Place(asked.socket.parent, HUB, asked.port, asked.nat_port, asked.network)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(asked.socket, hub, spokes_of(asked.groups, asked.each)))


async def _serve(path: Path, hub: Place, spokes: Mapping[str, Sequence[Spoke]]) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Initiator([spoke for some in spokes.values() for spoke in some], hub) as initiator:

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if words := (await reader.readline()).decode().split():  # none: only whether somebody is here
                group, first, last = words
                await initiator.bring_up(spokes[group][int(first) : int(last)], at_once=1)
                writer.write(b"up\n")
            writer.close()

        async with await asyncio.start_unix_server(answer, path):
            gc.collect()  # as the daemon does
            gc.freeze()
            gc.set_threshold(*GARBAGE_THRESHOLDS)
            await stop.wait()


if __name__ == "__main__":
    main()
