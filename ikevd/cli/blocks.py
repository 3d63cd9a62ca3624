"""`ikevd blocks`: for the unit that runs before the network is there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from ikevd.boot.blocks import install
from ikevd.boot.file import read_blocks
from ikevd.errors import IkeError
from ikevd.host.policies import KernelPolicy
from ikevd.kernel.adapter import XfrmKernel
from ikevd.observe.words import say_error

OK, FAILED = 0, 1


def install_blocks(path: Path) -> int:
    """Exit code 1 where not all of it could be installed; what could be is."""
    try:
        policies = read_blocks(path)
        refused = asyncio.run(_install(policies))
    except IkeError as error:
        click.echo(say_error(error), err=True)
        return FAILED
    for why in refused:
        click.echo(why, err=True)
    click.echo(f"{len(policies) - len(refused)} policies of {path} stand")
    return FAILED if refused else OK


async def _install(policies: tuple[KernelPolicy, ...]) -> tuple[str, ...]:
    with XfrmKernel() as kernel:
        return await install(kernel, policies)
