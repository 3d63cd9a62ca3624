# One word per chore. All that the chores need they fetch themselves, on a fresh Debian 12 as
# root or with sudo. Nothing is installed but Python; the rest goes to .venv/ and .rig/.
SHELL := /bin/bash
SUDO  := $(shell [ "$$(id -u)" = 0 ] || echo sudo --preserve-env)
PY    := .venv/bin/python
RIG   := $(SUDO) tests/rig/rig
CODE  := ikevd tests bench tools demo/run

.PHONY: help setup setup-demo check test second-guest soak interop demo lock check-ranges docs clean
help:
	@echo "make setup   fetch what is needed (again: instant)"
	@echo "make check   lint, types and the fast tests; no root, under a minute"
	@echo "make test    check, what takes seconds, then the kernel and interop tests inside guests"
	@echo "make soak    what takes long: tests marked so, the fuzzers, lives in virtual time, these words on a bare Debian 12; root, some hours"
	@echo "make second-guest  what needs XFRM interfaces, on Debian's own kernel, emulated; part of make soak"
	@echo "make interop the whole interop matrix, about an hour: writes docs/interop.md"
	@echo "make demo    a tunnel, shown (fetches only what that needs)"
	@echo "make lock    renew the locks in requirements/ (then: make check-ranges)"
	@echo "make check-ranges  the fast tests with the lowest and the newest of what pyproject.toml allows"
	@echo "make docs    write the generated parts of the documentation"
	@echo "make clean   remove all of it"

setup: .venv/dev.stamp .rig/peers.stamp
setup-demo: .venv/run.stamp .rig/base.stamp

.venv/run.stamp: tests/setup pyproject.toml requirements/run.lock requirements/build.lock
	tests/setup run && touch $@
.venv/dev.stamp: tests/setup pyproject.toml requirements/dev.lock requirements/build.lock
	tests/setup dev && touch .venv/run.stamp $@
.rig/base.stamp: tests/rig/rig
	tests/rig/rig fetch base && touch $@
.rig/peers.stamp: tests/rig/rig | .rig/base.stamp
	tests/rig/rig fetch peers && touch $@
.rig/qemu.stamp: tests/rig/rig tests/rig/qemu.sh | .rig/base.stamp
	tests/rig/rig fetch qemu && touch $@
# Machines for the units of systemd, for make soak alone.
.rig/systemd-%.stamp: tests/systemd-root tests/debian-root requirements/run.lock | .rig/base.stamp
	$(SUDO) tests/systemd-root $* && touch $@

# What was compiled is kept, the tests with their rewritten asserts too: else each worker, each daemon of a test compiles anew.
check: export PYTHONDONTWRITEBYTECODE =
check: .venv/dev.stamp | build
	.venv/bin/ruff check --no-cache $(CODE)
	.venv/bin/ruff format --no-cache --check $(CODE)
	.venv/bin/mypy --strict $(CODE)
	tests/share check -m "not long and not soak" --ignore tests/kernel --ignore tests/interop

# What guests write and what stays of a run; the guests' other files are copy-on-write.
build:
	mkdir -p $@

test: setup check | build
	tests/share long -m "long and not soak" --ignore tests/kernel --ignore tests/interop
	$(SUDO) tests/rig/selftest
	$(SUDO) tests/guests; $(PY) -m tests.summary build/record/*.json

second-guest: setup .rig/qemu.stamp
	$(SUDO) tests/rig/selftest qemu
	$(SUDO) tests/second-guest

# What takes long: tests that are marked so (the units under a real systemd among them), 2000 examples of each property, the
# fuzzers, kills and long lives in virtual time, and the README's commands on a bare Debian 12.
soak: setup second-guest .rig/systemd-bookworm.stamp .rig/systemd-trixie.stamp | build
	$(PY) -m pytest -m soak --ignore tests/kernel --ignore tests/interop || [ $$? = 5 ] # 5: no fast test is marked so
	IKEVD_EXAMPLES=2000 $(PY) -m pytest -q -o timeout=1200 -m "hypothesis and not soak" --ignore tests/kernel --ignore tests/interop
	$(PY) -m tests.fuzz.run --executions 100000
	$(PY) -m tests.fuzz.live --messages 20000
	$(PY) -m tests.soak.kills --kills 10000
	$(PY) -m tests.soak.hours --hours 1000
	$(SUDO) GUESTS=2 SECONDS_AT_MOST=21600 tests/guests -m soak tests/kernel tests/interop
	$(SUDO) tests/bare-root

interop: setup
	$(RIG) run --timeout 14400 --out docs -- $(PY) -m tests.interop.matrix --all

demo: setup-demo | build
	$(RIG) run --timeout 110 --out build -- env PATH="$(CURDIR)/.venv/bin:$$PATH" demo/run

# The newest releases that the ranges of pyproject.toml allow, for every Python from 3.11 on.
LOCK = .venv/bin/uv --no-config pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
       --no-strip-extras --custom-compile-command "make lock"
lock: .venv/dev.stamp
	$(LOCK) pyproject.toml -o requirements/run.lock
	$(LOCK) pyproject.toml --group dev -c requirements/run.lock -o requirements/dev.lock
	$(LOCK) --group build -c requirements/dev.lock -o requirements/build.lock

check-ranges: .venv/dev.stamp
	tests/ranges

docs: .venv/dev.stamp
	$(PY) -m tools.json_docs
	$(PY) -m tools.man_page
	$(PY) -m tools.config_docs

clean:
	$(if $(wildcard .rig/systemd-*),$(SUDO) rm -rf --one-file-system .rig/systemd-*)
	rm -rf .venv .rig build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find ikevd tests -name __pycache__ -prune -exec rm -rf {} +
