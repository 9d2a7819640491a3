"""What the player is told of a run beside its picture: colours, pairing, network and training.

All in JSON, arrays in Plotly's own form of a typed array; player/data.js says how they are read.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping

import numpy as np

from resviz import words
from resviz.figures.colours import COLOURINGS, Colouring
from resviz.records import Record, Run
from resviz.spec import RunSpec
from resviz.telling import layer_sentences

Told = Mapping[str, object]


def typed(values: np.ndarray, kind: str) -> dict[str, str]:
    """Plotly's own form of a typed array of `kind`, a dtype like "f4", from the lowest byte on."""
    return {"dtype": kind, "bdata": b64encode(np.asarray(values, f"<{kind}").tobytes()).decode()}


def run_told(run: Run, reel: Told) -> Told:
    """All that is known of a finished run; `reel` says where its course is (`reel_inside`)."""
    least = np.sqrt(run.scores.w2_squared)
    astray = run.map_errors / least if least > 0 else np.zeros_like(run.map_errors)
    return {
        "colourings": colourings_told(colour(run) for colour in COLOURINGS.values()),
        "plan": typed(run.plan, "i2"),
        "bends": typed(run.line_shapes, "f4"),
        "astray": typed(astray, "f4"),
        "says": layer_sentences(run.tracks),
        "network": network_told(run.spec),
        "parameters": typed(run.state.parameters, "f4"),
        "reel": {
            "steps": [record.step for record in run.history],
            "told": [moment_told(record) for record in run.history],
            **reel,
        },
    }


def colourings_told(colourings: Iterable[Colouring]) -> dict[str, Told]:
    """Each of `colourings` by its name."""
    return {
        one.name: {
            "of": one.legend,
            "palette": list(one.palette),
            "index": typed(one.index, "u1"),
            "names": list(one.names),
            "bounds": list(one.bounds),
        }
        for one in colourings
    }


def network_told(spec: RunSpec) -> Told:
    """How player/network.js is to use the parameters."""
    return {
        "kind": spec.network,
        "activation": spec.activation,
        "h": spec.step_length,
        "depth": spec.depth,
        "width": spec.width,
    }


def moment_told(record: Record) -> str:
    """*step 400 · effort 3.2 · miss 0.12*."""
    s = record.scores
    goal = f"miss {words.number(s.fit)}" if s.accuracy is None else f"right {s.accuracy:.0%}"
    return f"step {record.step} · effort {words.number(s.action_ratio)} · {goal}"


def reel_bytes(run: Run) -> bytes:
    """The networks of a run's course: R · P float32 parameters, then R · n int16 plans."""
    parameters = np.stack([record.parameters for record in run.history]).astype("<f4")
    plans = np.stack([record.plan for record in run.history]).astype("<i2")
    return parameters.tobytes() + plans.tobytes()


def reel_inside(run: Run) -> Told:
    """The course in the picture itself, for a file that is whole by itself."""
    return {"data": typed(np.frombuffer(reel_bytes(run), np.uint8), "u1")}
