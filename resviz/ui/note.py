"""What a browser's tab remembers of the stage, and what is said of it when it comes back.

Pure: a note is made of a session and read again, perhaps by another server, or made up by
somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from resviz.presets import PRESETS
from resviz.records import Run
from resviz.spec import RunSpec

VIEWS = ("A", "B", "both")


@dataclass(frozen=True)
class Note:
    """The stage of one page; a preset's, or of runs that its visitor made."""

    preset: str | None = None  # whose picture it was, as it is
    run: RunSpec | None = None
    stopped: int | None = None  # the step at which the run was stopped
    kept: RunSpec | None = None
    kept_stopped: int | None = None
    job: RunSpec | None = None  # in training
    paused: bool = False
    beside: bool = False
    view: str = "B"

    def plain(self) -> dict[str, Any]:
        """JSON values, which `read` takes back."""
        specs = {name: getattr(self, name) for name in ("run", "kept", "job")}
        return vars(self) | {name: spec and spec.to_query() for name, spec in specs.items()}

    @classmethod
    def read(cls, given: object) -> Note | None:
        """None for what is not a note: it comes from the browser, so from anybody."""
        if not isinstance(given, Mapping):
            return None
        preset, view = given.get("preset"), given.get("view")
        return cls(
            preset=preset if isinstance(preset, str) and preset in PRESETS else None,
            run=_spec(given.get("run")),
            stopped=_step(given.get("stopped")),
            kept=_spec(given.get("kept")),
            kept_stopped=_step(given.get("kept_stopped")),
            job=_spec(given.get("job")),
            paused=given.get("paused") is True,
            beside=given.get("beside") is True,
            view=view if isinstance(view, str) and view in VIEWS else "B",
        )


@dataclass(frozen=True)
class Lost:
    """What could not be brought back, to be trained again, and a sentence on it."""

    sentence: str
    run: RunSpec | None = None
    kept: RunSpec | None = None
    beside: bool = False

    @property
    def trainable(self) -> bool:
        return self.beside or self.run is not None or self.kept is not None


def stopped_at(run: Run | None) -> int | None:
    """The step at which somebody stopped this run; None if it went to its own end."""
    if run is None or run.complete or run.state.diverged is not None:
        return None
    return run.state.step


def told(
    reloaded: bool, run: bool, kept: bool, beside: bool, stopped: tuple[int | None, ...]
) -> str | None:
    """A sentence on what is lost; None where there is nothing to be said.

    A page that was loaded again by its visitor, and has everything, says nothing.
    """
    names = [name for name, gone in zip(("your run", "A"), (run, kept), strict=True) if gone]
    names += ["the network beside it"] if beside else []
    if not names:
        return None if reloaded else "The connection to the server was lost; all is back."
    what = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    begin = (
        f"The server no longer has {what}."
        if reloaded
        else f"The connection to the server was lost, and with it {what}."
    )
    steps = " and ".join(str(step) for step in stopped if step is not None)
    again = f" It was stopped at step {steps}: trained again, it goes to its end." if steps else ""
    return begin + again


def _spec(given: object) -> RunSpec | None:
    if not isinstance(given, Mapping) or not given:
        return None
    if not all(isinstance(part, str) for pair in given.items() for part in pair):
        return None
    try:
        return RunSpec.from_query(dict(given))
    except ValueError:
        return None


def _step(given: object) -> int | None:
    return given if type(given) is int and given >= 0 else None
