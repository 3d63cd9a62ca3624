"""`python -m bench.responder CONFIG`: `ikevd run` with the kernel in memory; all else as shipped."""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import os
import signal
import time
from contextlib import nullcontext
from pathlib import Path

import uvloop

from ikevd.config.load import load
from ikevd.daemon import Machine, Options, serve
from ikevd.kernel.memory import MemoryKernel
from ikevd.observe import log


def main() -> None:
    """Serve until SIGTERM; with `--profile`, leave a profile of cProfile behind at SIGUSR1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--netlink", action="store_true", help="the kernel of this machine instead")
    parser.add_argument("--profile", type=Path)
    arguments = parser.parse_args()
    config = load(arguments.config, os.environ).config
    log.configure(config.log_format, config.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if arguments.profile:
            _profile(runner.get_loop(), arguments.profile)
        machine = Machine() if arguments.netlink else Machine(kernel=lambda: nullcontext(MemoryKernel()))
        runner.run(serve(config, Options(), os.environ, machine))


def _profile(loop: asyncio.AbstractEventLoop, file: Path) -> None:
    profile = cProfile.Profile(time.process_time)

    def end() -> None:
        profile.disable()
        profile.dump_stats(file)

    loop.add_signal_handler(signal.SIGUSR1, end)
    profile.enable()


if __name__ == "__main__":
    main()
