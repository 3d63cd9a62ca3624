"""`python -m bench COMMAND`: see README.md here."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
from collections.abc import Sequence

import uvloop

from bench import callgrind, start
from bench.children import children
from bench.dpd import dpd
from bench.handshakes import handshakes
from bench.instructions import instructions
from bench.latency import latency
from bench.looks import looks
from bench.reload import reload
from bench.restart import KERNELS, restart
from bench.scale import scale
from bench.sides import has_charon

COMMANDS = ("start", "handshake", "instructions", "latency", "children", "looks", "restart", "reload", "dpd", "scale")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is asked for, on the command line if not here, and print it."""
    asked = _parser().parse_args(arguments)
    if asked.command == "instructions" and not callgrind.has_callgrind():
        sys.exit(callgrind.HOW_TO_GET)
    charon = has_charon() and not asked.alone
    if not charon:
        print("ikevd alone. With charon: tests/rig/rig run --kernel host -- .venv/bin/python -m bench ...")
    if asked.command in ("start", "all"):
        start.main()
    if asked.command in ("dpd", "all"):
        print(dpd(tunnels=min(asked.tunnels, 200)), flush=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if asked.command in ("handshake", "all"):
            work = handshakes(rounds=asked.rounds, each=asked.each, charon=charon, netlink=asked.netlink)
            print(runner.run(work), flush=True)
        if asked.command == "instructions":
            work = instructions(groups=asked.groups, each=asked.each, settings=asked.setting)
            print(runner.run(work), flush=True)
        if asked.command in ("latency", "all"):
            print(runner.run(latency(each=2 * asked.each, charon=charon)), flush=True)
        if asked.command in ("children", "all"):
            print(runner.run(children(count=asked.children, charon=charon)), flush=True)
        if asked.command in ("looks", "all"):
            print(runner.run(looks(each=asked.each, tunnels=asked.tunnels)), flush=True)
        if asked.command in ("restart", "all"):
            print(runner.run(restart(tunnels=min(asked.tunnels, 5000), kernel=asked.kernel)), flush=True)
        if asked.command in ("reload", "all"):
            print(runner.run(reload(tunnels=min(asked.tunnels, 1000))), flush=True)
        if asked.command in ("scale", "all"):
            print(runner.run(scale(tunnels=asked.tunnels, charon=charon, settle=asked.settle)), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description="What ikevd costs, alone and beside charon.")
    parser.add_argument("command", choices=(*COMMANDS, "all"))
    parser.add_argument("--rounds", type=int, default=10, help="handshake: bursts for each suite and responder")
    parser.add_argument(
        "--each",
        type=int,
        default=30,
        help="handshake: handshakes in a burst; instructions: those counted; latency: half of them; looks: of a round",
    )
    parser.add_argument("--tunnels", type=int, default=10_000, help="scale, looks, restart, reload, dpd: how many")
    parser.add_argument("--children", type=int, default=1000, help="children: how many")
    parser.add_argument("--settle", action="store_true", help="scale: look again when ended exchanges are forgotten")
    parser.add_argument("--alone", action="store_true", help="without charon, though it is here")
    parser.add_argument("--netlink", action="store_true", help="handshake: both on the kernel of this machine")
    parser.add_argument("--kernel", choices=tuple(KERNELS), default="memory", help="restart: policies: one without ESP")
    parser.add_argument("--groups", nargs="+", default=["curve25519", "modp2048"], help="instructions: of these")
    parser.add_argument(
        "--setting", action="append", default=[], help="instructions: a further line of the daemon's configuration"
    )
    return parser


if __name__ == "__main__":
    gc.set_threshold(50_000, 20, 100)  # the initiator's cost is not measured, but it makes the bench slow
    main()
