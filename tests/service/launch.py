"""Become a program with the descriptors of a service manager, as systemd starts one (sd_listen_fds(3)).

`python -I -S launch.py NAME=DESCRIPTOR,... COMMAND...`: the descriptors move to 3 and up. LISTEN_PID and WATCHDOG_PID
name this process, which `exec` keeps.
"""

import fcntl
import os
import sys

FIRST = 3
OUT_OF_THE_WAY = 200


def take(handed: list[tuple[str, int]]) -> None:
    """Move the descriptors, each with its name, to where they belong, and say so in the environment."""
    aside = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, OUT_OF_THE_WAY) for _, descriptor in handed]
    for _, descriptor in handed:
        os.close(descriptor)
    for number, descriptor in enumerate(aside):
        os.dup2(descriptor, FIRST + number)
        os.close(descriptor)
    if handed:
        os.environ["LISTEN_FDS"] = str(len(handed))
        os.environ["LISTEN_FDNAMES"] = ":".join(name for name, _ in handed)
        os.environ["LISTEN_PID"] = str(os.getpid())
    os.environ["WATCHDOG_PID"] = str(os.getpid())


def main(handed: str, command: list[str]) -> None:
    """`handed` may be empty."""
    pairs = [pair.rpartition("=") for pair in handed.split(",") if pair]
    take([(name, int(number)) for name, _, number in pairs])
    os.execvp(command[0], command)  # noqa: S606  (what a service manager does)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
