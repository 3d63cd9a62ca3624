"""docs/algorithms.md from the table: `python -m tests.policy.algorithms_page > docs/algorithms.md`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ikevd.config.schema_child import DEFAULT_ESP_PROPOSALS
from ikevd.config.schema_connection import DEFAULT_IKE_PROPOSALS
from ikevd.policy.algorithms import ESP_CIPHERS, GROUPS, IKE_CIPHERS, INTEGRITIES, CipherRow
from ikevd.policy.proposals import ALIASES

HEAD = """\
# Algorithms

Written by `python -m tests.policy.algorithms_page`, and checked by a test. Numbers are those of
https://www.iana.org/assignments/ipsec-registry. A proposal is a line of words, as strongSwan spells them:

- `ike_proposals`: cipher, hash, group: `aes256-sha256-modp2048`
- `esp_proposals`: cipher, integrity, and for perfect forward secrecy a group: `aes256-sha256-modp2048`; a cipher that
  authenticates by itself takes no integrity: `aes256gcm16`, `aes256gcm16-modp2048`
- `ah_proposals`: integrity, and a group likewise: `sha256`, `sha256-modp2048`
- of both, `esn` at the end: sequence numbers of 64 bits

What has a warning is used only where a connection names it, and `ikevd check` then says so. SHA-1 and group 5 stand
last in the default for old gateways, without a word.
"""


def _cells(row: Iterable[object]) -> str:
    return f"| {' | '.join(str(cell) for cell in row)} |"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield _cells(head)
    yield "|" + "---|" * len(head)
    yield from map(_cells, rows)


def _words(row: CipherRow) -> str:
    words = [word for word, _ in row.words()]
    return ", ".join(f"`{word}`" for word in words) if len(words) <= 3 else f"`{words[0]}` to `{words[-1]}`, by 8"


def _rfc(number: str) -> str:
    return f"RFC {number}"


def _ciphers() -> Iterator[Sequence[object]]:
    for row in dict.fromkeys([*IKE_CIPHERS.values(), *ESP_CIPHERS.values()]):
        numbers = [int(number) if number else "" for number in (row.ike, row.esp)]
        salt, icv = row.salt_octets or "", row.icv_bits or ""
        yield _words(row), *numbers, f"`{row.kernel}`", salt, icv, _rfc(row.rfc), row.weak


def page() -> str:
    """The text of docs/algorithms.md."""
    lines = [HEAD, "## Ciphers", ""]
    lines += _table(("words", "IKE", "ESP", "kernel", "salt (octets)", "ICV (bits)", "source", "warning"), _ciphers())
    lines += [
        "",
        "A Key Length that is left out where there could be one reads as 128.",
        "",
        "## Hash and integrity",
        "",
    ]
    lines += _table(
        ("word", "IKE", "ESP", "AH", "kernel", "key (octets)", "ICV (bits)", "source", "warning"),
        (
            (
                f"`{row.word}`",
                int(row.ike) if row.ike else "",
                int(row.esp),
                int(row.ah),
                f"`{row.kernel}`",
                row.key_octets,
                row.icv_bits,
                _rfc(row.rfc),
                row.weak,
            )
            for row in INTEGRITIES.values()
        ),
    )
    lines += ["", "`sha256_96: true` in a connection cuts `sha256` of ESP to 96 bits.", "", "## Groups", ""]
    rows = ((f"`{row.word}`", int(row.group), _rfc(row.rfc), row.weak) for row in GROUPS.values())
    lines += _table(("word", "number", "source", "warning"), rows)
    lines += [
        "",
        "The number is a word, too: `group14` (Cisco) and `dh14` (libreswan) mean `modp2048`, as which it is shown.",
        "",
        "## Other words for the same",
        "",
    ]
    lines += _table(("word", "means"), ((f"`{word}`", f"`{meant}`") for word, meant in ALIASES.items()))
    lines += ["", "## Defaults", "", "`ike_proposals`, best first:", ""]
    lines += [f"- `{text}`" for text in DEFAULT_IKE_PROPOSALS]
    lines += ["", "`esp_proposals`, best first:", "", *(f"- `{text}`" for text in DEFAULT_ESP_PROPOSALS), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(), end="")
