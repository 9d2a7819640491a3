"""The course of a run as bytes, which the player asks for when somebody moves through training.

A run's networks would double the first paint's figure, and few look at them: so they wait at
an address of their own, for as long as anybody holds the run.
"""

from __future__ import annotations

import hashlib
from functools import cache
from weakref import WeakValueDictionary

from starlette.requests import Request
from starlette.responses import Response

from resviz.figures.told import reel_bytes
from resviz.records import Run

PATH = "resviz/reels"


@cache
def _held() -> WeakValueDictionary[tuple[str, int], Run]:
    """The runs of all open pages, by what their addresses end in; of equal ones each."""
    return WeakValueDictionary()


def reel_address(run: Run) -> str:
    """Where the course of this run can be had, as long as it is held; equal runs share it.

    Under the app's own root, wherever a proxy or `server.baseUrlPath` puts that.
    """
    text = f"{run.spec}{run.state.step}".encode()
    name = hashlib.sha256(text + run.state.parameters.tobytes()).hexdigest()[:24]
    _held()[name, id(run)] = run
    return f"{PATH}/{name}"


async def send(request: Request) -> Response:
    """The bytes of the course that the address names, or 404."""
    asked = request.path_params["name"]
    run = next((run for (name, _), run in _held().items() if name == asked), None)
    if run is None:
        return Response("There is no such run, or nobody holds it any more.", 404)
    keep = {"Cache-Control": "private, max-age=86400, immutable"}
    return Response(reel_bytes(run), media_type="application/octet-stream", headers=keep)
