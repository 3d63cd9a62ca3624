"""Swap areas that nothing encrypts, on machines made of files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ikevd.kernel.swap import plain_swaps

HEAD = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


class Disks:
    """Swap files on a device that the test describes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.devices = folder / "block"
        self.swap = folder / "swäp file"
        self.swap.touch()
        number = self.swap.stat().st_dev
        self.own = self.devices / f"{os.major(number)}:{os.minor(number)}"
        self.list(self.swap)

    def list(self, *paths: Path) -> None:
        lines = (f"{str(path).replace(' ', chr(92) + '040')} file 1024 0 -2\n" for path in paths)
        (self.folder / "swaps").write_text(HEAD + "".join(lines))

    def make(self, device: Path, uuid: str = "") -> Path:
        (device / "dm").mkdir(parents=True)
        if uuid:
            (device / "dm" / "uuid").write_text(f"{uuid}\n")
        return device

    @property
    def plain(self) -> tuple[str, ...]:
        return plain_swaps(self.folder / "swaps", self.devices)


@pytest.fixture
def disks(tmp_path: Path) -> Disks:
    return Disks(tmp_path)


def test_a_file_on_a_plain_device_is_plain(disks: Disks) -> None:
    disks.make(disks.own)
    assert disks.plain == (str(disks.swap),)


def test_a_file_on_an_encrypted_device_is_not(disks: Disks) -> None:
    disks.make(disks.own, "CRYPT-LUKS2-0123-swap")
    assert disks.plain == ()


@pytest.mark.parametrize(("second", "plain"), [("CRYPT-LUKS2-2", False), ("LVM-2", True)])
def test_a_volume_is_encrypted_if_all_below_it_is(disks: Disks, second: str, plain: bool) -> None:
    disks.make(disks.own, "LVM-0123")
    disks.make(disks.own / "slaves" / "dm-0", "CRYPT-LUKS2-1")
    disks.make(disks.own / "slaves" / "dm-1", second)
    assert bool(disks.plain) == plain


def test_what_swaps_into_memory_and_what_is_out_of_sight_is_passed_over(disks: Disks, tmp_path: Path) -> None:
    zram = tmp_path / "zram0"
    zram.touch()
    disks.list(zram, tmp_path / "none")
    assert disks.plain == ()


def test_a_machine_without_swap_has_none(disks: Disks, tmp_path: Path) -> None:
    disks.list()
    assert disks.plain == ()
    assert plain_swaps(tmp_path / "none") == ()
