"""The JSON Schema for editors and the page of all keys: current, and true of every file that we ship."""

import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ikevd.config.json_schema import schema, text
from ikevd.config.yaml_locations import read as read_yaml
from tests.config.files import CHILD, MARKED, MINIMAL, ROOT, connection, read
from tools import config_docs

SCHEMA = schema()
SHIPPED = sorted((ROOT / "config").rglob("*.yaml"))


def flaws(data: Any) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(data)]


def as_editors_read(text: str) -> Any:
    """YAML as an editor reads it: there `0600` is a number."""
    return yaml.safe_load(text)


def test_the_files_are_current() -> None:
    assert (ROOT / "config" / "ikevd.schema.json").read_text() == text(), "run: make docs"
    assert config_docs.PAGE.read_text() == config_docs.page(), "run: make docs"


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT / "config")))
def test_every_file_that_is_shipped_fits(path: Path) -> None:
    assert not flaws(as_editors_read(path.read_text()))
    assert not flaws(read_yaml(path.read_text()).data)
    modeline = re.search(r"^# yaml-language-server: \$schema=(\S+)$", path.read_text(), re.MULTILINE)
    assert modeline
    assert os.path.samefile(path.parent / modeline[1], ROOT / "config" / "ikevd.schema.json")


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        (MINIMAL.replace("remote: 198", "remot: 198"), "'remot' was unexpected"),
        (MINIMAL.replace("    psk:", "    # psk:"), "'psk' is a required property"),
        (connection(psk="{flie: a}"), "is not valid under any of the given schemas"),
        (connection(psk="{file: a, env: B}"), "is not valid under any of the given schemas"),
        (connection(aggressive="1"), "1 is not of type 'boolean'"),
        (connection(encap="always"), "'always' is not one of ['auto', 'force']"),
        (connection(ike_proposals="[]"), "is not valid under any of the given schemas"),
        (connection(children=f"{{a b: {CHILD}}}"), "'a b' does not match"),
        (MINIMAL + "limits: {secrets: 100}", "100 is greater than the maximum of 64"),
        ("listen: {port: 500}", "'connections' is a required property"),
    ],
)
def test_a_mistake_is_shown_in_the_editor(text: str, flaw: str) -> None:
    assert flaw in "".join(flaws(as_editors_read(text)))


def described() -> list[tuple[str, dict[str, Any]]]:
    sections = {"FileSection": SCHEMA, **SCHEMA["$defs"]}
    return [(f"{name}.{key}", one) for name, part in sections.items() for key, one in part["properties"].items()]


def test_every_key_has_a_line() -> None:
    for key, one in described():
        assert one.get("description"), key


def test_the_commented_example_names_every_key() -> None:
    text = (ROOT / "config" / "ikevd.yaml").read_text()
    for key, _ in described():
        assert re.search(rf"(?:^|[ {{,]){key.partition('.')[2]}:", text, re.MULTILINE), key


def test_the_defaults_that_it_shows_are_the_defaults(tmp_path: Path) -> None:
    shown = {name: defaults(part) for name, part in {"FileSection": SCHEMA, **SCHEMA["$defs"]}.items()}
    child = shown["ChildSection"] | {"local": "10.1.0.0/24", "remote": "10.2.0.0/24"}
    berlin = shown["ConnectionSection"] | {"remote": "198.51.100.1", "psk": MARKED, "children": {"lan": child}}
    berlin["retransmit"], berlin["dpd"] = shown["RetransmitSection"], shown["DpdSection"]
    file = shown["FileSection"] | {"connections": {"berlin": berlin}}
    for section in ("listen", "control", "limits", "log"):
        file[section] = shown[f"{section.capitalize()}Section"]
    assert not flaws(file)
    by_default = read(tmp_path, MINIMAL).config
    (there,) = read(tmp_path, yaml.safe_dump(file).replace("'0600'", "0600")).config.connections
    (here,) = by_default.connections
    assert (there.children, there.suites, there.lifetime, there.resend, there.dpd) == (
        here.children,
        here.suites,
        here.lifetime,
        here.resend,
        here.dpd,
    )
    assert (there.nat_keepalive, there.nat_methods, there.encap) == (here.nat_keepalive, here.nat_methods, here.encap)
    whole = read(tmp_path, yaml.safe_dump(file)).config
    assert (whole.listen, whole.control, whole.limits) == (by_default.listen, by_default.control, by_default.limits)


def defaults(section: dict[str, Any]) -> dict[str, Any]:
    return {
        key: list(one["default"]) if isinstance(one["default"], tuple) else one["default"]
        for key, one in section["properties"].items()
        if "default" in one
    }
