"""The key log: for its owner alone, in Wireshark's form, and never in the way of an SA."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ikevd.errors import CannotStart, ConfigError
from ikevd.observe.keylog import KeyLog
from ikevd.sa.model import IsakmpSa
from tests.gateways import alice_and_bob, bring_up
from tests.virtual_time import run


def isakmp_sa() -> IsakmpSa:
    async def story() -> IsakmpSa:
        _, alice, _ = alice_and_bob()
        await bring_up(alice)
        return alice.session.live[0].sa

    return run(story())


def test_a_line_is_cookie_and_key_and_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    sa, file = isakmp_sa(), tmp_path / "keys"
    keys = KeyLog(file)
    keys.write(sa)
    keys.close()
    assert file.read_text() == f"{sa.cookies.initiator.hex()},{sa.cipher_key.reveal().hex()}\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_key_that_cannot_be_written_costs_the_line_and_not_the_sa(tmp_path: Path) -> None:
    keys = KeyLog(tmp_path / "keys")
    keys.close()
    keys.write(isakmp_sa())


def refused(path: Path) -> str:
    """Why; nothing was written."""
    with pytest.raises(ConfigError) as caught:
        KeyLog(path)
    return str(caught.value)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "keys").symlink_to(tmp_path / "elsewhere")
    assert refused(tmp_path / "keys") == f"key log {tmp_path}/keys: is a symbolic link"
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_with_another_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("before")
    (tmp_path / "keys").hardlink_to(tmp_path / "theirs")
    assert refused(tmp_path / "keys").endswith("keys has another name as well (a hard link); wanted a file of its own")
    assert (tmp_path / "theirs").read_text() == "before"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_file_or_folder_of_another_user_is_refused_and_stays_as_it_was(tmp_path: Path) -> None:
    """The file as a stranger puts it into /tmp beforehand, mode 666."""
    file = tmp_path / "keys"
    file.write_text("before")
    file.chmod(0o666)
    os.chown(file, 4711, 4711)
    assert refused(file) == f"key log {file}: {file} belongs to user 4711, who could change it; run: chown root {file}"
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("before", 0o666)
    (tmp_path / "folder").mkdir()
    os.chown(tmp_path / "folder", 4711, 4711)
    assert "folder belongs to user 4711" in refused(tmp_path / "folder" / "keys")
    assert not (tmp_path / "folder" / "keys").exists()


def test_a_file_of_ours_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "keys").touch(mode=0o644)
    KeyLog(tmp_path / "keys").close()
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600


def test_what_is_no_regular_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="key log /dev/null: not a regular file"):
        KeyLog(Path("/dev/null"))


def test_what_cannot_be_opened_is_told_with_what_mends_it() -> None:
    with pytest.raises(CannotStart, match=r"key log /nowhere/keys cannot be used: .*; make the folder /nowhere"):
        KeyLog(Path("/nowhere/keys"))
