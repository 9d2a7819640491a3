"""Visitors of the page without a browser: they speak its protocol over its own websocket.

A visitor does what Streamlit's frontend does, as far as the server can tell: it sends every
widget's value with each request, runs a fragment's timer at the interval that the page asked
for, and forgets what a full run of the page no longer shows. It draws nothing, so that one
process can be a whole class.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self
from urllib.parse import urlsplit

from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

PATIENCE = 600.0  # seconds: what takes longer will never come
STREAM = "_stcore/stream"
# What a frontend says that was given no token. The name before it is the subprotocol.
SUBPROTOCOLS = ("streamlit", "PLACEHOLDER_AUTH_TOKEN")
PROGRESS = re.compile(r"step (\d+) of (\d+)")


class Visitor:
    """One open page: what it shows, and what can be done to it.

    Pages with the same `token` are of one browser; without one each is of a browser of its own.
    """

    def __init__(self, address: str, query: str = "", token: bytes = b"") -> None:
        self.address, self.query = address, query
        # As Tornado masks it, with a mask of nothing.
        self.headers = {"Cookie": f"_streamlit_xsrf=2|00|{token.hex()}|0"} if token else {}
        self.session: str | None = None  # what the server knows this page by
        self.troubles: list[str] = []  # whatever no visitor should see
        self.progress = ""
        self.step: int | None = None  # of the newest live picture
        self.live = False  # the stage shows a training under way
        self.intervals: dict[str, float] = {}  # fragment id -> seconds between its runs
        self.elements: dict[str, Any] = {}  # widget key -> its newest element
        self._values: dict[str, WidgetState] = {}  # widget id -> what the frontend would send
        self._drawn: set[str] = set()  # keys that the present full run has drawn
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._waiting: list[tuple[Callable[[Visitor], bool], asyncio.Future[None]]] = []
        self._page = self._run = ""
        self._begun = self._finished = 0  # full runs of the page, counted
        self._leaving = False
        self._socket: ClientConnection | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"Visitor({self.query!r}, progress={self.progress!r}, step={self.step})"

    async def open(self) -> None:
        """Open the page, or come back to it as after a lost connection."""
        site = urlsplit(self.address)
        self._leaving = False
        again = (self.session,) if self.session else ()
        self._socket = await connect(
            f"ws://{site.netloc}/{STREAM}",
            origin=f"{site.scheme}://{site.netloc}",
            subprotocols=[*SUBPROTOCOLS, *again],
            additional_headers=self.headers,
            max_size=None,
            ping_interval=None,
            proxy=None,
        )
        self._listener = asyncio.create_task(self._listen())
        await self._ask()

    async def close(self) -> None:
        """Leave, as one who closes the browser's tab."""
        self._leaving = True
        self._stop_timers()
        await self._socket.close()
        await self._listener

    async def press(self, key: str) -> None:
        """Press a button, and wait for the page's answer."""
        button = self.elements[key]
        if button.disabled:
            raise ValueError(f"{self!r}: {key} is disabled")
        await self._ask(WidgetState(id=button.id, trigger_value=True))

    async def choose(self, key: str, value: str | float) -> None:
        """Give a widget another value, and wait for the page's answer."""
        state = self._values[self.elements[key].id]
        field = state.WhichOneof("value")
        self._values[state.id] = _state(
            state.id, field, [value] if field.endswith("array_value") else value
        )
        await self._ask()

    async def train(self) -> None:
        """Press Train. From now on `step` is that of the training's pictures."""
        self.step = None
        await self.press("train")

    @property
    def steps(self) -> tuple[int, int]:
        """The step in the line of progress, and the last step of that training."""
        found = PROGRESS.search(self.progress)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    def trained(self) -> bool:
        """Whether the page shows that the last step is taken; scores may be still to come."""
        step, last = self.steps
        return step == last > 0

    def finished(self) -> bool:
        """Whether a training has ended and its run is on the stage."""
        return self.trained() and not self.live

    async def until(self, holds: Callable[[Visitor], bool], seconds: float = PATIENCE) -> None:
        """Return once it holds of what the page shows; looked at with every message."""
        if holds(self):
            return
        waiting = holds, asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(seconds):
                await waiting[1]
        except TimeoutError:
            raise TimeoutError(f"not within {seconds} s: {self!r}, {self.troubles}") from None
        finally:
            self._waiting.remove(waiting)

    async def _ask(self, trigger: WidgetState | None = None) -> None:
        """Ask for a full run, and wait until one that began after this has finished."""
        before = self._begun
        await self._send(trigger=trigger)
        await self.until(lambda me: me._finished > before)

    async def _send(self, fragment: str = "", trigger: WidgetState | None = None) -> None:
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string, asked.page_script_hash = self.query, self._page
        asked.fragment_id, asked.is_auto_rerun = fragment, bool(fragment)
        asked.widget_states.widgets.extend(self._values.values())
        if trigger:
            asked.widget_states.widgets.append(trigger)
        asked.context_info.timezone, asked.context_info.locale = "UTC", "en"
        asked.context_info.url = f"{self.address}?{self.query}"
        await self._socket.send(message.SerializeToString())

    async def _listen(self) -> None:
        """Take in every message until the connection ends, which only `close` may do."""
        reason = "closed by the server"
        try:
            async for message in self._socket:
                self._take(ForwardMsg.FromString(message))
                self._wake()
        except Exception as error:  # told to whoever waits, where a task's would be lost
            reason = repr(error)
        self._stop_timers()
        if not self._leaving:
            self.troubles.append(f"disconnected: {reason}")
            for _, future in self._waiting:
                if not future.done():
                    future.set_exception(ConnectionError(f"{self!r}: {self.troubles}"))

    def _wake(self) -> None:
        for holds, future in self._waiting:
            if not future.done() and holds(self):
                future.set_result(None)

    def _take(self, message: ForwardMsg) -> None:
        match message.WhichOneof("type"):
            case "delta":
                if message.delta.WhichOneof("type") == "new_element":
                    self._take_element(message.delta.new_element)
            case "new_session":
                self._begin(message)
            case "script_finished":
                self._finish(message)
            case "auto_rerun":
                self._start_timer(message.auto_rerun.fragment_id, message.auto_rerun.interval)
            case "stop_auto_rerun":
                for fragment in message.stop_auto_rerun.fragment_ids:
                    self._stop_timer(fragment)
            case "page_info_changed":
                self.query = message.page_info_changed.query_string
            case "session_event":
                self.troubles.append(f"session event: {message.session_event}")
            case "page_not_found" | "ref_hash" as kind:
                raise ValueError(f"this page sends no {kind}")

    def _begin(self, message: ForwardMsg) -> None:
        self._page = message.new_session.page_script_hash
        self.session = message.new_session.initialize.session_id
        if message.metadata.run.fragment_ids:
            return
        self._stop_timers()
        self._begun, self._run = self._begun + 1, message.metadata.run.script_run_id
        self._drawn.clear()

    def _finish(self, message: ForwardMsg) -> None:
        """After a full run, what it has not drawn is gone from the page."""
        full = message.metadata.run.script_run_id == self._run
        if message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
            self.troubles.append("the page's script does not compile")
        elif full and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
            self._finished = self._begun
            for key in self.elements.keys() - self._drawn:
                self._values.pop(self.elements.pop(key).id, None)

    def _take_element(self, element: Element) -> None:
        kind = element.WhichOneof("type")
        told = getattr(element, kind)
        if kind == "progress":
            self.progress = told.text
        elif kind == "bidi_component" and _key(told.id) == "feed":
            self._take_picture(told.bytes)
        elif kind == "exception" or (kind == "alert" and told.format == Alert.ERROR):
            self.troubles.append(f"{kind}: {told.message if kind == 'exception' else told.body}")
        elif kind in VALUES or kind == "button":
            key = _key(told.id)
            self.elements[key] = told
            self._drawn.add(key)
            if kind in VALUES and (told.set_value or told.id not in self._values):
                field, given = VALUES[kind]
                self._values[told.id] = _state(told.id, field, given(told))

    def _take_picture(self, data: bytes) -> None:
        """The header that resviz/ui/stage.py packs before the numbers."""
        header = json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])
        self.live = header["live"]
        if header.get("news"):
            self.step = header["step"]

    def _start_timer(self, fragment: str, interval: float) -> None:
        """As the frontend: one that runs at this interval already is left to run."""
        if self.intervals.get(fragment) != interval:
            self._stop_timer(fragment)
            self.intervals[fragment] = interval
            self._timers[fragment] = asyncio.create_task(self._tick(fragment, interval))

    async def _tick(self, fragment: str, interval: float) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        with suppress(ConnectionClosed):
            while True:
                due = max(due + interval, clock())
                await asyncio.sleep(due - clock())
                await self._send(fragment)

    def _stop_timer(self, fragment: str) -> None:
        if self.intervals.pop(fragment, None) is not None:
            self._timers.pop(fragment).cancel()

    def _stop_timers(self) -> None:
        for fragment in list(self._timers):
            self._stop_timer(fragment)


def _key(element_id: str) -> str:
    """The key that the page gave: the third part of what Streamlit makes of it."""
    return element_id.split("-", 2)[-1]


def _selected(box: Any) -> str | None:
    """What a list shows; None where nothing is chosen."""
    if box.set_value:
        return box.raw_value if box.HasField("raw_value") else None
    return box.options[box.default] if box.HasField("default") else None


# What the frontend sends of a widget, by its kind: the field, and the value that the page gave.
VALUES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "button_group": (
        "string_array_value",
        lambda w: w.raw_values if w.set_value else [w.options[k].content for k in w.default],
    ),
    "selectbox": ("string_value", _selected),
    "text_input": ("string_value", lambda w: w.value if w.set_value else w.default),
    "slider": ("double_array_value", lambda w: w.value if w.set_value else w.default),
}


def _state(widget: str, field: str, value: Any) -> WidgetState:
    """Without a value where the widget has none."""
    state = WidgetState(id=widget)
    if value is None:
        return state
    if field.endswith("array_value"):
        getattr(state, field).data.extend(value)
    else:
        setattr(state, field, value)
    return state
