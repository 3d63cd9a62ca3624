"""Which start of the machine it is, by the unit or by the kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from ikevd.service.boot_id import BOOT_ID, boot_id

ONE = "0123456789abcdef0123456789abcdef"


def test_the_kernel_tells_it() -> None:
    assert boot_id({}) == BOOT_ID.read_text().strip().replace("-", "")


def test_the_unit_tells_it_where_the_kernel_is_hidden(tmp_path: Path) -> None:
    assert boot_id({"IKEVD_BOOT_ID": ONE}, tmp_path / "none") == ONE


@pytest.mark.parametrize("environ", [{}, {"IKEVD_BOOT_ID": "%b"}], ids=["nobody tells", "not what systemd writes"])
def test_where_nobody_tells_it_is_unknown(environ: dict[str, str], tmp_path: Path) -> None:
    assert boot_id(environ, tmp_path / "none") is None
