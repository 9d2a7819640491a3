"""One moment of a run as a picture: PNG, SVG with its text as text, or PDF."""

from __future__ import annotations

import io
import re
from threading import Lock

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import Op, PdfFile, RendererPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG

from resviz.exports.lettering import FONT
from resviz.exports.options import Options
from resviz.exports.picture import Picture, picture, place
from resviz.exports.sheet import sheet
from resviz.records import Run

# Vector forms take these from Matplotlib's global settings alone: text stays text, and equal
# pictures are equal files.
SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "resviz", "pdf.fonttype": 42}
_settings_lock = Lock()
# Of an inch: a pixel of a web page, and what a picture is drawn in, a seventy-second.
POINTS_A_PIXEL = 72 / 96


def still(form: str, run: Run, kept: Run | None, options: Options) -> bytes:
    """The picture at `options.t` as a "png", "svg" or "pdf"."""
    drawn = picture(sheet(run, kept, options), options.size, options.dark)
    place(drawn, options.t)
    match form:
        case "png":
            return png(drawn)
        case "svg":
            return svg(drawn)
        case "pdf":
            return pdf(drawn)
        case _:
            raise ValueError(f"form: {form!r} is unknown; known are png, svg and pdf")


def png(drawn: Picture) -> bytes:
    """As many pixels as the figure has points."""
    file, contents = io.BytesIO(), drawn.sheet
    told = {"Title": contents.title, "Description": contents.about, "Software": None}
    FigureCanvasAgg(drawn.figure).print_png(file, metadata=told)
    return file.getvalue()


def svg(drawn: Picture) -> bytes:
    """Text as text, in the font's twin where the font itself is not installed.

    As large on a page as the picture has pixels: Matplotlib counts points, a third more.
    """
    file, contents = io.BytesIO(), drawn.sheet
    told = {"Title": contents.title, "Description": contents.about, "Date": None}
    with _settings_lock, rc_context(SETTINGS):
        FigureCanvasSVG(drawn.figure).print_svg(file, metadata=told)
    made = file.getvalue().replace(f"'{FONT}'".encode(), f"'{FONT}', Verdana, sans-serif".encode())
    return re.sub(rb"<svg [^>]*>", lambda root: _IN_POINTS.sub(rb'\1"\2"', root[0]), made, count=1)


_IN_POINTS = re.compile(rb'((?:width|height)=)"([0-9.]+)pt"')


def pdf(drawn: Picture) -> bytes:
    """Text as text, with its font inside; as large as the picture's pixels are on a page."""
    file, contents = io.BytesIO(), drawn.sheet
    told = {"Title": contents.title, "Subject": contents.about, "CreationDate": None}
    width, height = drawn.figure.get_size_inches()
    with _settings_lock, rc_context(SETTINGS):
        made = PdfFile(file, metadata=told)
        made.newPage(POINTS_A_PIXEL * width, POINTS_A_PIXEL * height)
        made.output(POINTS_A_PIXEL, 0, 0, POINTS_A_PIXEL, 0, 0, Op.concat_matrix)
        renderer = RendererPdf(made, image_dpi=drawn.figure.dpi, height=height, width=width)
        drawn.figure.draw(renderer)
        renderer.finalize()
        made.finalize()
        made.close()
    return file.getvalue()
