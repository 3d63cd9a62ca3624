"""Keys that may be something else than what was meant: no doubt shows the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.files import MARKED, connection, problems, read

WORD = "begins or ends with a quotation mark of a word processor, which belongs to the key as it stands"
QUOTED = "stands in quotes, which belong to the key as it stands; wanted it without them"
SECRETS = "looks like a line of ipsec.secrets; wanted the key alone, without quotes"
CISCO = "looks like a line of a Cisco configuration; wanted the key alone"
UTF16 = "is in UTF-16, so that every other octet of the key is zero; wanted a text in UTF-8"


def doubts(tmp_path: Path, text: str) -> list[str]:
    """The warnings at the key, without place and path."""
    warnings = read(tmp_path, text).warnings
    assert MARKED not in "".join(warnings)
    assert all(": connections.berlin.psk: " in warning for warning in warnings)
    return [warning.partition(".psk: ")[2] for warning in warnings]


def of_file(tmp_path: Path, octets: bytes) -> list[str]:
    key = tmp_path / "a.psk"
    key.write_bytes(octets)
    key.chmod(0o600)
    return doubts(tmp_path, connection(psk="{file: a.psk}"))


@pytest.mark.parametrize(
    ("content", "doubt"),
    [
        (f'"{MARKED}"\n'.encode(), QUOTED),
        (f"'{MARKED}'".encode(), QUOTED),
        (f"\u201c{MARKED}\u201d\n".encode(), WORD),
        (f"{MARKED}\u2019".encode(), WORD),
        (f'192.0.2.1 198.51.100.1 : PSK "{MARKED}"\n'.encode(), SECRETS),
        (f': PSK "{MARKED}"\n'.encode(), SECRETS),
        (f"gw.example @b: psk {MARKED}".encode(), SECRETS),
        (f'secret = "{MARKED}"'.encode(), "looks like a line of swanctl.conf; wanted the key alone, without quotes"),
        (f"crypto isakmp key {MARKED} address 192.0.2.1".encode(), CISCO),
        (f" ikev1 pre-shared-key {MARKED}".encode(), CISCO),
        (f"pre-shared-key {MARKED}".encode(), CISCO),
        (
            f"198.51.100.1 {MARKED}\n".encode(),
            "begins with an address and a blank, as a line of racoon's psk.txt does; wanted the key alone",
        ),
        (f"\ufeff{MARKED}\r\n".encode("utf-16-le"), UTF16),
        (f"\ufeff{MARKED}\n".encode("utf-16-be"), UTF16),
        (MARKED.encode("utf-16-le"), UTF16),
        (
            f"\ufeff{MARKED}\n".encode(),
            "begins with a byte order mark, which belongs to the key as it stands; wanted UTF-8 without one",
        ),
        (f"{MARKED}\n{MARKED}\n".encode(), "has more than one line, all of which are the key"),
    ],
)
def test_what_a_key_file_holds_is_doubted(tmp_path: Path, content: bytes, doubt: str) -> None:
    assert of_file(tmp_path, content) == [doubt]


@pytest.mark.parametrize(
    "content",
    [
        MARKED.encode(),
        f"{MARKED}\r\n".encode(),
        f"two words {MARKED}".encode(),
        b"0x" + bytes(range(1, 33)).hex().encode(),
        bytes(range(100, 132)),
        b"\xff\xfe" + bytes(range(100, 131)),
        f"it's {MARKED}".encode(),
        f"PSK: {MARKED}".encode(),
    ],
)
def test_other_key_files_are_not_doubted(tmp_path: Path, content: bytes) -> None:
    assert of_file(tmp_path, content) == []


@pytest.mark.parametrize(
    ("psk", "doubt"),
    [
        (f"\u201e{MARKED}\u201c", WORD),
        (f"'\"{MARKED}\"'", QUOTED),
        (f"'192.0.2.1 : PSK \"{MARKED}\"'", SECRETS),
        ("'{file: a.psk}'", "looks like {file: NAME}, but is a text; wanted it in braces and without quotes"),
        ("file:a.psk", "looks like {file: NAME}, but is a text; wanted it in braces and without quotes"),
        ("env:PSK", "looks like {env: NAME}, but is a text; wanted it in braces and without quotes"),
        ("credential:x", "looks like {credential: NAME}, but is a text; wanted it in braces and without quotes"),
        ("$PSK", "looks like a shell's variable or command, which nothing replaces here; wanted {env: NAME}"),
        ("'${PSK}'", "looks like a shell's variable or command, which nothing replaces here; wanted {env: NAME}"),
    ],
)
def test_what_stands_in_the_configuration_is_doubted(tmp_path: Path, psk: str, doubt: str) -> None:
    assert doubts(tmp_path, connection(psk=psk)) == [doubt]


def test_a_key_that_is_the_name_of_a_file_beside_it_is_doubted(tmp_path: Path) -> None:
    doubt = "is the key itself, but a file of that name is there; wanted {file: NAME} if the key is in it"
    (tmp_path / "sub").mkdir()
    for name in ("s.psk", "sub/s.psk", str(tmp_path / "s.psk")):
        (tmp_path / name).touch()
        found = doubts(tmp_path, connection(psk=name))
        assert found == [doubt], "and not that it is short, too"
        assert "s.psk" not in found[0], "the key"
    assert "shorter than 20 characters" in doubts(tmp_path, connection(psk="sub"))[0], "a folder is no key file"


# -- signs of word processors in the other values, and files in UTF-16 --------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        (
            "local_id",
            "\u201cgw.example\u201d",
            'stands in quotation marks of a word processor; wanted plain ones (") or',
        ),
        ("local", "\u2018192.0.2.1\u2019", "stands in quotation marks of a word processor; wanted plain ones"),
        ("aggressive", "\u00abtrue\u00bb", "stands in quotation marks of a word processor"),
        (
            "ike_proposals",
            "aes256\u2013sha256\u2013modp2048",
            "holds the character U+2013, which only looks like '-'; wanted '-'",
        ),
        ("remote", "192.0.2.10\u2212192.0.2.20", "holds the character U+2212, which only looks like '-'; wanted '-'"),
        ("ike_lifetime", "8\u00a0h", "holds the character U+00A0, which only looks like ' '; wanted ' '"),
    ],
)
def test_a_sign_of_a_word_processor_is_one_problem_at_its_place(
    tmp_path: Path, key: str, value: str, told: str
) -> None:
    found = problems(tmp_path, connection(**{key: value}))
    assert told in found[0]
    assert f": connections.berlin.{key}: " in found[0]
    assert len(found) == 1


def test_a_key_in_quotes_of_a_word_processor_is_told_what_was_meant(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, connection().replace("psk:", "\u201cpsk\u201d:"))
    assert found.endswith("is not a known key; did you mean 'psk'?")


def test_a_name_may_hold_a_dash(tmp_path: Path) -> None:
    assert read(tmp_path, connection(local_id="CN=gw \u2013 Berlin")).warnings == ()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_configuration_in_utf_16_is_told_so(tmp_path: Path, encoding: str) -> None:
    assert problems(tmp_path, connection().encode(encoding)) == [
        "ikevd.yaml:1:1: the file is in UTF-16; wanted a text in UTF-8"
    ]
