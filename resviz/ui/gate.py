"""What Streamlit never sees: websockets of foreign pages, and bodies that nothing here needs.

Streamlit compares a websocket's Origin with its Host letter by letter. Where they differ it asks
a public service for its own address, twice, while every other page waits. So the question is
settled here, and what passes has an Origin that Streamlit takes at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

# Paths under the app's own, such as "_stcore/upload_file/", to which something may be sent.
TAKEN: tuple[str, ...] = ()
READING = ("GET", "HEAD", "OPTIONS")
PORTS = {"http": 80, "https": 443}

log = logging.getLogger(__name__)

Address = tuple[str, int]  # host name in lower case, port
Origin = tuple[str, Address]  # scheme first


class Gate:
    """Middleware of the app; `option` gives Streamlit's options by their names."""

    def __init__(self, app: ASGIApp, option: Callable[[str], Any] = st.get_option) -> None:
        self.app = app
        self.option = option

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and self.option("server.enableCORS"):
            scope = await self._settled(scope, send)
        elif scope["type"] == "http" and not self._takes(scope):
            refusal = PlainTextResponse(
                "Nothing can be sent here: this server is only read from.\n",
                405,
                {"Allow": ", ".join(READING), "Connection": "close"},
            )
            await refusal(scope, receive, send)
            return
        if scope:
            await self.app(scope, receive, send)

    async def _settled(self, scope: Scope, send: Send) -> Scope | None:
        """The scope with an Origin that is its Host's; None, and the socket refused, if foreign."""
        origins, hosts = _values(scope, b"origin"), _values(scope, b"host")
        if not origins:  # no browser, which always says where a page comes from
            return scope
        origin, host = origins[0], hosts[0] if hosts else ""
        listed = self.option("server.corsAllowedOrigins")
        if len(origins) > 1 or len(hosts) > 1 or not is_welcome(origin, host, listed):
            log.warning(
                "A page of %.200r asked for a connection to %.200r, which is another address, and "
                "was refused. Behind a proxy the Host that the browser named must be passed on; "
                "server.corsAllowedOrigins lists pages that are welcome all the same.",
                origin,
                host,
            )
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
            return None
        own = f"{urlsplit(origin).scheme}://{host}".encode("latin-1")
        others = [(name, value) for name, value in scope["headers"] if name != b"origin"]
        return {**scope, "headers": [*others, (b"origin", own)]}

    def _takes(self, scope: Scope) -> bool:
        """Whether this request only reads, or may send what it sends."""
        length = "".join(_values(scope, b"content-length")).strip("0")
        bare = not length and not _values(scope, b"transfer-encoding")
        if scope["method"] in READING and bare:
            return True
        base = (self.option("server.baseUrlPath") or "").strip("/")
        return scope["path"].lstrip("/").removeprefix(base).lstrip("/").startswith(TAKEN)


def is_welcome(origin: str, host: str, listed: Sequence[str] = ()) -> bool:
    """Whether a page of `origin` may open a websocket that came to `host`.

    It may if it is a page of that very host and port, or of one that is listed. `null`, which
    stands for a page of no address, and whatever cannot be read are foreign.
    """
    asking = origin_of(origin)
    if asking is None:
        return False
    scheme, address = asking
    here = address_of(host, scheme)
    if here is None:
        return False
    allowed = (origin_of(one if "://" in one else f"{scheme}://{one}") for one in listed)
    return address == here or asking in allowed


def origin_of(text: str) -> Origin | None:
    """A page's scheme, host and port; None where it has none or they cannot be read."""
    scheme, separator, rest = text.strip().rstrip("/").partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in PORTS:
        return None
    address = address_of(rest, scheme)
    return None if address is None else (scheme, address)


def address_of(text: str, scheme: str) -> Address | None:
    """`host`, `host:port` or `[IPv6]:port` with the scheme's own port where it names none."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:  # a port that is no number, brackets that do not close
        return None
    if not host or parts.netloc != text or parts.username is not None:
        return None
    return host.rstrip("."), PORTS[scheme] if port is None else port


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for known, value in scope["headers"] if known == name]
