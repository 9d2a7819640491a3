"""The server: starts the workers before the first visitor, then serves the page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st

from resviz.engine import close_shared_engine, shared_engine


@asynccontextmanager
async def workers(_: st.App) -> AsyncIterator[None]:
    """Workers load torch while the first page is on its way, and end with the server."""
    shared_engine()
    yield
    close_shared_engine()


app = st.App("resviz/ui/page.py", lifespan=workers)
