"""A run as numbers: a table of its tracks, arrays, and its settings and scores."""

from __future__ import annotations

import csv
import io
import json

import numpy as np

from resviz.records import Run

COLUMNS = ("layer", "t", "particle", "x", "y", "geodesic_x", "geodesic_y")


def csv_text(run: Run) -> str:
    """A row for each particle after each layer, layer 0 being the input, and a line of names.

    Positions are float32 in as few digits as bring them back exactly. Where the source has classes
    a last column, `label`, names them.
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
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue()


def _shortest(values: np.ndarray) -> list[str]:
    return values.ravel().astype(str).tolist()


def json_text(run: Run) -> str:
    """Spec, scores and course; an undefined number is null."""
    text = json.dumps(run.summary(), indent=2, allow_nan=False, ensure_ascii=False)
    return text + "\n"


def npz(run: Run) -> bytes:
    """All of it, as `Run.load` reads it back."""
    return run.to_npz()
