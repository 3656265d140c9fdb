"""Who may come in, and the page they see: only programs and pages of this machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

PAGE: Final = Path(__file__).parent / "page"
LOCAL_NAMES: Final = {"127.0.0.1", "localhost", "::1"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def only_from_here(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse foreign hosts (DNS rebinding) and foreign origins (pages elsewhere that click for somebody)."""
    if not is_local(request.headers.get("Host", ""), request.headers.get("Origin")):
        return web.json_response({"ok": False, "error": "cross_origin"}, status=403)
    site = request.headers.get("Sec-Fetch-Site", "none")
    if site in {"cross-site", "same-site"} and request.method != "GET":
        return web.json_response({"ok": False, "error": "cross_origin"}, status=403)
    # A call by GET changes things as well, its token is no secret, and an image's address can make one.
    if site != "none" and request.path.startswith("/api/"):
        return web.json_response({"ok": False, "error": "cross_origin"}, status=403)
    return await handler(request)


def is_local(host: str, origin: str | None) -> bool:
    """Whether a request to this Host with this Origin comes from here."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:  # no host at all
        return False
    if name not in LOCAL_NAMES:
        return False
    return origin is None or origin == f"http://{host}"


async def page(request: web.Request) -> web.StreamResponse:
    """A file of the page's folder; `/` is its index."""
    name = request.match_info["name"] or "index.html"
    wanted = (PAGE / name.replace("\x00", "")).resolve()
    if not wanted.is_relative_to(PAGE.resolve()) or not wanted.is_file():
        return web.Response(status=404, text="not found")
    headers = {
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    return web.FileResponse(wanted, headers=headers)
