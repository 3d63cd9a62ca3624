"""Sockets that cannot take ESP out of UDP say so. That ESP passes is tested in tests/kernel."""

import socket

import pytest

from ikevd.errors import KernelRefused
from ikevd.kernel.encapsulation import take_esp


def test_a_socket_that_cannot_receive_esp_is_refused() -> None:
    said = r"cannot receive ESP in UDP \(UDP_ENCAP, for NAT traversal\)"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, pytest.raises(KernelRefused, match=said):
        take_esp(tcp)
