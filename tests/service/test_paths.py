"""One set of paths, Debian's, wherever they are named: commands, configuration, unit, container, man page."""

from __future__ import annotations

import tomllib
from pathlib import Path

from ikevd.cli.paths import CONFIG, SOCKET
from ikevd.policy.settings import Config, Control
from tests.service.test_unit import setting

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
STATE = Path("/var/lib/ikevd")


def test_the_defaults_are_debians() -> None:
    assert Path("/etc/ikevd/ikevd.yaml") == CONFIG
    assert Control().path == SOCKET == Path("/run/ikevd/control.sock")
    assert Config(()).runtime == SOCKET.parent


def test_the_unit_makes_the_folders_of_the_defaults() -> None:
    assert [Path("/etc", *setting("ConfigurationDirectory"))] == [CONFIG.parent]
    assert [Path("/run", *setting("RuntimeDirectory"))] == [SOCKET.parent]
    assert [Path("/var/lib", *setting("StateDirectory"))] == [STATE]
    assert setting("ExecStart") == [f"/usr/bin/ikevd run --config {CONFIG}"]


def test_the_container_has_the_folders_of_the_defaults() -> None:
    (line,) = [line for line in DOCKERFILE.splitlines() if "install -d" in line]
    assert {str(CONFIG.parent), str(SOCKET.parent), str(STATE)} <= set(line.split())
    assert f'"--config", "{CONFIG}"' in DOCKERFILE


def test_the_man_page_names_every_path() -> None:
    page = (ROOT / "man" / "ikevd.8").read_text()
    assert not [path for path in (CONFIG, SOCKET, SOCKET.parent / "journal", STATE) if f".It Pa {path}\n" not in page]


def test_the_container_is_given_all_that_the_wheel_is_made_of() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    needed = {"pyproject.toml", "LICENSE", "ikevd", project["project"]["readme"], *(Path(p).parts[0] for p in shared)}
    copied = {word for line in DOCKERFILE.splitlines() if line.startswith("COPY ") for word in line.split()[1:]}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert needed <= copied
    assert {f"!{name}" for name in needed} <= set(ignored)
    assert all((ROOT / name).exists() for name in needed)
