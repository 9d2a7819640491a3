"""One moment of a run as a picture: PNG, SVG with its text as text, or PDF."""

from __future__ import annotations

import io
from threading import Lock

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from resviz import words
from resviz.exports.lettering import FONT
from resviz.exports.options import Options
from resviz.exports.picture import picture, place
from resviz.exports.sheet import sheet
from resviz.records import Run

# Vector forms take these from Matplotlib's global settings alone: text stays text, and equal
# pictures are equal files.
SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "resviz", "pdf.fonttype": 42}
_settings_lock = Lock()


def still(form: str, run: Run, kept: Run | None, options: Options) -> bytes:
    """The picture at `options.t` as a "png", "svg" or "pdf"."""
    drawn = picture(sheet(run, kept, options.colour_by), options.size, options.dark)
    place(drawn, options.t)
    match form:
        case "png":
            return png(drawn.figure)
        case "svg":
            return svg(drawn.figure)
        case "pdf":
            return pdf(drawn.figure)
        case _:
            raise ValueError(f"form: {form!r} is unknown; known are png, svg and pdf")


def png(figure: Figure) -> bytes:
    """As many pixels as the figure has points."""
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file, metadata={"Title": words.TITLE, "Software": None})
    return file.getvalue()


def svg(figure: Figure) -> bytes:
    """Text as text, in the font's twin where the font itself is not installed."""
    file = io.BytesIO()
    with _settings_lock, rc_context(SETTINGS):
        FigureCanvasSVG(figure).print_svg(file, metadata={"Title": words.TITLE, "Date": None})
    return file.getvalue().replace(f"'{FONT}'".encode(), f"'{FONT}', Verdana, sans-serif".encode())


def pdf(figure: Figure) -> bytes:
    """Text as text, with its font inside."""
    file = io.BytesIO()
    with _settings_lock, rc_context(SETTINGS):
        metadata = {"Title": words.TITLE, "CreationDate": None}
        FigureCanvasPdf(figure).print_pdf(file, metadata=metadata)
    return file.getvalue()
