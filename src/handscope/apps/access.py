"""Who may ask: one rule for the service, the page and the camera's preview, and plain ASGI that applies it.

A page of another site can make a browser send requests here, and by DNS rebinding read the answers under a name of its
own. So a request must call this machine by a name it knows, and come from a page of the same host and port, or from no
page at all.
"""

from __future__ import annotations

import argparse
import hmac
import ipaddress
import json
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any

from handscope.errors import HandscopeError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Problem = tuple[int, str, str]
"""Status, code for programs and message of a refusal."""

AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:@/?#\\\s]+)(?::(\d{1,5}))?", re.IGNORECASE)
DEFAULT_PORTS = {"http": "80", "https": "443"}


def error_content(code: str, message: str) -> dict[str, dict[str, str]]:
    """Every error's JSON."""
    return {"error": {"code": code, "message": message}}


def add_allow_host(parser: argparse.ArgumentParser) -> None:
    """The option `--allow-host`."""
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another name under which browsers may ask, as behind a proxy; may be repeated",
    )


class Access:
    """The rule: which Host, Origin and Sec-Fetch-Site may ask, and with which bearer token if there is one.

    `host` is the address listened at: it and loopback's names may be asked for, any IP address too if it is all of
    them (0.0.0.0, ::), and `allowed_hosts`. HandscopeError for a name with a port and a token that no header can carry.
    """

    def __init__(self, host: str = "127.0.0.1", allowed_hosts: Sequence[str] = (), *, token: str | None = None) -> None:
        self._named = {_host(name) for name in allowed_hosts}
        self._hosts = self._named | {"localhost", host.lower()}
        self._everywhere = host == "" or _is_address(host, "is_unspecified")
        if token is not None and not re.fullmatch(r"[!-~]+", token):
            raise HandscopeError("the token must be of one or more printable ASCII characters without spaces")
        self._token = token

    def refusal(self, method: str, path: str, headers: Iterable[tuple[str, str]]) -> Problem | None:
        """What is wrong with a request, None if it may pass; names of headers in any case."""
        given: dict[str, list[str]] = {}
        for name, value in headers:
            given.setdefault(name.lower(), []).append(value.strip())
        hosts = given.get("host", [])
        asked = _authority(hosts[0], "http") if len(hosts) == 1 else None
        if asked is None or not self._knows(asked[0]):
            message = f"Host {', '.join(hosts)[:100]!r} is none of this machine's names; --allow-host NAME adds one"
            return 421, "unknown_host", message
        if any(not self._is_own(origin, hosts[0]) for origin in given.get("origin", [])):
            return 403, "foreign_origin", "pages of another host or port may not ask"
        opened = method in ("GET", "HEAD") and path == "/" and given.get("sec-fetch-dest") == ["document"]
        if not opened and any(site not in ("same-origin", "none") for site in given.get("sec-fetch-site", [])):
            return 403, "foreign_origin", "pages of another host or port may not ask; a link to / may be followed"
        if self._token is not None and not _bears(given.get("authorization", []), self._token):
            return 401, "unauthorized", "this needs the header Authorization: Bearer TOKEN with the right token"
        return None

    def _knows(self, host: str) -> bool:
        return (
            host in self._hosts
            or _is_address(host, "is_loopback")
            or (self._everywhere and _is_address(host, "version"))  # an address cannot be rebound
        )

    def _is_own(self, origin: str, host: str) -> bool:
        """Whether a page of `origin` was served under the Host `host`, or by a proxy under a name that is allowed."""
        scheme, separator, rest = origin.lower().partition("://")
        page = _authority(rest, scheme) if separator and scheme in DEFAULT_PORTS else None
        return page is not None and (page[0] in self._named or page == _authority(host, scheme))


class Guard:
    """ASGI middleware: what the rule refuses gets the rule's answer as JSON, a websocket is closed."""

    def __init__(self, app: App, *, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        problem = None
        if scope["type"] in ("http", "websocket"):
            headers = ((name.decode("latin1"), value.decode("latin1")) for name, value in scope["headers"])
            problem = self.access.refusal(scope.get("method", "CONNECT"), scope["path"], headers)
        if problem is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await send_problem(send, problem)


async def send_problem(send: Send, problem: Problem, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    """The answer to a request that is refused, with further headers."""
    status, code, message = problem
    content = json.dumps(error_content(code, message)).encode()
    about = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode()), *headers]
    if status == 401:
        about.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": about})
    await send({"type": "http.response.body", "body": content})


def _host(name: str) -> str:
    """A name given as `--allow-host`, as it is compared."""
    told = f"[{name}]" if _is_address(name, "version") and ":" in name else name
    found = AUTHORITY.fullmatch(told)
    if found is None or found[2] is not None:
        raise HandscopeError(f"--allow-host takes a host's name without scheme and port, got {name!r}")
    return found[1].strip("[]").lower()


def _authority(text: str, scheme: str) -> tuple[str, str] | None:
    """Host, lower case and without brackets, and port of `HOST[:PORT]`; None if it is no such thing."""
    found = AUTHORITY.fullmatch(text)
    return None if found is None else (found[1].strip("[]").lower(), found[2] or DEFAULT_PORTS[scheme])


def _is_address(host: str, attribute: str) -> bool:
    """Whether `host` is an IP address that has this attribute."""
    try:
        return bool(getattr(ipaddress.ip_address(host), attribute))
    except ValueError:
        return False


def _bears(authorizations: list[str], token: str) -> bool:
    """Whether the one Authorization header bears the token; takes as long wherever they differ."""
    scheme, _, given = authorizations[0].partition(" ") if len(authorizations) == 1 else ("", "", "")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
