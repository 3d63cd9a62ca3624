"""Where keys come from."""

import os
from pathlib import Path

import pytest

from ikevd.config.secrets import (
    MAX_SECRET,
    Found,
    FromCredential,
    FromEnvironment,
    FromFile,
    Inline,
    find,
    parse,
)
from ikevd.crypto.secret import Secret
from ikevd.owners import Account

US = Account.current()
MARKED = "tEll-nob0dy/MARKED+9137"


def inline(text: str) -> Found:
    return find(parse(text), Path(), {}, None, US)


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (MARKED, MARKED.encode()),
        ("0x00ff41", b"\x00\xffA"),
        ("0sAP9B", b"\x00\xffA"),
        ("pass w\N{LATIN SMALL LETTER O WITH DIAERESIS}rd", "pass w\N{LATIN SMALL LETTER O WITH DIAERESIS}rd".encode()),
        (12345, b"12345"),
        (True, b"true"),
    ],
)
def test_notations(value: object, key: bytes) -> None:
    found = find(parse(value), Path(), {}, None, US)
    assert found.key == Secret(key)
    assert found.origin == "inline"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("0x", "is empty"),
        ("0s", "is empty"),
        ("0x123", "begins with 0x, but what follows is not an even number of hexadecimal digits"),
        ("0x" + MARKED, "begins with 0x"),
        ("0s" + MARKED + "*", "begins with 0s, but what follows is not base64"),
        ("\ud800" + MARKED, "cannot be written in UTF-8"),
    ],
)
def test_bad_notations_show_nothing(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        inline(text)
    assert message in str(caught.value)
    assert MARKED not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "has no value; wanted {file: NAME}"),
        ([MARKED], "is a list"),
        ({}, "other keys than one of file, env or credential"),
        ({MARKED: None}, "other keys than one of"),
        ({"fil": "a.psk"}, "other keys than one of file, env or credential; did you mean 'file'?"),
        ({"environment": "PSK"}, "other keys than one of file, env or credential; wanted {file: NAME}"),
        ({"file": "a", "env": "b"}, "other keys than one of"),
        ({"file": None}, "file: has no name"),
        ({"file": ""}, "file: has no name"),
        ({"file": [MARKED]}, "file: has no name"),
        ({"file": "a\0b"}, "NUL"),
        ({"env": MARKED}, "env: wanted the name of an environment variable"),
        ({"credential": f"../{MARKED}"}, "without a folder"),
        ({"credential": ".."}, "without a folder"),
    ],
)
def test_shapes(value: object, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(value)
    assert message in str(caught.value)
    assert MARKED not in str(caught.value)


def test_inline_needs_a_private_file() -> None:
    with pytest.raises(ValueError, match=r"stands in the file itself, but x.yaml is open .* chmod 600 x.yaml"):
        find(Inline(Secret(b"x")), Path(), {}, "x.yaml is open to others; run: chmod 600 x.yaml", US)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"abc", b"abc"),
        (b"abc\n", b"abc"),
        (b"abc\r\n", b"abc"),
        (b"abc\n\n", b"abc\n"),
        (b"0x4142\n", b"AB"),
        (b"\xff\xfe\n", b"\xff\xfe"),
    ],
)
def test_file(tmp_path: Path, content: bytes, key: bytes) -> None:
    path = tmp_path / "a.psk"
    path.write_bytes(content)
    path.chmod(0o600)
    found = find(parse({"file": "a.psk"}), tmp_path, {}, "an exposed configuration does not matter here", US)
    assert found.key == Secret(key)
    assert found.origin == f"file {path}"


def test_files_that_are_refused(tmp_path: Path) -> None:
    def refused(name: str) -> str:
        with pytest.raises(ValueError) as caught:
            find(FromFile(name), tmp_path, {}, None, US)
        assert MARKED not in str(caught.value)
        return str(caught.value)

    open_file, large, empty = tmp_path / "open", tmp_path / "large", tmp_path / "empty"
    open_file.write_text(MARKED)
    open_file.chmod(0o604)
    large.write_bytes(b"x" * (MAX_SECRET + 1))
    large.chmod(0o600)
    empty.write_text("\n")
    empty.chmod(0o600)
    os.mkfifo(tmp_path / "fifo", 0o600)
    assert refused("absent") == f"there is no file {tmp_path}/absent"
    assert "mode 0604" in refused("open")
    assert "larger than" in refused("large")
    assert "is empty" in refused("empty")
    assert "not a regular file" in refused(".")
    assert "not a regular file" in refused("fifo")
    assert "cannot be opened" in refused("large/below")
    assert "cannot be read" in refused("/proc/self/mem")


def test_a_file_with_nearly_that_name_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "berlin.psk").touch()
    (tmp_path / "berlin.dir").mkdir()
    with pytest.raises(ValueError, match=rf"^there is no file {tmp_path}/berlim.psk; did you mean 'berlin.psk'\?$"):
        find(FromFile("berlim.psk"), tmp_path, {}, None, US)


def test_environment() -> None:
    assert find(FromEnvironment("PSK"), Path(), {"PSK": "0x41\n".strip()}, None, US).key == Secret(b"A")
    octets = os.fsdecode(b"\xff\xfe")
    assert find(FromEnvironment("PSK"), Path(), {"PSK": octets}, None, US).key == Secret(b"\xff\xfe")
    with pytest.raises(ValueError, match="environment variable PSK is not set"):
        find(FromEnvironment("PSK"), Path(), {}, None, US)


def test_credential(tmp_path: Path) -> None:
    (tmp_path / "berlin").write_text(f"{MARKED}\n")
    (tmp_path / "berlin").chmod(0o644)  # systemd guards the folder
    found = find(FromCredential("berlin"), Path(), {"CREDENTIALS_DIRECTORY": str(tmp_path)}, None, US)
    assert found.key == Secret(MARKED.encode())
    assert found.origin == "credential berlin"
    with pytest.raises(ValueError, match="LoadCredential=berlin"):
        find(FromCredential("berlin"), Path(), {}, None, US)
    with pytest.raises(ValueError, match="there is no file"):
        find(FromCredential("paris"), Path(), {"CREDENTIALS_DIRECTORY": str(tmp_path)}, None, US)


def test_the_form_of_a_key_is_told_as_it_was_written() -> None:
    assert inline(MARKED).form.description.startswith("23 characters (lower case letters, upper case letters, digits")
    assert inline("0x" + bytes(range(16)).hex()).form.description.startswith("16 octets, 128 bits")


def test_nothing_prints_a_key() -> None:
    assert MARKED not in repr(parse(MARKED))
    assert MARKED not in repr(inline(MARKED))
