"""The server of the lab: an ASGI application on this machine alone, behind the guard; a route is a reading or an action of the desk."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chainrule.errors import ChainruleError
from chainrule.lab.desk import Desk
from chainrule.lab.guard import Guard
from chainrule.views.live import SCRIPT as VIEW_SCRIPT
from chainrule.views.page import CSS
from chainrule.views.svg import look

PAGE = Path(__file__).with_name("page")
LOOK, LONGEST_WAIT = 0.02, 0.5
"""How often it is looked whether there is another frame, and how long a page may wait for one, in seconds."""
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def page_files() -> dict[str, bytes]:
    """The page, a closed list: its own files by name, the script that draws views, and the look of drawings and explanations."""
    files = {file.name: file.read_bytes() for file in sorted(PAGE.iterdir()) if file.suffix in KINDS}
    return {**files, "view.js": VIEW_SCRIPT.read_bytes(), "look.css": f"{look()}\n{CSS}".encode()}


async def _version(desk: Desk, known: str | None) -> str:
    """The version of what there is to be drawn; a page at rest, which knows that one, waits a moment for another."""
    asked = time.monotonic()
    while (version := desk.version()) == known and time.monotonic() - asked < LONGEST_WAIT:
        await asyncio.sleep(LOOK)
    return version


def application(desk: Desk) -> Starlette:
    """The routes. None takes a path, a template or code; GETs change nothing."""

    def asset(name: str, content: bytes) -> Route:
        kind = KINDS[Path(name).suffix]

        async def answer(request: Request) -> Response:
            return Response(content, media_type=f"{kind}; charset=utf-8")

        return Route("/" if name == "index.html" else f"/{name}", answer, methods=["GET"])

    async def frame(request: Request) -> Response:
        known = request.query_params.get("after")
        version = await _version(desk, known if "wait" in request.query_params else None)
        if version == known:
            return Response(status_code=204)
        content = await asyncio.to_thread(desk.frame, beside="beside" in request.query_params)
        return Response(content, media_type="application/octet-stream", headers={"x-version": version})

    async def act(request: Request) -> Response:
        given: Any = await request.json()
        if not isinstance(given, dict):
            return _error(400, "the body is no object")
        asked = cast("Mapping[str, Any]", given)
        arguments: Any = asked.get("with", {})
        if not isinstance(asked.get("do"), str) or not isinstance(arguments, dict):
            return _error(400, 'write {"do": NAME, "with": {...}}')
        return JSONResponse(await asyncio.to_thread(desk.act, asked["do"], cast("Mapping[str, Any]", arguments)))

    def reading(name: str) -> Route:
        async def answer(request: Request) -> Response:
            given: Any = json.loads(request.query_params.get("with", "{}"))
            if not isinstance(given, dict):
                return _error(400, "write ?with={...}")
            return _json(await asyncio.to_thread(desk.read, name, cast("Mapping[str, Any]", given)))

        return Route(f"/{name}", answer, methods=["GET"])

    routes = [
        *(asset(name, content) for name, content in page_files().items()),
        Route("/frame", frame, methods=["GET"]),
        *map(reading, desk.readings),
        Route("/act", act, methods=["POST"]),
    ]
    handlers: dict[Any, Any] = {
        ChainruleError: _refused,
        ValueError: _unreadable,
        TypeError: _unreadable,
        RecursionError: _unreadable,
        Exception: _failed,
    }
    return Starlette(routes=routes, exception_handlers=handlers)


def _json(value: Any) -> Response:
    return Response(json.dumps(value, allow_nan=False), media_type="application/json")


def _error(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status_code=status)


async def _refused(request: Request, error: Exception) -> Response:
    """What the library says of a wrong wish, as it says it."""
    return _error(422, str(error))


async def _unreadable(request: Request, error: Exception) -> Response:
    return _error(400, "a request that cannot be read")


async def _failed(request: Request, error: Exception) -> Response:
    return _error(500, f"a fault of the lab: {type(error).__name__}")


class Lab:
    """The lab on a free port of this machine. `link` opens it, once; `serve` answers until Ctrl-C."""

    def __init__(self, desk: Desk, port: int = 0) -> None:
        self.desk = desk
        self.socket = _listening(port)
        self.port = int(self.socket.getsockname()[1])
        self.guard = Guard(application(desk), _names(self.port), self.port)
        config = uvicorn.Config(
            cast("Any", self.guard), log_level="critical", access_log=False, server_header=False, date_header=False, lifespan="off",
            limit_concurrency=64, timeout_keep_alive=10, h11_max_incomplete_event_size=2**14, ws="none",
        )  # fmt: skip
        self.server = uvicorn.Server(config)

    @property
    def link(self) -> str:
        """An address with a new token, which lets one browser in."""
        return f"http://127.0.0.1:{self.port}/?token={self.guard.link_token()}"

    @property
    def hall_link(self) -> str:
        """An address whose page only looks, in large type: for the hall. It lets one browser in, and none of its wishes."""
        return f"http://127.0.0.1:{self.port}/?hall&token={self.guard.link_token(looks=True)}"

    def serve(self) -> None:
        """Answers until it is told to stop."""
        try:
            self.server.run(sockets=[self.socket])
        finally:
            self.desk.close()
            self.socket.close()

    def open_browser(self) -> None:
        """Opens the link in the browser of this machine, as soon as somebody answers."""
        threading.Thread(target=webbrowser.open, args=(self.link,), daemon=True).start()


def _names(port: int) -> set[str]:
    """What the Host header may say."""
    return {f"127.0.0.1:{port}", f"localhost:{port}"}


def _listening(port: int) -> socket.socket:
    """A socket that listens on this machine alone."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform != "win32":
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    made.listen(64)
    return made
