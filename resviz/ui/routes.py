"""The app's own addresses, which lie beside Streamlit's under `server.baseUrlPath`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route

from resviz.ui import reels


def routes(base: str) -> list[Route]:
    """`base` is `server.baseUrlPath`, with or without slashes at its ends."""
    base = base.strip("/")
    ours = [Route(f"{f'/{base}' if base else ''}/{reels.PATH}/{{name}}", reels.send)]
    return [*ours, Route(f"/{base}", _add_the_slash)] if base else ours


async def _add_the_slash(request: Request) -> RedirectResponse:
    """To the page, by a relative address: a proxy's scheme and host are not known here."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{request.url.path.rpartition('/')[2]}/{query}")
