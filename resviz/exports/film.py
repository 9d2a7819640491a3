"""A loop of a run as a film: H.264 in MP4, or VP9 in WebM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)

from resviz.exports.frames import frames, moments
from resviz.exports.options import Options, Progress
from resviz.exports.picture import picture
from resviz.exports.sheet import sheet
from resviz.records import Run

THREADS = 2  # of the encoder: others are served, too
KEY_SECONDS = 2  # between two pictures that one may jump to


@dataclass(frozen=True)
class Codec:
    """How a film is packed."""

    name: str
    container: str
    options: Mapping[str, str]
    container_options: Mapping[str, str]


H264 = Codec(
    "libx264", "mp4", {"crf": "18", "preset": "veryfast"},
    {"movflags": "+faststart"},  # plays while it loads
)  # fmt: skip
VP9 = Codec(
    "libvpx-vp9", "webm",
    {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}, {},
)  # fmt: skip


def mp4(run: Run, kept: Run | None, options: Options, progress: Progress) -> bytes:
    """A film that every browser and slide program plays."""
    return _film(H264, run, kept, options, progress)


def webm(run: Run, kept: Run | None, options: Options, progress: Progress) -> bytes:
    """The same without patents."""
    return _film(VP9, run, kept, options, progress)


def _film(codec: Codec, run: Run, kept: Run | None, options: Options, progress: Progress) -> bytes:
    times = moments(options)
    reformatter = VideoReformatter()
    contents = sheet(run, kept, options)
    drawn = picture(contents, options.size, options.dark)
    with TemporaryDirectory() as folder:
        # A file: a film's index is written last and stands first.
        path = Path(folder) / f"film.{codec.container}"
        with av.open(
            path, "w", format=codec.container, options=dict(codec.container_options)
        ) as container:
            container.metadata.update(title=contents.title, comment=contents.about)
            stream = _stream(container, codec, options)
            for done, pixels in enumerate(frames(drawn, times), 1):
                frame = _in_film_colours(reformatter, pixels)
                frame.pts, frame.time_base = done - 1, Fraction(1, options.rate)
                container.mux(stream.encode(frame))
                progress(done, len(times))
            container.mux(stream.encode())
        return path.read_bytes()


def _in_film_colours(reformatter: VideoReformatter, pixels: np.ndarray) -> av.VideoFrame:
    return reformatter.reformat(
        av.VideoFrame.from_ndarray(pixels, format="rgba"),
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=Interpolation.BICUBIC,
        threads=1,
    )


def _stream(container: av.container.OutputContainer, codec: Codec, options: Options):
    stream = container.add_stream(codec.name, rate=options.rate, options=dict(codec.options))
    stream.width, stream.height = options.size
    stream.pix_fmt = "yuv420p"
    stream.time_base = Fraction(1, options.rate)
    context = stream.codec_context
    context.gop_size = KEY_SECONDS * options.rate
    context.thread_count = THREADS
    # Named, so that players do not guess the colours from the size.
    context.colorspace = Colorspace.ITU709
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    context.color_range = ColorRange.MPEG
    return stream
