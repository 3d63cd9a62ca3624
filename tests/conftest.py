"""What every test may use."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import uvloop
from hypothesis import settings

PLUGINS = ("skips", "secrets", "record", "claims", "kernels")
pytest_plugins = [f"tests.plugins.{name}" for name in PLUGINS]

EXAMPLES = int(os.environ.get("IKEVD_EXAMPLES") or 40)
"""Of each property; `make soak` draws more."""
settings.register_profile("busy machine", deadline=None, max_examples=EXAMPLES)
settings.register_profile("the same every day", deadline=None, max_examples=EXAMPLES, derandomize=True)
settings.load_profile("the same every day" if os.environ.get("CI") else "busy machine")

gc.disable()  # until all tests are collected: nearly all that this makes stays

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell does to what it starts in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every async test runs on both event loops."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


def pytest_collection_finish() -> None:
    """The cycle collector leaves alone what lives as long as the run, the tests themselves: else that takes a tenth of
    the time. From now on it comes as often as usual, since tests measure memory."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def testdata() -> Path:
    """The shared test data, which lies outside the repository."""
    path = Path(os.environ.get("IKEVD_TESTDATA") or ROOT.parent / "shared" / "testdata")
    if not path.is_dir():
        pytest.skip("shared test data not found (set IKEVD_TESTDATA)")
    return path


@pytest.fixture(scope="session")
def in_rig() -> None:
    """Skips what must run inside the rig: root of a kernel with ESP, on a machine that nobody misses."""
    if "RIG_KERNEL" not in os.environ:
        pytest.skip("not inside the rig (use: make test)")
