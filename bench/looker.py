"""One look at a daemon after the other until killed; a line on standard output for each. Costs next to nothing itself.

Run: `python -m bench.looker SOCKET PATH`.
"""

from __future__ import annotations

import socket
import sys


def look(path: str, target: str) -> int:
    """The octets of one answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: ikevd\r\nConnection: close\r\n\r\n".encode())
        count = 0
        while octets := connection.recv(1 << 20):
            count += len(octets)
        return count


def main() -> None:
    """Until killed."""
    while True:
        print(look(*sys.argv[1:]), flush=True)


if __name__ == "__main__":
    main()
