"""What a run of the page has sent arrives: whatever timer comes, whatever connection is lost."""

import asyncio

import pytest
from patience import PATIENCE
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.runtime import Runtime, RuntimeConfig
from streamlit.runtime.session_manager import SessionClient

from resviz.ui import answers

PAGE = """import streamlit as st

@st.fragment(run_every=1000)
def tick():
    st.write("tick")

st.button("press", key="press")
tick()
"""


class Window(SessionClient):
    """Takes in what is sent, and says when a run is over."""

    def __init__(self) -> None:
        self.messages: list[ForwardMsg] = []
        self.runs = asyncio.Semaphore(0)

    def write_forward_msg(self, message: ForwardMsg) -> None:
        self.messages.append(message)
        if message.WhichOneof("type") == "script_finished":
            self.runs.release()

    def kinds(self) -> list[str]:
        return [message.WhichOneof("type") for message in self.messages]


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    script = tmp_path / "page.py"
    script.write_text(PAGE)
    monkeypatch.setattr(Runtime, "_instance", None)
    monkeypatch.setattr(AppSession, "_create_scriptrunner", AppSession._create_scriptrunner)
    monkeypatch.setattr(Runtime, "_send_message", Runtime._send_message)
    answers.keep_every_answer()
    files, media = MemoryUploadedFileManager("/files"), MemoryMediaFileStorage("/media")
    return Runtime(RuntimeConfig(str(script), media, files))


def asked(fragment: str = "") -> BackMsg:
    message = BackMsg()
    message.rerun_script.fragment_id = fragment
    message.rerun_script.is_auto_rerun = bool(fragment)
    return message


async def visit(runtime: Runtime) -> tuple[list[str], list[str]]:
    """Two full runs; on the heels of the second the timer's. What came before and after that."""
    await runtime.start()
    window = Window()
    session = runtime.connect_session(window, {})
    runtime.handle_backmsg(session, asked())
    await window.runs.acquire()
    (timer,) = [m.auto_rerun.fragment_id for m in window.messages if m.HasField("auto_rerun")]
    app, first = runtime.get_app_session(session), len(window.messages)
    while app._scriptrunner is not None:
        await asyncio.sleep(0)
    runtime.handle_backmsg(session, asked())
    # The loop is late: it has handled nothing when the run has ended and the timer comes.
    app._scriptrunner._script_thread.join(PATIENCE)
    runtime.handle_backmsg(session, asked(timer))
    await window.runs.acquire()
    second = len(window.messages)
    await window.runs.acquire()
    runtime.stop()
    await runtime.stopped
    return window.kinds()[first:second], window.kinds()[second:]


def test_a_timer_on_the_heels_of_a_run_costs_none_of_its_answer(runtime):
    answer, tick = asyncio.run(asyncio.wait_for(visit(runtime), PATIENCE))
    assert {"new_session", "delta", "auto_rerun", "script_finished"} <= set(answer)
    assert "script_finished" in tick


class Hinge(Window):
    """Once, when the first message of the server's round comes to this page, something happens."""

    def __init__(self) -> None:
        super().__init__()
        self.happens = None

    def write_forward_msg(self, message: ForwardMsg) -> None:
        super().write_forward_msg(message)
        if self.happens is not None:
            happens, self.happens = self.happens, None
            happens()


async def come_back(runtime: Runtime) -> Window:
    """One page is sent to; in that round another loses its connection, comes back and asks."""
    await runtime.start()
    first, lost, back = Hinge(), Window(), Window()
    neighbour = runtime.connect_session(first, {})
    session = runtime.connect_session(lost, {})
    for page, window in ((neighbour, first), (session, lost)):
        runtime.handle_backmsg(page, asked())
        await window.runs.acquire()

    def reconnect() -> None:
        app = runtime.get_app_session(session)
        runtime.disconnect_session(session, client=lost)
        assert runtime.connect_session(back, {}, existing_session_id=session) == session
        runtime.handle_backmsg(session, asked(), client=back)
        app._scriptrunner._script_thread.join(PATIENCE)  # the loop is late by as much

    first.happens = reconnect
    runtime.handle_backmsg(neighbour, asked())
    await first.runs.acquire()
    await asyncio.wait_for(back.runs.acquire(), PATIENCE)
    runtime.stop()
    await runtime.stopped
    return back


def test_a_page_that_comes_back_in_the_middle_of_a_round_is_answered(runtime):
    answer = asyncio.run(asyncio.wait_for(come_back(runtime), 2 * PATIENCE)).kinds()
    assert {"new_session", "delta", "auto_rerun", "script_finished"} <= set(answer)
