"""Configuration files for the tests: short ones that are right, with one thing replaced."""

from pathlib import Path

import pytest

from ikevd.config.load import Loaded, load
from ikevd.errors import ConfigError

MARKED = "tEll-nob0dy/MARKED+9137"
ROOT = Path(__file__).resolve().parents[2]

MARKED = "tEll-nob0dy/MARKED+9137"
ROOT = Path(__file__).resolve().parents[2]

CHILD = "{local: 10.1.0.0/24, remote: 10.2.0.0/24}"
MINIMAL = f"""\
connections:
  berlin:
    remote: 198.51.100.1
    psk: {MARKED}
    children:
      lan: {CHILD}
"""


def read(tmp_path: Path, text: str | bytes, mode: int = 0o600, **environ: str) -> Loaded:
    path = tmp_path / "ikevd.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return load(path, environ)


def problems(tmp_path: Path, text: str | bytes, mode: int = 0o600, **environ: str) -> list[str]:
    """The problems, without the path of the folder."""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text, mode, **environ)
    assert MARKED not in str(caught.value)
    assert "pydantic" not in str(caught.value)
    return [problem.replace(f"{tmp_path}/", "") for problem in caught.value.problems]


def connection(**keys: str) -> str:
    """MINIMAL with some keys of the connection replaced."""
    parts = {"remote": "198.51.100.1", "psk": MARKED, "children": f"{{lan: {CHILD}}}"} | keys
    return "connections:\n  berlin:\n" + "".join(f"    {key}: {value}\n" for key, value in parts.items())


def child(**keys: str) -> str:
    """MINIMAL with some keys of the child replaced."""
    parts = {"local": "10.1.0.0/24", "remote": "10.2.0.0/24"} | keys
    lines = "".join(f"        {key}: {value}\n" for key, value in parts.items())
    return MINIMAL.replace(f" {CHILD}\n", f"\n{lines}")


def peers(*bodies: str) -> str:
    """Connections p0, p1, ... with a network of its own each."""
    return "connections:\n" + "".join(
        f"  p{i}: {{{body}, psk: {MARKED}, children: {{c: {{local: 10.1.0.0/24, remote: 10.2.{i}.0/24}}}}}}\n"
        for i, body in enumerate(bodies)
    )
