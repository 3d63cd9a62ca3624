"""Where certificates and keys are read from."""

from __future__ import annotations

from pathlib import Path

import pytest

from ikevd.config.certificate_files import read
from ikevd.config.secrets import FromCredential, FromFile
from ikevd.owners import Account

ME = Account.current()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gw.pem").write_text("x")
    (tmp_path / "gw.pem").chmod(0o640)
    return tmp_path


def test_a_file_is_looked_for_beside_the_configuration(folder: Path) -> None:
    assert read(FromFile("gw.pem"), folder, {}, ME, secret=False).origin == f"file {folder}/gw.pem"


def test_a_file_with_a_key_must_be_closed_to_others(folder: Path) -> None:
    with pytest.raises(ValueError, match="chmod 600"):
        read(FromFile("gw.pem"), folder, {}, ME, secret=True)


def test_a_credential_is_guarded_by_systemd(folder: Path) -> None:
    found = read(FromCredential("gw.pem"), Path("/"), {"CREDENTIALS_DIRECTORY": str(folder)}, ME, secret=True)
    assert (found.data, found.origin) == (b"x", "credential gw.pem")


def test_without_systemd_there_is_no_credential(folder: Path) -> None:
    with pytest.raises(ValueError, match="wanted LoadCredential=gw:"):
        read(FromCredential("gw"), folder, {}, ME, secret=True)
