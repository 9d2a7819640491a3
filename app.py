"""The server: starts the workers before the first visitor, then serves the page."""

import asyncio
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from starlette.middleware import Middleware

from resviz.descriptors import raise_descriptor_limit
from resviz.ending import end_in_time
from resviz.engine import close_shared_engine, shared_engine
from resviz.ui.answers import keep_every_answer
from resviz.ui.faults import tell
from resviz.ui.gate import Gate
from resviz.ui.making import clear_what_was_left, close_shared_workshop
from resviz.ui.routes import routes


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Workers load torch while the first page is on its way, and end with the server.

    A limit in the environment that is not allowed ends the server here, with a sentence.
    """
    raise_descriptor_limit()
    clear_what_was_left()
    shared_engine()
    end_in_time(close_shared_engine)
    if not st.get_option("server.headless"):
        # Streamlit opens the browser for a plain script, not for an st.App. The port is
        # already bound, so a browser that is quicker than the server only waits.
        base = (st.get_option("server.baseUrlPath") or "").strip("/")
        url = f"http://localhost:{st.get_option('server.port')}/{base}"
        asyncio.get_running_loop().run_in_executor(None, webbrowser.open, url)
    yield
    close_shared_workshop()
    close_shared_engine()


keep_every_answer()
app = st.App(
    "resviz/ui/page.py",
    lifespan=lifespan,
    routes=routes(st.get_option("server.baseUrlPath") or ""),
    middleware=[Middleware(Gate)],
    on_script_error=tell,
)
