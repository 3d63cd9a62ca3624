"""No message, cause or `repr` shows a key, whatever the file."""

from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ikevd.config.schema import FileSection
from ikevd.errors import ConfigError
from tests.config.files import MARKED, MINIMAL, connection, problems, read


@pytest.mark.parametrize(
    "psk",
    [
        f"{MARKED}",
        f"{{{MARKED}}}",
        f"{{{MARKED}: x, {MARKED}: y}}",
        f"{{key: {MARKED}}}",
        f"{{file: {{x: {MARKED}}}}}",
        f"{{env: {MARKED}}}",
        f"{{credential: {MARKED}}}",
        f"[{MARKED}]",
        f"!{MARKED} x",
        f"&{MARKED} x",
        f"*{MARKED}",
        f'"{MARKED}',
        f"@{MARKED}",
        f"{MARKED}: x",
        f"x: {MARKED}",
        f"0x{MARKED}",
        f"0s{MARKED}=",
        f"\n      {MARKED}",
        f"\n      {MARKED}: {MARKED}",
        f"\n    {MARKED}",
        f"\t{MARKED}",
        f'"\\q{MARKED}"',
        f"|9\n {MARKED}",
    ],
)
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_no_message_shows_a_secret(tmp_path: Path, psk: str, mode: int) -> None:
    text = connection(psk=psk, ike_lifetime="8x")
    found = problems(tmp_path, text, mode)  # asserts it
    assert found


def test_no_chained_exception_holds_a_secret(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, connection(psk=MARKED, ike_lifetime="8x"))
    error: BaseException | None = caught.value
    while error is not None:
        assert MARKED not in repr(error) + str(error)
        error = error.__cause__ or error.__context__


def test_inline_key_needs_a_private_file(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, MINIMAL, mode=0o640)
    assert found == (
        "ikevd.yaml:4:10: connections.berlin.psk: stands in the file itself, but ikevd.yaml is open to its group or to "
        "others (mode 0640); run: chmod 600 ikevd.yaml; or keep the key in a file of its own"
    )


def test_no_repr_shows_a_secret(tmp_path: Path) -> None:
    loaded = read(tmp_path, MINIMAL)
    assert MARKED not in repr(loaded) + str(loaded.config)
    assert MARKED not in repr(FileSection.model_validate(yaml.safe_load(MINIMAL)))


# Whatever comes.

SOUP = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(["any", "10.1.0.0/24", "192.0.2.1", "8h", "aes256-sha256-modp2048", "auto", MARKED]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=5)
            | st.sampled_from(
                ["connections", "children", "psk", "remote", "local", "file", "listen", "port", "retransmit", "limits"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def only_config_errors(tmp_path: Path, octets: bytes) -> None:
    with suppress(ConfigError):
        read(tmp_path, octets)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(octets=st.binary() | st.text().map(str.encode) | st.text("abc:-[]{}&*!|>'\"\n #?,<").map(str.encode))
def test_any_octets_raise_only_config_error(tmp_path: Path, octets: bytes) -> None:
    only_config_errors(tmp_path, octets)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=SOUP)
def test_any_data_raises_only_config_error(tmp_path: Path, data: object) -> None:
    only_config_errors(tmp_path, yaml.safe_dump(data, allow_unicode=True).encode())
    only_config_errors(tmp_path, yaml.safe_dump({"connections": {"berlin": data}}).encode())
    only_config_errors(tmp_path, yaml.safe_dump({"connections": {"berlin": {"children": {"lan": data}}}}).encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(at=st.integers(0, len(MINIMAL)), piece=st.text(max_size=4) | st.sampled_from(list(":{}[]&*!|>'\"\n\t#,%@")))
def test_a_damaged_file_shows_no_secret(tmp_path: Path, at: int, piece: str) -> None:
    text = MINIMAL[:at] + piece + MINIMAL[at:]
    try:
        shown = repr(read(tmp_path, text))
    except ConfigError as error:
        shown = str(error)
    assert MARKED not in shown
