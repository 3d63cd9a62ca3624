"""The careful subset of YAML."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikevd.config.yaml_locations import MAX_DEPTH, Mark, YamlError, read


def test_locations_of_keys_and_values() -> None:
    located = read("a: 1\nb:\n  - x\n  - {c: [y]}\n")
    assert located.data == {"a": 1, "b": ["x", {"c": ["y"]}]}
    assert located.keys[("a",)] == Mark(1, 1)
    assert located.values[("a",)] == Mark(1, 4)
    assert located.values[("b", 0)] == Mark(3, 5)
    assert located.keys[("b", 1, "c")] == Mark(4, 6)
    assert located.values[("b", 1, "c", 0)] == Mark(4, 10)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("0", 0),
        ("500", 500),
        ("-7", -7),
        # YAML 1.1 would make something else of each of these:
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("True", "True"),
        ("null", "null"),
        ("~", "~"),
        ("0777", "0777"),
        ("0x10", "0x10"),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("12:30:00", "12:30:00"),
        ("2001-01-01", "2001-01-01"),
        ("1e3", "1e3"),
        ("1.8", "1.8"),
        (".inf", ".inf"),
        ("-0", "-0"),
        ("+1", "+1"),
        ("9" * 5000, "9" * 5000),
        ('"500"', "500"),
        ("'true'", "true"),
        ("|\n  500\n", "500\n"),
        ("", None),
    ],
)
def test_scalars(text: str, value: object) -> None:
    data = read(f"a: {text}").data
    assert data == {"a": value}
    assert isinstance(data, dict)
    assert type(data["a"]) is type(value)


@pytest.mark.parametrize(
    ("text", "mark", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", Mark(3, 1), "is given twice; it stands on line 1 already"),
        ("a: &x 1\n", Mark(1, 4), "anchors are not supported"),
        ("a: &x {b: 1}\n", Mark(1, 4), "anchors are not supported"),
        ("a: *x\n", Mark(1, 4), "aliases are not supported"),
        ("a: !!int 1\n", Mark(1, 4), "tags are not supported"),
        ("a: !x [1]\n", Mark(1, 4), "tags are not supported"),
        ("!x a: 1\n", Mark(1, 1), "tags are not supported"),
        ("<<: {a: 1}\n", Mark(1, 1), "merge keys are not supported"),
    ],
)
def test_refused_but_read_around(text: str, mark: Mark, message: str) -> None:
    ((_, where, what),) = read(text).problems
    assert where == mark
    assert message in what


def test_a_duplicate_changes_neither_data_nor_locations() -> None:
    located = read("a: {b: 1}\na: {b: 2, c: [3]}\n")
    assert located.data == {"a": {"b": 1}}
    assert located.values[("a", "b")] == Mark(1, 8)
    assert ("a", "c") not in located.values


@pytest.mark.parametrize(
    ("text", "mark", "message"),
    [
        ("a: b: c", Mark(1, 5), "a ':' is not allowed here"),
        ("\ta: 1", Mark(1, 1), "indent with spaces"),
        ("a: 'x\nb: 1\n", Mark(1, 4), "the quote that opens here is never closed"),
        (
            "a: [1\nb: 2",
            Mark(2, 2),
            "wanted ',' or ']' here, to go on with the list or to end it (it begins on line 1, column 4)",
        ),
        ("a: {b: ]", Mark(1, 8), "wanted"),
        ("- a\nb: c", Mark(2, 1), "wanted another '- ' item"),
        ("a: ]", Mark(1, 4), "wanted a value"),
        ("a: !x!y b", Mark(1, 4), "tags are not supported"),
        ("a: 1\n\N{LATIN SMALL LETTER E WITH ACUTE}: \x01", Mark(2, 4), "the character U+0001 is not allowed"),
        ("%FOO\n---\na: 1", Mark(1, 5), "this is not YAML: found unknown directive name"),
        ("? [a]\n: b", Mark(1, 3), "a list or mapping cannot be a key"),
        ("*a : b", Mark(1, 1), "an alias cannot be a key"),
        ("a: 1\n--- \nb: 2", Mark(2, 1), "a second document begins here"),
    ],
)
def test_unreadable(text: str, mark: Mark, message: str) -> None:
    with pytest.raises(YamlError) as caught:
        read(text)
    assert message in caught.value.message
    assert caught.value.mark == mark


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 999, 1_001, 10_000])
@pytest.mark.parametrize(
    ("deeper", "column"),
    [("[", MAX_DEPTH + 1), ("{a: ", 4 * MAX_DEPTH + 1), ("- ", 2 * MAX_DEPTH + 1), ("[{a: ", 5 * MAX_DEPTH // 2 + 1)],
)
def test_nesting_is_refused_in_the_same_words_whichever_layer_notices(deeper: str, column: int, depth: int) -> None:
    with pytest.raises(YamlError) as caught:
        read(deeper * depth)
    assert caught.value.message == f"lists and mappings are nested more than {MAX_DEPTH} deep"
    assert caught.value.mark == Mark(1, column)


def test_the_deepest_nesting_allowed_is_read() -> None:
    located = read("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert not located.problems


@pytest.mark.parametrize("text", ["", "# only a comment\n", "\n\n"])
def test_nothing(text: str) -> None:
    assert read(text).data is None


@given(st.text() | st.text("ab:-[]{}&*!|>'\"\n #?,<%@`"))
def test_any_text_is_read_or_raises_yaml_error(text: str) -> None:
    with suppress(YamlError):
        read(text)
