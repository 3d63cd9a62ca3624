"""The blocks of the last good configuration: kept for the next start of this machine, and what stands of them since the
last one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ikevd.boot.blocks import blocks
from ikevd.boot.file import BLOCKS, read_blocks, write_blocks
from ikevd.errors import CannotStart
from ikevd.host.policies import KernelPolicy
from ikevd.kernel import surroundings
from ikevd.observe import log
from ikevd.policy.selectors import Network
from ikevd.policy.settings import Config


def keep_blocks(config: Config, environ: Mapping[str, str]) -> None:
    """For the next start of the machine."""
    if path := _file(environ):
        try:
            write_blocks(path, blocks(config, connected()))
        except CannotStart as error:
            log.warning(f"no blocks at the next start of this machine: {error}")


def at_boot(environ: Mapping[str, str]) -> tuple[KernelPolicy, ...]:
    """Those that stand since this machine's start, perhaps of another configuration."""
    path = _file(environ)
    if path is None or not path.exists():
        return ()
    try:
        return read_blocks(path)
    except CannotStart as error:
        log.warning(f"which blocks stand since the start of this machine is not known: {error}")
        return ()


def _file(environ: Mapping[str, str]) -> Path | None:
    """Their file, in the folder that StateDirectory= of the unit names; elsewhere there is no unit to install them."""
    folder = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(folder) / BLOCKS if folder else None


def connected() -> list[Network]:
    """The networks of this machine's interfaces, as far as they can be read."""
    here = surroundings.read()
    return [address.network for address in here.addresses] if here else []
