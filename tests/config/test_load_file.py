"""What can be wrong with the file as a whole; all problems come at once."""

from pathlib import Path

import pytest

from ikevd.config.load import load
from ikevd.errors import ConfigError
from tests.config.files import MARKED, MINIMAL, connection, problems, read


def test_unreadable_files(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "absent", "there is no file"), (tmp_path, "is not a regular file")):
        with pytest.raises(ConfigError, match=f"{path}:1:1: .*{message}"):
            load(path, {})
    with pytest.raises(ConfigError, match="the file cannot be read: Input/output error"):
        load(Path("/proc/self/mem"), {})
    with pytest.raises(ConfigError, match="larger than 16 MiB"):
        read(tmp_path, b"#" * (16 * 1024**2 + 1))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "ikevd.yaml:1:1: the file is empty; wanted at least `connections:`"),
        (b"# only this\n", "ikevd.yaml:1:1: the file is empty; wanted at least `connections:`"),
        (b"- a", "ikevd.yaml:1:1: the file is a list; wanted a mapping that begins with `connections:`"),
        (b"\n hello", "ikevd.yaml:2:2: the file is a single value; wanted a mapping that begins with `connections:`"),
        (b"{}", "ikevd.yaml:1:1: has no connections; wanted a mapping of names to peers"),
        (b"a: 1\n\xc3\xa9: \xff", "ikevd.yaml:2:4: the octet 0xff is not UTF-8; wanted a text in UTF-8"),
        (
            b"connections: {a: {b: {c: *x}}",
            "ikevd.yaml:2:1: wanted ',' or '}' here, to go on with the mapping or to end it "
            "(it begins on line 1, column 14)",
        ),
        (
            b"connections: *x",
            "ikevd.yaml:1:14: connections: aliases are not supported: write the value out, or quote text that begins "
            "with '*'",
        ),
    ],
)
def test_not_a_configuration(tmp_path: Path, text: bytes, problem: str) -> None:
    assert problems(tmp_path, text) == [problem]


def test_all_problems_at_once_in_file_order(tmp_path: Path) -> None:
    text = """\
connections:
  berlin:
    remot: 198.51.100.1
    psk: {file: nope.psk}
    ike_proposals: [aes256-sha256-modp2048, aes256-sha265-modp2048]
    children:
      lan: {local: 10.1.0.7/24, remote: 10.2.0.0/24}
      lan: {}
  paris:
    remote: any
    psk: 0x5
    children:
      lan: {local: 10.1.0.0/24, remote: 10.2.0.0/24, start: always}
log: {level: loud}
lmits: 3
"""
    assert problems(tmp_path, text) == [
        "ikevd.yaml:3:5: connections.berlin.remot: is not a known key; did you mean 'remote'?",
        "ikevd.yaml:4:10: connections.berlin.psk: there is no file nope.psk",
        "ikevd.yaml:5:45: connections.berlin.ike_proposals[1]: 'aes256-sha265-modp2048' has an unknown word 'sha265' "
        "(word 2, the hash); did you mean 'sha256'?",
        "ikevd.yaml:7:20: connections.berlin.children.lan.local: '10.1.0.7/24' has host bits set; wanted the subnet "
        "10.1.0.0/24, or the one host 10.1.0.7",
        "ikevd.yaml:8:7: connections.berlin.children.lan: is given twice; it stands on line 7 already",
        "ikevd.yaml:11:10: connections.paris.psk: the key begins with 0x, but what follows is not an even number of "
        "hexadecimal digits",
        "ikevd.yaml:13:61: connections.paris.children.lan.start: is always, but the remote is `any`, which cannot "
        "be called; wanted passive, or an address",
        "ikevd.yaml:14:14: log.level: is 'loud'; wanted debug, info, warning or error",
        "ikevd.yaml:15:1: lmits: is not a known key; did you mean 'limits'?",
    ]


def test_a_failing_connection_hides_no_other_problem(tmp_path: Path) -> None:
    text = connection(remote="x") + "  paris: {remote: 192.0.2.1, psk: [], children: {}}\n"
    assert len(problems(tmp_path, text)) == 3
    assert len(problems(tmp_path, MINIMAL.replace("198.51.100.1", "x").replace(MARKED, "[]"))) == 2
    assert len(problems(tmp_path, "connections: 5\nlisten: 5\n")) == 2
    assert len(problems(tmp_path, "connections: {a: 5, b: *x}\n")) == 2
