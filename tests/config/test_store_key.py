"""The key that seals the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.files import MINIMAL, problems, read

LONG = "x" * 32


def key_file(tmp_path: Path, text: str = LONG) -> str:
    file = tmp_path / "store.key"
    file.write_text(text)
    file.chmod(0o600)
    return "store_key: {file: store.key}\n"


def test_it_is_read_as_a_pre_shared_key_is(tmp_path: Path) -> None:
    config = read(tmp_path, MINIMAL + "store_key: {env: STORE}", STORE=LONG).config
    assert config.store_key is not None
    assert config.store_key.reveal() == LONG.encode()
    assert LONG not in repr(config)


def test_without_it_the_store_is_not_sealed(tmp_path: Path) -> None:
    assert read(tmp_path, MINIMAL).config.store_key is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"store_key: {LONG}", "stands in the file itself; wanted {file: NAME}, {env: NAME} or {credential: NAME}, on"),
        ("store_key: {env: NOBODY_SET_IT}", "store_key: the environment variable NOBODY_SET_IT is not set"),
        ("store_key: {flie: x}", "store_key: is a mapping with other keys than one of file, env or credential"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, line: str, message: str) -> None:
    (found,) = problems(tmp_path, MINIMAL + line)
    assert message in found
    assert LONG not in found


def test_a_short_one_is_refused(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, MINIMAL + key_file(tmp_path, "x" * 31))
    assert "store_key: is shorter than 32 octets; wanted as many of chance (`ikevd genpsk` makes them)" in found


@pytest.mark.parametrize(("runtime", "warned"), [("{here}/run", True), ("/proc/1", False)])
def test_a_key_on_the_same_disk_as_what_it_seals_is_warned_of(tmp_path: Path, runtime: str, warned: bool) -> None:
    text = MINIMAL + key_file(tmp_path) + f"runtime_directory: {runtime.format(here=tmp_path)}\n"
    told = [warning for warning in read(tmp_path, text).warnings if "store_key" in warning]
    assert len(told) == warned
    assert all(f"is on the same disk as {tmp_path}/run: who has the one has the other" in one for one in told)
