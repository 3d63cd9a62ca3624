"""What makes a key doubtful by its look: the marks of editors, and lines of other programs that hold more than the key.

Nothing that is said here holds the key or a part of it.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path

from ikevd.config.typography import QUOTES

UTF8_MARK = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
ALONE = "wanted the key alone"

_LINES = (
    (re.compile(r":\s*PSK\b", re.IGNORECASE), f"looks like a line of ipsec.secrets; {ALONE}, without quotes"),
    (re.compile(r"\s*secret\s*=", re.IGNORECASE), f"looks like a line of swanctl.conf; {ALONE}, without quotes"),
    (
        re.compile(r"\s*(crypto\s+isakmp\s+key|(ikev1\s+)?pre-shared-key)\s", re.IGNORECASE),
        f"looks like a line of a Cisco configuration; {ALONE}",
    ),
)
_INSTEAD = (
    (re.compile(r"\{?\s*file\s*:.*"), "looks like {file: NAME}, but is a text; wanted it in braces and without quotes"),
    (re.compile(r"\{?\s*env\s*:.*"), "looks like {env: NAME}, but is a text; wanted it in braces and without quotes"),
    (
        re.compile(r"\{?\s*credential\s*:.*"),
        "looks like {credential: NAME}, but is a text; wanted it in braces and without quotes",
    ),
    (
        re.compile(r"\$(\w+|\{\w+\}|\(.*\))"),
        "looks like a shell's variable or command, which nothing replaces here; wanted {env: NAME}",
    ),
)
"""Of a key that stands in the configuration itself."""


def of_text(octets: bytes) -> str | None:
    """Why a key as it was written, wherever it came from, is doubtful; goes on from the path: `looks like ...`."""
    if is_utf16(octets):
        return "is in UTF-16, so that every other octet of the key is zero; wanted a text in UTF-8"
    if octets.startswith(UTF8_MARK):
        return "begins with a byte order mark, which belongs to the key as it stands; wanted UTF-8 without one"
    text = octets.decode("utf-8", "replace").strip()
    for pattern, said in _LINES:
        if pattern.search(text):
            return said
    if _begins_with_an_address(text):
        return f"begins with an address and a blank, as a line of racoon's psk.txt does; {ALONE}"
    if text[:1] in QUOTES or text[-1:] in QUOTES:
        return "begins or ends with a quotation mark of a word processor, which belongs to the key as it stands"
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`":
        return "stands in quotes, which belong to the key as it stands; wanted it without them"
    return "has more than one line, all of which are the key" if len(text.splitlines()) > 1 else None


def of_inline(text: str, folder: Path) -> str | None:
    """Why a key that stands in the configuration itself, whose folder is `folder`, is doubtful."""
    for pattern, said in _INSTEAD:
        if pattern.fullmatch(text.strip()):
            return said
    if _names_a_file(folder, text):
        return "is the key itself, but a file of that name is there; wanted {file: NAME} if the key is in it"
    return None


def is_utf16(octets: bytes) -> bool:
    """Text of Latin letters in UTF-16, with or without a mark: every other octet is zero, and the rest printable."""
    body = octets[2:] if octets[:2] in UTF16_MARKS else octets
    if len(body) < len("ab".encode("utf-16-le")):
        return False
    even, odd = body[::2], body[1::2]
    letters = even if not any(odd) else odd if not any(even) else b""
    return bool(letters) and all(chr(octet).isprintable() or chr(octet).isspace() for octet in letters)


def _begins_with_an_address(text: str) -> bool:
    first, _, rest = text.strip().partition(" ")
    try:
        ip_address(first)
    except ValueError:
        return False
    return bool(rest.strip())


def _names_a_file(folder: Path, text: str) -> bool:
    try:
        return bool(text.strip(".")) and (folder / text).is_file()
    except (OSError, ValueError):
        return False
