"""The API's client: standard library only, so that a command starts at once."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from ikevd.wording import Names

ANSWER_SECONDS = 10.0
SLACK_SECONDS = 5.0
RELOAD_SECONDS = 125.0
View = dict[str, Any]


class ControlError(Exception):
    """The daemon cannot be reached, or refuses; the message says which, in one sentence."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("ikevd", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        unix.settimeout(self.timeout)
        self.sock = unix
        unix.connect(str(self._path))


class Client:
    """One request for each call."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def version(self) -> View:
        """`{"version": …}` of the running daemon."""
        return self._get("/v1/version")

    def status(self, *, name: str | None = None, peer: str | None = None) -> View:
        """What stands: of one connection or child, with one peer, or all."""
        return self._get(f"/v1/status?{_query(name=name, peer=peer)}")

    def names(self, timeout: float | None = None) -> Names:
        """Of connections and children. `timeout` in seconds."""
        names: Names = self._get("/v1/names", timeout)["connections"]
        return names

    def trace(
        self,
        *,
        spi: str | None = None,
        connection: str | None = None,
        peer: str | None = None,
        last: int = 20,
        decode: bool = False,
    ) -> list[View]:
        """The newest records that fit, oldest first; with `decode` every message as a tree of its fields."""
        query = _query(spi=spi, connection=connection, peer=peer, last=last, decode=1 if decode else None)
        records: list[View] = self._get(f"/v1/trace?{query}")["records"]
        return records

    def capture(
        self, *, spi: str | None = None, connection: str | None = None, peer: str | None = None, last: int = 20
    ) -> bytes:
        """The messages of the newest records that fit, as a pcap file."""
        query = _query(spi=spi, connection=connection, peer=peer, last=last)
        with self._request("GET", f"/v1/capture?{query}", ANSWER_SECONDS) as response, _broken_off():
            return response.read()

    def keys(self, *, spi: str | None = None, connection: str | None = None, peer: str | None = None) -> list[str]:
        """Lines of Wireshark's `ikev1_decryption_table` for the ISAKMP SAs that stand and fit."""
        lines: list[str] = self._get(f"/v1/keys?{_query(spi=spi, connection=connection, peer=peer)}")["keys"]
        return lines

    def up(self, name: str, timeout: float) -> Iterator[View]:
        """Facts as they happen, then `{"event": "end", "ok": …, "cause": …}`. `timeout` in seconds."""
        return self._stream(f"/v1/up/{quote(name)}?timeout={timeout:g}", timeout)

    def down(self, name: str | None, timeout: float, *, in_clear: bool = False) -> Iterator[View]:
        """As `up`; without a name all connections. `in_clear`: its traffic may leave in the clear from then on."""
        target = "/v1/down" if name is None else f"/v1/down/{quote(name)}"
        query = _query(timeout=f"{timeout:g}", open=1 if in_clear else None)
        return self._stream(f"{target}?{query}", timeout)

    def rekey(self, name: str, timeout: float, *, phase1: bool = False) -> Iterator[View]:
        """As `up`. `phase1`: the ISAKMP SA also for a child."""
        query = _query(timeout=f"{timeout:g}", ike=1 if phase1 else None)
        return self._stream(f"/v1/rekey/{quote(name)}?{query}", timeout)

    def reset(self, name: str, timeout: float) -> Iterator[View]:
        """As `up`, of a connection."""
        return self._stream(f"/v1/reset/{quote(name)}?timeout={timeout:g}", timeout)

    def reload(self, *, dry_run: bool = False) -> View:
        """What the file changes; with `dry_run` nothing is done."""
        target = f"/v1/reload?{_query(dry_run=1 if dry_run else None)}"
        with self._request("POST", target, RELOAD_SECONDS) as response, _broken_off():
            answer: View = json.loads(response.read())
            return answer

    def _get(self, target: str, timeout: float | None = None) -> View:
        with self._request("GET", target, timeout or ANSWER_SECONDS) as response, _broken_off():
            answer: View = json.loads(response.read())
            return answer

    def _stream(self, target: str, timeout: float) -> Iterator[View]:
        with self._request("POST", target, timeout + SLACK_SECONDS) as response, _broken_off():
            for line in response:
                yield json.loads(line)

    @contextmanager
    def _request(self, method: str, target: str, timeout: float) -> Iterator[http.client.HTTPResponse]:
        with closing(_UnixConnection(self._path, timeout)) as connection:
            try:
                connection.request(method, target)
                response = connection.getresponse()
            except (FileNotFoundError, ConnectionRefusedError) as error:
                raise ControlError(f"is ikevd running? Nothing listens on its control socket {self._path}") from error
            except PermissionError as error:
                denied = f"permission denied for the control socket {self._path}"
                cure = "use sudo, or set control.owner; to look only, --socket with the path of control.read_only"
                raise ControlError(f"{denied}: {cure}") from error
            except BlockingIOError as error:
                raise ControlError(f"ikevd is busy: too many commands wait at {self._path}") from error
            except ConnectionError as error:
                closed = f"ikevd closed the connection to {self._path} without an answer"
                raise ControlError(f"{closed}: it stops just now, or others hold too many; try again") from error
            except TimeoutError as error:
                raise ControlError(f"ikevd does not answer on {self._path} within {timeout:g} s") from error
            except (OSError, http.client.HTTPException) as error:
                raise ControlError(f"control socket {self._path}: {error}") from error
            with closing(response):
                if response.status != http.client.OK:
                    raise ControlError(_reason(response))
                yield response


@contextmanager
def _broken_off() -> Iterator[None]:
    """While an answer is read: a daemon that ends in the middle of it, or that is none."""
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ControlError(f"the connection to ikevd broke off: {error}") from error


def _query(**wanted: str | int | None) -> str:
    return urlencode({key: value for key, value in wanted.items() if value is not None})


def _reason(response: http.client.HTTPResponse) -> str:
    try:
        return str(json.loads(response.read())["error"])
    except (ValueError, KeyError, TypeError):
        return f"ikevd answers {response.status} {response.reason}"
