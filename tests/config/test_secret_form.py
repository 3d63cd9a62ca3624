"""What is told about a key without telling it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikevd.config.secret_form import ALPHABET, Form, form, guessing_bits

RANDOM = [
    "0x" + bytes(range(16)).hex(),
    "kqzjxvbwnhmrtpdlgcsf",
    "q7Rz-Kd2_mXw9.PvT4bL",
    "q83vEjRWeJCrze8SNFZ4kA==",
    "tEll-nob0dy/MARKED+9137",
]


def looked_at(text: str) -> Form:
    """As a key is read: hexadecimal after 0x."""
    return form(bytes.fromhex(text[2:]), text=False) if text.startswith("0x") else form(text.encode(), text=True)


@pytest.mark.parametrize(
    ("text", "weakness"),
    [
        ("Sommer2026!", "is shorter than 20 characters"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "is made of few different characters"),
        ("12345678901234567890", "is made of few different characters"),
        ("0x0102030405", "is shorter than 16 octets"),
        ("0x" + "00" * 32, "is made of few different octets"),
        (" kqzjxvbwnhmrtpdlgcsf", "begins or ends with white space"),
        ("correct horse battery staple", "looks like words, runs or repetitions"),
        ("MySecretVpnPassword2026", "looks like words, runs or repetitions"),
        ("Qwertzuiop1234567890!asdf", "looks like words, runs or repetitions"),
        ("x7Kq9w!Zx7Kq9w!Zx7Kq9w!Z", "looks like words, runs or repetitions"),
        ("Berlin-Paris-VPN-Tunnel-2026", "looks like words, runs or repetitions"),
        *((text, None) for text in RANDOM),
    ],
)
def test_weakness(text: str, weakness: str | None) -> None:
    found = looked_at(text).weakness
    if weakness is None:
        assert found is None
    else:
        assert found is not None
        assert found.startswith(weakness)
        assert text not in found
        assert found.endswith(("?", "from: ikevd genpsk"))


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("abcd EFGH-1234\u00e4", "15 characters (lower case letters, upper case letters, digits, other signs, "),
        ("kqzjxvbwnhmrtpdlgcsf", "20 characters (lower case letters), about 94 bits if they were drawn at random"),
        ("correct horse battery staple", "; but it looks like words, runs or repetitions, about 59 bits"),
        ("0x" + "a7" * 32, "32 octets, 256 bits if they were drawn at random"),
    ],
)
def test_description(text: str, description: str) -> None:
    assert description in looked_at(text).description


def test_octets_that_are_no_text_are_octets() -> None:
    assert form(b"\xff\xfe" * 10, text=True).description.startswith("20 octets")


@given(seed=st.integers(0, 2**64))
def test_no_random_key_is_called_weak(seed: int) -> None:
    key = "".join(random.Random(seed).choices(ALPHABET, k=45))
    assert form(key.encode(), text=True).weakness is None
    assert guessing_bits(key) > 128


def test_few_random_keys_are_said_to_look_like_words() -> None:
    keys = ["".join(random.Random(seed).choices(ALPHABET, k=45)) for seed in range(2000)]
    assert not [key for key in keys if form(key.encode(), text=True).doubted]


def test_a_weak_key_is_doubted() -> None:
    for text in ("Sommer2026!", "0x0102030405", " kqzjxvbwnhmrtpdlgcsf", "correct horse battery staple"):
        assert looked_at(text).doubted


@given(text=st.text(min_size=1))
def test_any_text_has_a_form_that_does_not_hold_it(text: str) -> None:
    found = looked_at(f"mark{text}{text}kram")
    assert f"{text}{text}" not in (found.weakness or "") or len(text) < 4
    assert guessing_bits(text) >= 0
