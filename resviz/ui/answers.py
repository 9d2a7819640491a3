"""No answer of the page is lost to a timer that comes too early, or to a page that comes back.

A run of the page ends in its own thread, and the event loop handles afterwards what the run has
sent. If a fragment's timer comes in between, Streamlit 1.67 puts another runner in the place of
the one that has ended, and drops all that it has still to handle of that one: a pressed button's
whole answer, and the word that the page has been drawn (`AppSession.request_rerun` tells of it).

And it lists the connections before it sends to the first of them. What a page asked that has lost
its connection and come back in the meantime goes to the connection that it had, and is gone: the
new one waits for ever.

A server whose loop is seldom late hardly ever meets either; one with a class on it does each
second.
"""

from __future__ import annotations

from weakref import WeakSet

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.app_session import AppSession, AppSessionState
from streamlit.runtime.runtime import Runtime
from streamlit.runtime.scriptrunner import RerunData, ScriptRunner
from streamlit.runtime.session_manager import ActiveSessionInfo

_begin_at_once = AppSession._create_scriptrunner
_send_as_listed = Runtime._send_message
_of_fragments: WeakSet[ScriptRunner] = WeakSet()


def keep_every_answer() -> None:
    """From now on runs that have ended are heard out, and what they say goes to who is there."""
    AppSession._create_scriptrunner = _begin
    Runtime._send_message = _send


def _begin(session: AppSession, request: RerunData) -> None:
    """In place of `AppSession._create_scriptrunner`: on the event loop, in the order of requests.

    A runner is still there only if it has refused a fragment's request because it has ended: a
    request of the whole page has put it away. What it sent stands in the loop's queue already.
    """
    ended = session._scriptrunner
    if ended is None:
        _begin_now(session, request)
    else:
        session._event_loop.call_soon(_begin_after, session, request, ended)


def _begin_after(session: AppSession, request: RerunData, ended: ScriptRunner) -> None:
    now = session._scriptrunner
    if now is None or now is ended:
        _begin_now(session, request)
    elif now in _of_fragments and not now.request_rerun(request):
        _begin(session, request)  # that one, too, has ended
    # Else the whole page is being run anew, with controls that this request knows nothing of.


def _begin_now(session: AppSession, request: RerunData) -> None:
    if session._state is AppSessionState.SHUTDOWN_REQUESTED:
        return
    _begin_at_once(session, request)
    if request.fragment_id or request.fragment_id_queue:
        _of_fragments.add(session._scriptrunner)


def _send(runtime: Runtime, listed: ActiveSessionInfo, message: ForwardMsg) -> None:
    """In place of `Runtime._send_message`: to the connection that the page has by now."""
    now = runtime._session_mgr.get_active_session_info(listed.session.id)
    _send_as_listed(runtime, now or listed, message)
