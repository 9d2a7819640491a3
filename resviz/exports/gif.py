"""A loop of a run as a GIF: one palette for all pictures, and of each only what has changed."""

from __future__ import annotations

import io
from itertools import groupby

import numpy as np
from matplotlib.colors import to_rgb
from PIL import GifImagePlugin, Image
from scipy.spatial import cKDTree

from resviz.exports.frames import frames, moments
from resviz.exports.options import Options, Progress
from resviz.exports.picture import Picture, picture
from resviz.exports.sheet import sheet
from resviz.records import Run

UNCHANGED = 255  # the index that shows what was there before
LOOKED_AT = 7  # pictures that the palette is made from
ENOUGH = 2e6  # of their pixels
BITS = 6  # of red, green and blue that a colour is looked up by


def gif(run: Run, kept: Run | None, options: Options, progress: Progress) -> bytes:
    """An endless loop. Where nothing moves one picture stands for as long as it takes.

    There are so many pictures as `frames.moments` has different times, and they last as long
    together as the loop, to a hundredth of a second.
    """
    times, ends = _distinct(options)
    contents = sheet(run, kept, options)
    colours = _palette(picture(contents, options.size, options.dark))
    lookup = _lookup(colours)
    file = io.BytesIO()
    file.write(_head(colours, options.size))
    file.write(_comment(f"{contents.title}. {contents.about}"))
    drawn, before, shown_until = picture(contents, options.size, options.dark), None, 0
    for done, pixels in enumerate(frames(drawn, times), 1):
        now = lookup[_cells(pixels)]
        until = round(100 * ends[done - 1] / options.rate)
        file.write(_block(now, before, until - shown_until))
        before, shown_until = now, until
        progress(done, len(times))
    file.write(b";")
    return file.getvalue()


def _distinct(options: Options) -> tuple[list[float], np.ndarray]:
    """Each t that is shown, and the number of the picture after its last."""
    runs = [(t, len(list(same))) for t, same in groupby(moments(options).tolist())]
    return [t for t, _ in runs], np.cumsum([count for _, count in runs])


def _palette(drawn: Picture) -> np.ndarray:
    """At most 255 colours of the whole loop, uint8 (k, 3), with those that are drawn exactly."""
    step = max(1, round((LOOKED_AT * np.prod(drawn.figure.get_size_inches() * 72) / ENOUGH) ** 0.5))
    looks = [
        pixels[::step, ::step, :3].copy() for pixels in frames(drawn, np.linspace(0, 1, LOOKED_AT))
    ]
    exact = np.unique(_drawn_colours(drawn), axis=0)
    strip = Image.fromarray(np.concatenate(looks))
    found = strip.quantize(UNCHANGED - len(exact), Image.Quantize.MEDIANCUT).getpalette()
    return np.concatenate([exact, np.array(found, np.uint8).reshape(-1, 3)])[:UNCHANGED]


def _drawn_colours(drawn: Picture) -> np.ndarray:
    """Page, ink and particles."""
    own = [panel.dots.get_facecolor()[:, :3] for panel in drawn.panels]
    rest = [drawn.figure.get_facecolor()[:3], to_rgb(drawn.clock.get_color())]
    return np.round(255 * np.concatenate([*own, rest])).astype(np.uint8)


def _lookup(colours: np.ndarray) -> np.ndarray:
    """The nearest of `colours` to each cell of colour space, uint8; exact where one lies in it."""
    steps = (np.arange(1 << BITS) + 0.5) * (256 >> BITS)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")  # as `_cells` counts
    cells = np.stack([red, green, blue], axis=-1).reshape(-1, 3)
    nearest = cKDTree(colours).query(cells)[1].astype(np.uint8)
    own = _cells(np.pad(colours, ((0, 0), (0, 1))))
    # Backwards: of two colours in one cell the first counts, which is drawn exactly.
    nearest[own[::-1]] = np.arange(len(colours), dtype=np.uint8)[::-1]
    return nearest


def _cells(pixels: np.ndarray) -> np.ndarray:
    """The cell of each colour, uint8 (…, 4) with red first: uint32 (…)."""
    packed = np.ascontiguousarray(pixels).view("<u4")[..., 0]
    mask = np.uint32((1 << BITS) - 1)
    r, g, b = ((packed >> np.uint32(8 * k + 8 - BITS)) & mask for k in range(3))
    return r | g << np.uint32(BITS) | b << np.uint32(2 * BITS)


def _head(colours: np.ndarray, size: tuple[int, int]) -> bytes:
    """What stands before the pictures: size, palette, and that they begin again for ever."""
    width, height = (side.to_bytes(2, "little") for side in size)
    table = colours.tobytes().ljust(3 * 256, b"\0")
    loop = b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
    return b"GIF89a" + width + height + b"\xf7\x00\x00" + table + loop


def _comment(text: str) -> bytes:
    """A text for whoever looks into the file, in blocks of at most 255 bytes."""
    data = text.encode()
    blocks = (data[k : k + 255] for k in range(0, len(data), 255))
    return b"!\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def _block(now: np.ndarray, before: np.ndarray | None, hundredths: int) -> bytes:
    """One picture: the rectangle in which indices have changed, and how long it is shown."""
    left, top, part = 0, 0, now
    if before is not None:
        changed = now != before
        rows, columns = (np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0))
        # A picture needs a pixel, even where it is the same.
        (top, bottom), (left, right) = (
            (places[0], places[-1] + 1) if len(places) else (0, 1) for places in (rows, columns)
        )
        box = np.s_[top:bottom, left:right]
        part = np.where(changed[box], now[box], UNCHANGED).astype(np.uint8)
    image = Image.fromarray(part, mode="L")
    blocks = GifImagePlugin.getdata(
        image, (int(left), int(top)), duration=10 * hundredths, transparency=UNCHANGED, disposal=1
    )
    return b"".join(blocks)
