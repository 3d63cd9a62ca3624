"""Who holds the sockets, by what runs us and what the configuration says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ikevd.service.choose_holding import choose_holding
from ikevd.service.holding import Holding
from ikevd.service.notify import Notifier

SYSTEMD_252 = {"NOTIFY_SOCKET": "/run/systemd/notify"}
SYSTEMD_254 = {**SYSTEMD_252, "FDSTORE": "256"}


def chosen(environ: dict[str, str], folder: Path, *, process: bool) -> Holding:
    trouble: list[str] = []
    with Notifier(environ) as notifier:
        holding = choose_holding(notifier, environ, folder, trouble.append, process=process)
    assert not trouble
    holding.close()
    return holding


@pytest.mark.parametrize("process", [True, False])
@pytest.mark.parametrize(
    ("environ", "kind", "outlives_stop"),
    [(SYSTEMD_252, "service manager", False), (SYSTEMD_254, "service manager", True)],
    ids=["252", "254"],
)
async def test_systemd_holds_them_whatever_the_configuration_says_of_a_process(
    environ: dict[str, str], kind: str, outlives_stop: bool, process: bool, tmp_path: Path
) -> None:
    """Over a stop only from 254 on, which tells so by FDSTORE."""
    holding = chosen(environ, tmp_path, process=process)
    assert (holding.kind, holding.outlives_stop) == (kind, outlives_stop)


async def test_without_a_service_manager_a_process_of_ours_does(tmp_path: Path) -> None:
    holding = chosen({}, tmp_path, process=True)
    assert (holding.kind, holding.outlives_stop) == ("process", True)


async def test_nobody_does_where_the_configuration_wants_no_process(tmp_path: Path) -> None:
    holding = chosen({}, tmp_path, process=False)
    assert (holding.kind, holding.outlives_stop, holding.problem) == ("none", False, None)
