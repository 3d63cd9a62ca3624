"""A lab for certificates, made by the `openssl` program once for each module."""

from __future__ import annotations

import shutil

import pytest

from tests.pki.lab import CA, END, GATEWAY, Lab, Member


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    if not shutil.which("openssl"):
        pytest.skip("openssl not found (package openssl)")
    return Lab(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def root(lab: Lab) -> Member:
    return lab.make("root", ext=CA)


@pytest.fixture(scope="module")
def sub(lab: Lab, root: Member) -> Member:
    return lab.make("sub", root, ext=CA)


@pytest.fixture(scope="module")
def gateway(lab: Lab, sub: Member) -> Member:
    return lab.make("gateway", sub, ext=END, alt=[f"DNS.1={GATEWAY}", "IP.1=192.0.2.1", "email.1=gw@example.net"])
