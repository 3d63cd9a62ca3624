"""What a test wants of any foreign daemon: take one tunnel, bring it up, forget it."""

from __future__ import annotations

import subprocess
from typing import Protocol

from tests.interop.sites import Site


class PeerError(AssertionError):
    """The daemon refused, or did not succeed in time; the message has the end of its log."""


def stop(process: subprocess.Popen[bytes]) -> int:
    """End a daemon, by force after 10 s. Returns its exit code."""
    process.terminate()
    try:
        return process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


class Peer(Protocol):
    """One daemon in one namespace. All calls block."""

    def configure(self, site: Site) -> None:
        """Make the tunnel, as this gateway sees it, the whole configuration."""

    def bring_up(self) -> None:
        """Initiate and wait for the children. Raises `PeerError`."""

    def forget(self) -> None:
        """Back to the state after the start: no SAs, no connection."""

    def tail(self, lines: int = 40) -> str:
        """The log's end, for a message."""

    def version(self) -> str:
        """Name and version."""
