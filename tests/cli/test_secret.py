"""`ikevd genpsk` and `ikevd fingerprint`."""

import math
import os
import random
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ikevd.cli.main import main
from ikevd.cli.secret import generate
from ikevd.config.secret_form import ALPHABET, form
from tests.plugins.secrets import MARK

FILE = f"""\
connections:
  berlin: {{remote: 198.51.100.1, psk: "{MARK}", children: {{lan: {{local: 10.1.0.0/24, remote: 10.2.0.0/24}}}}}}
  paris: {{remote: 198.51.100.2, psk: "{MARK}2", children: {{lan: {{local: 10.1.0.0/24, remote: 10.3.0.0/24}}}}}}
"""


def ikevd(*words: str) -> Result:
    return CliRunner().invoke(main, words)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "ikevd.yaml"
    path.write_text(FILE)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("bits", [128, 256, 512])
def test_a_key_is_long_enough_and_easy_to_carry(bits: int) -> None:
    key = ikevd("genpsk", "--bits", str(bits)).stdout.removesuffix("\n")
    assert set(key) <= set(ALPHABET)
    assert len(key) * math.log2(len(ALPHABET)) >= bits
    assert key != ikevd("genpsk", "--bits", str(bits)).stdout.removesuffix("\n")
    assert form(key.encode(), text=True).weakness is None


def test_no_key_is_made_that_check_would_doubt() -> None:
    for seed in range(500):
        key = generate(128, random.Random(seed))
        assert not form(key.encode(), text=True).doubted


class Repeating(random.Random):
    """Its first 23 signs are all the same."""

    left = 23

    def choice(self, signs: Sequence[str]) -> str:  # type: ignore[override]
        self.left -= 1
        return signs[0] if self.left >= 0 else super().choice(signs)


def test_a_doubtful_key_is_drawn_again() -> None:
    key = generate(128, Repeating(5))
    assert len(key) == 23
    assert key != ALPHABET[0] * 23


def test_no_sign_of_a_key_is_taken_for_another() -> None:
    assert len(set(ALPHABET)) == len(ALPHABET)
    assert not set(ALPHABET) & set("0Oo1lI")
    assert ALPHABET.isalnum()


def test_a_key_in_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    path, before = tmp_path / "berlin.psk", os.umask(0)
    try:
        result = ikevd("genpsk", "--output", str(path))
    finally:
        os.umask(before)
    assert result.exit_code == 0
    assert path.stat().st_mode & 0o777 == 0o600
    key = path.read_text()
    assert re.fullmatch(r"[A-Za-z2-9]{45}\n", key)
    assert key.strip() not in result.output
    assert "45 characters, about 261 bits; in the configuration: psk: {file: " in result.stdout


def test_a_key_in_a_folder_that_others_may_write_is_made_with_a_warning(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    result = ikevd("genpsk", "--output", str(tmp_path / "berlin.psk"))
    assert (result.exit_code, result.stderr) == (
        0,
        f"warning: {tmp_path} is open to everybody, who could put another file there (mode 0777); run: chmod go-w "
        f"{tmp_path}\n",
    )


@pytest.mark.parametrize("bits", [128, 256, 512])
def test_genpsk_and_check_tell_the_same_strength_which_is_what_was_asked_for(tmp_path: Path, bits: int) -> None:
    key = tmp_path / "berlin.psk"
    made = ikevd("genpsk", "--bits", str(bits), "--output", str(key)).stdout
    config = tmp_path / "ikevd.yaml"
    config.write_text(FILE.replace(f'"{MARK}"', "{file: berlin.psk}"))
    config.chmod(0o600)
    told = re.search(r"^connections\.berlin\.psk: .*", ikevd("check", "-c", str(config)).stdout, re.MULTILINE)
    assert told is not None
    strengths = [re.findall(r"(\d+ characters).*about (\d+) bits", text) for text in (made, told[0])]
    assert strengths[0] == strengths[1]
    assert bits <= int(strengths[0][0][1]) < bits + 6


def test_a_key_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "berlin.psk"
    path.write_text(MARK)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "absent")
    for existing in (path, link):
        result = ikevd("genpsk", "-o", str(existing))
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == f"{existing} exists; a key that is in use is not replaced\n"
    assert path.read_text() == MARK
    assert "cannot be written: No such file" in ikevd("genpsk", "-o", f"{tmp_path}/no/where").stderr


@pytest.mark.long
def test_both_ends_see_the_same_fingerprint_with_the_same_words(config: Path) -> None:
    first = ikevd("fingerprint", "berlin", "-c", str(config))
    assert first.exit_code == 0
    words = re.search(r'^salt "([a-z ]+)"', first.stdout)
    assert words is not None
    other = ikevd("fingerprint", "-c", str(config), "--salt", words[1].upper())
    berlin, paris = other.stdout.splitlines()[1:]
    assert berlin == first.stdout.splitlines()[1]
    assert re.fullmatch(r"berlin  \d\d \d\d \d\d \d\d", berlin)
    assert paris.removeprefix("paris   ") != berlin.removeprefix("berlin  ")
    assert MARK not in first.output + other.output


def test_words_that_are_no_salt_are_refused(config: Path) -> None:
    for salt in ("no such words", ""):
        result = ikevd("fingerprint", "-c", str(config), "--salt", salt)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "wanted the 4 words that `ikevd fingerprint` showed at the other end" in result.stderr


def test_a_fingerprint_of_what_is_not_there(config: Path) -> None:
    result = ikevd("fingerprint", "rome", "-c", str(config))
    assert (result.exit_code, result.stderr) == (1, "there is no connection rome; there are: berlin, paris\n")
    result = ikevd("fingerprint", "berlim", "-c", str(config))
    assert (result.exit_code, result.stderr) == (1, "there is no connection berlim; did you mean 'berlin'?\n")
    config.write_text("connections: {}")
    assert ikevd("fingerprint", "-c", str(config)).stderr == "there are no connections\n"
    config.write_text("connections: 5")
    assert "connections: is a single value" in ikevd("fingerprint", "-c", str(config)).stderr


def test_check_tells_the_form_of_each_key(config: Path) -> None:
    result = ikevd("check", "-c", str(config))
    assert re.search(r"^connections\.paris\.psk: \d+ characters \(", result.stdout, re.MULTILINE)
    assert MARK not in result.output
