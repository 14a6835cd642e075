"""The guard of the lab: the page runs on somebody's own machine, and no other site, name or machine reaches it."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlencode

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_BODY = 32 * 2**20
MOST_HEADERS = 16 * 2**10
REQUESTS_A_SECOND = 500.0
"""How many requests are answered in a second, on average; a page that plays asks sixty times."""
SECURE = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
"""What every answer says to the browser."""


class Guard:
    """An ASGI application around another one, which only sees requests of its own page. What is not allowed is refused.

    hosts: what the Host header may say, with port: 127.0.0.1:8000, localhost:8000. A browser is let in by a link that holds a token, once;
    from then on by a cookie that no script reads and no other site sends. `link_token()` makes another one, for another browser; with
    `looks` that browser only looks: no action of it is accepted.
    """

    def __init__(self, application: Application, hosts: Collection[str], port: int, *, secure: bool = False) -> None:
        self.application, self.hosts, self.port = application, frozenset(hosts), port
        self.scheme = "https" if secure else "http"
        self.cookie = f"chainrule_lab_{port}"
        self._secret, self._looking = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        # A cookie of its own: in a browser that has both, the page that acts goes on acting.
        self._hall_cookie = f"{self.cookie}_hall"
        self._links: dict[str, bool] = {}
        self._left, self._asked = REQUESTS_A_SECOND, time.monotonic()

    def link_token(self, *, looks: bool = False) -> str:
        """A token of 256 bits that lets one browser in, once."""
        token = secrets.token_urlsafe(32)
        self._links[token] = looks
        return token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or has it answered."""
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
            return
        if scope["type"] != "http":
            await _close(scope, receive, send)
            return
        refused = self._refusal(scope)
        if refused is not None:
            await _answer(send, *refused)
            return
        if (entered := self._entered(scope)) is not None:
            location, looks = entered
            name, secret = (self._hall_cookie, self._looking) if looks else (self.cookie, self._secret)
            cookie = f"{name}={secret}; Path=/; HttpOnly; SameSite=Strict"
            await _answer(send, 303, "", {"location": location, "set-cookie": cookie})
            return
        if not self._has(scope, self.cookie, self._secret):
            if not self._has(scope, self._hall_cookie, self._looking):
                await _answer(
                    send, 403, "This page is opened by the link that the command has printed. Each link opens it once."
                )
                return
            if scope["method"] not in {"GET", "HEAD"}:
                await _answer(send, 403, "This page only looks.")
                return
        body = await _body(scope, receive)
        if body is None:
            await _answer(send, 413, f"more than {MOST_BODY} bytes")
            return
        await self.application(scope, _once(body, receive), _secured(send))

    # ---- who asks

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Why a request is refused, whoever sends it; None where it is not."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if sum(len(name) + len(value) for name, value in headers) > MOST_HEADERS:
            return 431, "headers too large"
        if self._is_too_fast():
            return 429, "too many requests"
        named = {name: [value.decode("latin-1") for key, value in headers if key.lower() == name.encode()] for name in _ONCE}
        if any(len(values) > 1 for values in named.values()):
            return 400, "a header twice"
        host, origin, site, kind = ("".join(named[name]) for name in _ONCE[:4])
        if host not in self.hosts:
            return 403, "unknown host"
        if named["origin"] and origin != f"{self.scheme}://{host}":
            return 403, "another origin"
        if named["sec-fetch-site"] and site not in {"same-origin", "none"}:
            return 403, "asked for by another site"
        if scope["method"] not in {"GET", "HEAD", "POST"}:
            return 405, "a method that is not known"
        if scope["method"] == "POST" and kind.partition(";")[0].strip().lower() != "application/json":
            return 415, "only application/json"
        return None

    def _is_too_fast(self) -> bool:
        now = time.monotonic()
        self._left = min(REQUESTS_A_SECOND, self._left + (now - self._asked) * REQUESTS_A_SECOND)
        self._asked = now
        if self._left < 1:
            return True
        self._left -= 1
        return False

    def _entered(self, scope: Scope) -> tuple[str, bool] | None:
        """Where a browser goes that came by a link which was not used yet, the same address without the token; and if it only looks."""
        if scope["method"] != "GET" or scope["path"] != "/":
            return None
        asked = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=20)
        given = asked.pop("token", [""])[0]
        found = [token for token in self._links if hmac.compare_digest(token.encode(), given.encode())]
        if not found:
            return None
        looks = self._links.pop(found[0])
        return f"/?{urlencode(asked, doseq=True)}" if asked else "/", looks

    def _has(self, scope: Scope, cookie: str, secret: str) -> bool:
        given = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"cookie"]
        try:
            cookies = SimpleCookie("; ".join(given))
        except CookieError:
            return False
        found = cookies.get(cookie)
        return found is not None and hmac.compare_digest(found.value.encode(), secret.encode())


_ONCE = ("host", "origin", "sec-fetch-site", "content-type", "content-length")
"""Headers that may stand once at most."""


def _secured(send: Send) -> Send:
    """Sends with what every answer says, and without what would let another site in."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [
                (name, value)
                for name, value in message.get("headers", ())
                if not name.lower().startswith(b"access-control-") and name.lower().decode("latin-1") not in _REPLACED
            ]
            own = [name.lower() for name, _ in kept]
            message["headers"] = kept + [(n.encode(), v.encode()) for n, v in SECURE.items() if n.encode() not in own]
        await send(message)

    return sent


_REPLACED = frozenset(SECURE) - {"cache-control"}


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """The whole body; None where it is longer than may be."""
    length = next((value for name, value in scope["headers"] if name.lower() == b"content-length"), b"0")
    if not length.isdigit() or int(length) > MOST_BODY:
        return None
    parts, size = list[bytes](), 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MOST_BODY:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


def _once(body: bytes, receive: Receive) -> Receive:
    """The body again, for the application; then whatever comes, such as the end of the connection."""
    given = False

    async def received() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return received


async def _answer(send: Send, status: int, text: str, more: dict[str, str] | None = None) -> None:
    headers = {"content-type": "text/plain; charset=utf-8", **SECURE, **(more or {})}
    start = {"type": "http.response.start", "status": status}
    await send({**start, "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]})
    await send({"type": "http.response.body", "body": text.encode()})


async def _close(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuses what is no request of HTTP: the lab holds no connection."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
