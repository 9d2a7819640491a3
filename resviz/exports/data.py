"""A run as numbers: a table of its tracks, arrays, and its settings and scores."""

from __future__ import annotations

import csv
import io
import json

import numpy as np

from resviz import words
from resviz.records import Run

COLUMNS = ("layer", "t", "particle", "x", "y", "geodesic_x", "geodesic_y")
# The same in every row, so that a table that is read by itself still says what it is of.
ENDING = ("trained_steps", "of_steps", "ended")


def csv_text(run: Run) -> str:
    """A row for each particle after each layer, layer 0 being the input, and a line of names.

    Positions are float32 in as few digits as bring them back exactly. Where the source has classes
    a column `label` names them. The last three say after how many training steps the network is
    seen, of how many, and how training ended: `finished`, `stopped` or `diverged`.
    """
    layers, n, _ = run.tracks.shape
    layer = np.repeat(np.arange(layers), n)
    columns = [
        layer.tolist(),
        (layer / (layers - 1)).tolist(),
        np.tile(np.arange(n), layers).tolist(),
        *(_shortest(way[:, :, k]) for way in (run.tracks, run.geodesic) for k in (0, 1)),
    ]
    names = COLUMNS
    if run.labels is not None:
        columns.append(np.tile(run.labels, layers).tolist())
        names = (*COLUMNS, "label")
    ending = (run.state.step, run.spec.steps, how_ended(run))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*names, *ENDING))
    writer.writerows((*row, *ending) for row in zip(*columns, strict=True))
    return text.getvalue()


def how_ended(run: Run) -> str:
    """`finished`, `stopped` or `diverged`."""
    if run.state.diverged is not None:
        return "diverged"
    return "finished" if run.complete else "stopped"


def _shortest(values: np.ndarray) -> list[str]:
    return values.ravel().astype(str).tolist()


def json_text(run: Run) -> str:
    """Spec, scores, course, and a sentence on how training ended; an undefined number is null."""
    told = {"ended": how_ended(run), "ending": words.ended(run), **run.summary()}
    text = json.dumps(told, indent=2, allow_nan=False, ensure_ascii=False)
    return text + "\n"


def npz(run: Run) -> bytes:
    """All of it, as `Run.load` reads it back."""
    return run.to_npz()
