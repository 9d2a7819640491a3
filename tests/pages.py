"""How the tests of the page drive it: Streamlit's AppTest, its controls and what it says."""

import re
from itertools import count
from pathlib import Path

from patience import PATIENCE as TIMEOUT
from streamlit.testing.v1 import AppTest

from resviz.engine import Phase
from resviz.ui.session import Session

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "resviz" / "ui" / "page.py"

SMALL = {"depth": 3, "width": 4, "steps": 30, "batch": 16, "particles": 20}


SEEDS = count(100)


def small(**more: object) -> dict[str, str]:
    """An address of a run that is trained in a moment, and that no other test has trained: it
    would be replayed, which takes five seconds.
    """
    return {name: str(value) for name, value in (SMALL | {"seed": next(SEEDS)} | more).items()}


def opened(app: AppTest, **address: str) -> AppTest:
    for name, text in address.items():
        app.query_params[name] = text
    app.run()
    assert not app.exception
    return app


def session(app: AppTest) -> Session:
    return app.session_state["_session"]


def texts(app: AppTest) -> str:
    """All that the page says in alerts, one sentence after the other."""
    return "\n".join(read(e.value) for kind in (app.info, app.warning, app.error) for e in kind)


def read(markdown: str) -> str:
    """Plain text in Markdown as it is read on the page."""
    return re.sub(r"\\(?=[!-/:-@\[-`{-~])|\u2060", "", markdown)


def address(app: AppTest) -> dict[str, str]:
    return session(app).address


def html(app: AppTest) -> str:
    return "\n".join(e.proto.body for e in app.get("html"))


def progress(app: AppTest) -> str:
    (bar,) = app.get("progress")
    return read(bar.proto.text)


def press(app: AppTest, key: str) -> None:
    app.button(key=key).click().run()
    assert not app.exception


def trained(app: AppTest) -> None:
    """Press Train and let the page see the end of it."""
    press(app, "train")
    job = session(app).job  # None if it ended while the page was still being run
    assert job is None or job.wait_until(lambda job: job.phase is Phase.DONE, TIMEOUT)
    app.run()
    assert not app.exception
    assert session(app).job is None
