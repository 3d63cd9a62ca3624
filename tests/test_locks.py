"""The locks: what `make setup`, CI and the image install, name for name and with hashes (`make lock` renews them)."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUN: list[str] = PROJECT["project"]["dependencies"]
DEV: list[str] = PROJECT["dependency-groups"]["dev"]
BUILD: list[str] = PROJECT["build-system"]["requires"]
LOCKS = {"run": RUN, "dev": RUN + DEV, "build": BUILD}

PINNED = re.compile(
    r"([a-z0-9.-]+(?:\[[a-z0-9,-]+\])?)==([^ ;]+)(?: ; [^\\]+)? \\\n"
    r"((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)(?:    #.*\n)+"
)
COMMENT = re.compile(r"#.*\n")


def locked(name: str) -> dict[str, str]:
    """Version of each package in a lock."""
    text = (ROOT / f"requirements/{name}.lock").read_text()
    return {package.partition("[")[0]: version for package, version, _ in PINNED.findall(text)}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_versions_with_hashes_and_nothing_else(name: str) -> None:
    text = (ROOT / f"requirements/{name}.lock").read_text()
    assert COMMENT.sub("", PINNED.sub("", text)) == ""


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_registry_and_no_file_of_some_machine(name: str) -> None:
    text = (ROOT / f"requirements/{name}.lock").read_text()
    assert not re.search(r"://|index-url|find-links| @ |/home|/tmp|/root", text)


@pytest.mark.parametrize(("name", "required"), [(name, each) for name in LOCKS for each in LOCKS[name]])
def test_every_requirement_of_the_project_is_locked_within_its_range(name: str, required: str) -> None:
    requirement = Requirement(required)
    assert requirement.specifier.contains(locked(name)[canonicalize_name(requirement.name)])


def extras() -> set[str]:
    """Packages that something installed here needs with an extra: `coverage[toml]`."""
    needed = (Requirement(text) for each in distributions() for text in each.requires or ())
    return {
        f"{canonicalize_name(one.name)}[{','.join(sorted(one.extras))}]"
        for one in needed
        if one.extras and (one.marker is None or one.marker.evaluate({"extra": ""}))
    }


def test_what_is_needed_with_an_extra_is_locked_with_it() -> None:
    """Else pip, asked for hashes, looks at the newest release of `coverage[toml]`, which has none in the lock."""
    text = (ROOT / "requirements/dev.lock").read_text()
    names = {package for package, _, _ in PINNED.findall(text)}
    bare = {package.partition("[")[0] for package in names}
    assert {each for each in extras() if each.partition("[")[0] in bare} <= names


@pytest.mark.parametrize(("narrow", "wide"), [("run", "dev"), ("build", "dev")])
def test_what_two_locks_share_has_one_version(narrow: str, wide: str) -> None:
    one, other = locked(narrow), locked(wide)
    assert {name: one[name] for name in one.keys() & other.keys()} == {
        name: other[name] for name in one.keys() & other.keys()
    }


def test_the_tests_run_with_all_that_the_daemon_needs() -> None:
    assert locked("run").keys() <= locked("dev").keys()


@pytest.mark.parametrize("required", [*RUN, *DEV, *PROJECT["project"]["optional-dependencies"]["fast"], *BUILD])
def test_every_range_has_a_lowest_release_that_can_be_tried(required: str) -> None:
    assert any(each.operator in (">=", "==") for each in Requirement(required).specifier), "make check-ranges"
