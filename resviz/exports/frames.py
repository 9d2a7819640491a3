"""The pictures of a film, one after another: what rests is drawn once, what moves is laid on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from resviz.exports.options import Options
from resviz.exports.paths import layer_at
from resviz.exports.picture import Picture, place

# In shares of a loop, as the player has them: 0.5 s, 4 s and 1.2 s.
REST_AT_START, WAY = 0.5 / 5.7, 4.0 / 5.7


def moments(options: Options) -> np.ndarray:
    """The t of each picture of one loop, `seconds` × `rate` of them, with a rest at both ends."""
    count = round(options.seconds * options.rate)
    share = np.arange(count) / (options.seconds * options.rate)
    t = np.clip((share - REST_AT_START) / WAY, 0.0, 1.0)
    return t * t * (3 - 2 * t) if options.eased else t


def frames(drawn: Picture, times: Sequence[float]) -> Iterator[np.ndarray]:
    """The picture at each of `times`, which do not fall: uint8 (height, width, 4).

    Each is good until the next is asked for. Tracks are drawn from one time to the next, so
    that a film's last picture costs no more than its first.
    """
    canvas, box = drawn.figure.canvas, drawn.figure.bbox
    moving, tracks = tuple(drawn.moving()), tuple(drawn.tracks())
    for artist in (*moving, *tracks):
        artist.set_animated(True)  # not drawn with the rest
    painted = [len(panel.path) - 1 for panel in drawn.sheet.panels if panel.regions is not None]
    before, ground, layers = None, None, None
    for t in times:
        if t == before:
            yield np.asarray(canvas.buffer_rgba())
            continue
        reached = [layer_at(t, depth) for depth in painted]
        anew = ground is None or reached != layers
        place(drawn, t, 0.0 if anew else before)
        if anew:
            canvas.draw()
        else:
            canvas.restore_region(ground)
        _draw(drawn, tracks)
        ground = canvas.copy_from_bbox(box)
        _draw(drawn, moving)
        before, layers = t, reached
        yield np.asarray(canvas.buffer_rgba())


def _draw(drawn: Picture, artists: Sequence) -> None:
    for artist in artists:
        drawn.figure.draw_artist(artist)
