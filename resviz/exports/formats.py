"""The forms of a run: the one list that the command line, the page and every error go by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from resviz.exports.options import DEFAULTS, Options, Progress
from resviz.records import Run

Writer = Callable[[Run, Run | None, Options, Progress], bytes]

FASTEST_GIF = 50  # pictures a second: browsers slow down what asks for more


@dataclass(frozen=True)
class Format:
    """One form of a run, and how it is made."""

    ending: str  # ".html"
    label: str  # for people
    mime: str
    write: Writer
    long: bool = False  # takes seconds, and tells how far it is
    two: bool = False  # shows a kept run A beside B

    def check(self, options: Options, two: bool = False) -> None:
        """Raises `ValueError` for what this form cannot hold."""
        if two and not self.two:
            able = ", ".join(one.ending for one in FORMATS.values() if one.two)
            raise ValueError(f"kept: a {self.ending} holds one run; allowed with two are {able}")
        if self.ending == ".gif" and options.rate > FASTEST_GIF:
            raise ValueError(
                f"rate: {options.rate} is not allowed for a .gif; allowed is up to {FASTEST_GIF}"
            )


def export(
    ending: str,
    run: Run,
    kept: Run | None = None,
    options: Options = DEFAULTS,
    progress: Progress = lambda done, total: None,
) -> bytes:
    """A run as a file's bytes; `kept` is the run A beside it, where there is one.

    `progress` is called as the long ones go on; what it raises ends them. Raises `ValueError`
    for an unknown ending and for what the form cannot hold.
    """
    form = known(ending)
    form.check(options, kept is not None)
    return form.write(run, kept, options, progress)


def known(ending: str) -> Format:
    """The form of this ending, whatever its case. Raises `ValueError` that lists the endings."""
    if ending.lower() not in FORMATS:
        raise ValueError(f"ending: {ending!r} is unknown; known are {', '.join(FORMATS)}")
    return FORMATS[ending.lower()]


# What each needs is loaded only when it is written: Matplotlib, codecs and plotly.js are large.


def _page(run: Run, kept: Run | None, options: Options, progress: Progress) -> bytes:
    from resviz.exports.page import page

    return page(run, kept, options).encode()


def _gif(run: Run, kept: Run | None, options: Options, progress: Progress) -> bytes:
    from resviz.exports.gif import gif

    return gif(run, kept, options, progress)


def _mp4(run: Run, kept: Run | None, options: Options, progress: Progress) -> bytes:
    from resviz.exports.film import mp4

    return mp4(run, kept, options, progress)


def _webm(run: Run, kept: Run | None, options: Options, progress: Progress) -> bytes:
    from resviz.exports.film import webm

    return webm(run, kept, options, progress)


def _still(form: str) -> Writer:
    def write(run: Run, kept: Run | None, options: Options, progress: Progress) -> bytes:
        from resviz.exports.still import still

        return still(form, run, kept, options)

    return write


def _csv(run: Run, kept: Run | None, options: Options, progress: Progress) -> bytes:
    from resviz.exports.data import csv_text

    return csv_text(run).encode()


def _npz(run: Run, kept: Run | None, options: Options, progress: Progress) -> bytes:
    from resviz.exports.data import npz

    return npz(run)


def _json(run: Run, kept: Run | None, options: Options, progress: Progress) -> bytes:
    from resviz.exports.data import json_text

    return json_text(run).encode()


def _snippet(run: Run, kept: Run | None, options: Options, progress: Progress) -> bytes:
    from resviz.exports.snippet import snippet

    return snippet(run).encode()


def _weights(run: Run, kept: Run | None, options: Options, progress: Progress) -> bytes:
    from resviz.exports.weights import safetensors

    return safetensors(run)


# In the order in which people look for them.
FORMATS: Mapping[str, Format] = {
    form.ending: form
    for form in (
        Format(".html", "Page that plays anywhere", "text/html", _page, two=True),
        Format(".mp4", "Film", "video/mp4", _mp4, long=True, two=True),
        Format(".webm", "Film, open format", "video/webm", _webm, long=True, two=True),
        Format(".gif", "Moving picture", "image/gif", _gif, long=True, two=True),
        Format(".png", "Picture", "image/png", _still("png"), two=True),
        Format(".svg", "Picture, vector", "image/svg+xml", _still("svg"), two=True),
        Format(".pdf", "Picture, to print", "application/pdf", _still("pdf"), two=True),
        Format(".csv", "Tracks as a table", "text/csv", _csv),
        Format(".npz", "The whole run, for NumPy", "application/octet-stream", _npz),
        Format(".json", "Settings and scores", "application/json", _json),
        Format(".py", "Python that trains it again", "text/x-python", _snippet),
        Format(".safetensors", "Weights", "application/octet-stream", _weights),
    )
}
