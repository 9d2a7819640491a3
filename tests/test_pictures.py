"""Stills and films: each dot where its axes map it, in its colour, at its time."""

import io
import re
import zlib
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from PIL import Image

from resviz import words
from resviz.exports import Options, export
from resviz.exports.frames import frames, moments
from resviz.exports.grounds import DARK, LIGHT, contrast
from resviz.exports.layout import layout
from resviz.exports.lettering import measure
from resviz.exports.paths import at, layer_at, walked
from resviz.exports.picture import Picture, picture, place, told
from resviz.exports.sheet import Line, Sheet, sheet
from resviz.exports.still import png
from resviz.figures.colours import LEAVING, class_palette, of_classes
from resviz.figures.stage import Panel
from resviz.figures.theme import SECTORS, WINDOW, run_colours
from resviz.figures.window import ROOM, holding_window
from resviz.player import module
from resviz.records import Run

SIZE = (640, 360)
SHORT = Options(size=SIZE, seconds=1.0, rate=10)


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def colour_at(image: np.ndarray, place: np.ndarray) -> tuple[int, ...]:
    """The colour at a place in points from the lower left corner."""
    x, y = place
    return tuple(int(v) for v in image[int(len(image) - y), int(x)])


def rgb(css: str) -> tuple[int, ...]:
    return tuple(round(255 * v) for v in to_rgb(css))


def bare(*panels: Panel, half: float = 2.2) -> Sheet:
    """Panels and no lines."""
    return Sheet(panels, (), half)


def corner_dots() -> Panel:
    """Three dots that stay apart, of three colours, walking straight in two unequal steps."""
    start = np.array([[-1.5, -1.5], [1.5, -1.0], [0.0, 1.8]])
    steps = np.array([[0.0, 0.0], [0.2, 0.4], [0.4, 0.0]])
    path = (start + steps[:, None]).astype(np.float32)
    return Panel("a", "One", path, of_classes(np.array([0, 1, 2])))


# ---- Where particles are


def test_between_layers_particles_go_straight():
    path = corner_dots().path
    for layer in (0, 1, 2):
        np.testing.assert_array_equal(at(path, layer / 2), path[layer])
    np.testing.assert_allclose(at(path, 0.25), path[0] + np.array([0.1, 0.2]), atol=1e-6)
    np.testing.assert_allclose(at(path, 0.875), path[2] + [-0.05, 0.1], atol=1e-6)
    assert [layer_at(t, 3) for t in (0, 1 / 3, 2 / 3 - 1e-9, 0.99, 1)] == [0, 1, 2, 2, 3]


def test_a_track_goes_through_every_layer_between_its_ends():
    path = corner_dots().path
    np.testing.assert_array_equal(walked(path, 0.0, 1.0), path.swapaxes(0, 1))
    part = walked(path, 0.25, 0.75)
    np.testing.assert_allclose(part[:, 0], at(path, 0.25))
    np.testing.assert_allclose(part[:, 1], path[1])
    np.testing.assert_allclose(part[:, 2], at(path, 0.75))
    assert part.shape == (3, 3, 2)
    assert walked(path, 0.0, 0.5).shape == (3, 2, 2)  # an end that is a layer is there once
    assert walked(path, 0.5, 1.0).shape == (3, 2, 2)


# ---- Places on the page


SIZES = (
    (240, 240), (320, 240), (480, 270), (960, 240), (240, 960), (3840, 960), (960, 3840),
    (720, 1280), (1280, 720),
)  # fmt: skip


@pytest.fixture(scope="module")
def crowded(tiny_run: Run, tiny_classifier: Run, stopped_run: Run, diverged_run: Run):
    """Sheets with much to say, each by what is in it."""
    wordy = replace(
        tiny_classifier,
        spec=replace(tiny_classifier.spec, source="text:Wasserst", seed=123456, kinetic=0.0123),
    )
    long_names = replace(
        tiny_run, spec=replace(tiny_run.spec, source="anisotropic_gaussian", step_size="1")
    )
    bend = Options(colour="bend")
    return {
        "diverged": sheet(diverged_run),
        "long names": sheet(long_names, options=Options(colour="pairing")),
        "classes": sheet(wordy, options=bend),
        "stopped beside diverged": sheet(stopped_run, diverged_run),
        "other clouds": sheet(wordy, diverged_run, bend),
    }


def renderers(width: int, height: int):
    """What measures text for pixels, and what does for vector forms."""
    return RendererAgg(width, height, 72), RendererSVG(width, height, io.StringIO())


@pytest.mark.parametrize("size", SIZES)
def test_no_text_leaves_the_picture_or_lies_on_another_or_on_a_panel(crowded, size):
    for contents in crowded.values():
        assert_all_is_in_its_place(contents, size)


def assert_all_is_in_its_place(contents: Sheet, size: tuple[int, int]) -> None:
    width, height = size
    drawn = picture(contents, size)
    place(drawn, 1.0)
    boxes = [moving.axes.get_window_extent() for moving in drawn.panels]
    for box in boxes:
        assert box.x0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    for renderer in renderers(width, height):
        texts = [(text, text.get_window_extent(renderer)) for text in drawn.figure.texts]
        for text, box in texts:
            assert box.x0 >= 0, text
            assert box.x1 <= width, text
            assert box.y0 >= 0, text
            assert box.y1 <= height, text
            # A line's box is as high as the tallest letter and the deepest tail.
            assert not any(box.padded(-1).overlaps(panel) for panel in boxes), text
        for (a, one), (b, other) in combinations(texts, 2):
            assert not one.padded(-1).overlaps(other.padded(-1)), (a, b)
        for moving, panel in zip(drawn.panels, boxes, strict=True):
            for text in (moving.note, moving.outside):
                text.set_visible(bool(text.get_text()))
                if text.get_text():
                    box = text.get_window_extent(renderer)
                    assert panel.x0 <= box.x0 < box.x1 <= panel.x1, text
                    assert panel.y0 <= box.y0 < box.y1 <= panel.y1, text
    share = len(boxes) * drawn.panels[0].axes.get_window_extent().width ** 2 / (width * height)
    assert share > 0.1  # the panels are what is looked at
    said = spoken(drawn)
    for line in contents.lines:
        if line.chief or line.warns:
            assert all(part in said for part in line.parts)


def spoken(drawn: Picture) -> str:
    """All that is written on a picture, whatever its lines."""
    return " ".join(text.get_text() for text in drawn.figure.texts)


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (480, 270), (720, 1280), (900, 900)])
@pytest.mark.parametrize("two", [False, True])
def test_panels_are_large_and_everything_is_said(tiny_run: Run, size, two):
    contents = sheet(tiny_run, tiny_run if two else None)
    titles = [panel.title for panel in contents.panels]
    places = layout(titles, contents.lines, size, (), measure)
    assert len(titles) * places.side**2 / (size[0] * size[1]) > 0.22
    assert {words.line for words in places.words} == set(contents.lines)


def test_where_there_is_little_room_the_quiet_goes_first_and_a_warning_never():
    lines = (
        Line(("the chief thing",), 27, chief=True),
        Line(tuple(f"detail {k} of many" for k in range(60)), 19),
        Line(("it was stopped",), 19, warns=True),
        Line(tuple(f"setting {k}" for k in range(60)), 14, quiet=True),
    )
    roomy = layout(["One", "Two"], lines, (1280, 1280), (), measure)
    assert {words.line for words in roomy.words} == set(lines)
    narrow = layout(["One", "Two"], lines, (480, 270), (), measure)
    told = {words.line for words in narrow.words}
    assert {lines[0], lines[2]} <= told < set(lines)
    assert lines[3] not in told


def test_a_long_line_is_broken_between_its_parts():
    parts = tuple(f"part {k} of a line" for k in range(12))
    places = layout(["", ""], [Line(parts, 19)], (640, 360), (), measure)
    assert len(places.words) > 1
    assert tuple(" · ".join(line.text for line in places.words).split(" · ")) == parts
    one = layout(["", ""], [Line(("x" * 90,), 19)], (640, 360), (), measure)
    assert measure(one.words[0].text, one.words[0].size) <= 640
    for text in ("x" * 300, "word " * 60):
        many = layout(["", ""], [Line((text.strip(),), 19)], (640, 360), (), measure)
        assert len(many.words) > 1
        assert "".join(line.text for line in many.words).replace(" ", "") == text.replace(" ", "")
        assert all(measure(line.text, line.size) <= 640 for line in many.words)


# ---- Stills


@pytest.mark.parametrize("dark", [False, True])
def test_a_dot_has_its_colour_where_its_axes_map_it(dark):
    panel = corner_dots()
    drawn = picture(bare(panel, panel), SIZE, dark)
    for t in (0.0, 0.25, 1.0):
        place(drawn, t)
        image = pixels(png(drawn))
        assert image.shape == (360, 640, 3)
        assert colour_at(image, (2, 2)) == rgb("#0E1117" if dark else "#FFFFFF")
        for moving in drawn.panels:
            spots = moving.axes.transData.transform(at(panel.path, t))
            for k, spot in enumerate(spots):
                assert colour_at(image, spot) == rgb(panel.colours.palette[k])


def test_what_is_walked_is_solid_and_what_is_to_come_is_faint():
    panel = replace(corner_dots(), path=np.array([[[-2.0, 0.0]], [[2.0, 0.0]]], np.float32))
    panel = replace(panel, colours=of_classes(np.zeros(1, int)))
    drawn = picture(bare(panel), (640, 640))
    place(drawn, 0.5)
    image = pixels(png(drawn)).astype(int)
    behind, ahead = drawn.panels[0].axes.transData.transform([[-1.0, 0.0], [1.0, 0.0]])
    # The line may lie between two rows of pixels.
    loud, faint = (
        max(np.ptp(image[640 - int(y) + k, int(x)]) for k in (-1, 0, 1)) for x, y in (behind, ahead)
    )
    assert loud > 2.5 * faint > 0


def test_regions_are_those_of_the_layer_that_is_reached(tiny_classifier: Run):
    drawn = picture(sheet(tiny_classifier), SIZE)
    network, cheapest = drawn.panels
    assert cheapest.regions is None
    seen = []
    for t in (0.0, 1.0):
        place(drawn, t)
        classes = tiny_classifier.regions.classes[layer_at(t, 3)]
        tints = network.regions.get_array()
        for k in np.unique(classes):
            assert len(np.unique(tints[classes == k], axis=0)) == 1
        seen.append(np.asarray(tints))
    left, right, bottom, top = network.regions.get_extent()
    half = tiny_classifier.regions.half
    assert (left, right, bottom, top) == (-half, half, -half, half)
    assert len(np.unique(seen[1].reshape(-1, 4), axis=0)) == 2


@pytest.fixture
def far_run(tiny_run: Run) -> Run:
    """A run whose particles leave the clouds' square half-way, and come back."""
    tracks = tiny_run.tracks.copy()
    tracks[1, ::3] *= 3.0
    return replace(tiny_run, tracks=tracks)


def test_every_particle_is_in_the_picture_at_every_moment_and_in_every_panel(
    far_run: Run, tiny_run: Run
):
    assert np.abs(far_run.tracks).max() > 2.2
    for contents in (sheet(far_run), sheet(far_run, tiny_run), sheet(tiny_run, far_run)):
        drawn = picture(contents, SIZE)
        limits = {moving.axes.get_xlim() + moving.axes.get_ylim() for moving in drawn.panels}
        assert len(limits) == 1
        for t in np.linspace(0, 1, 7):
            place(drawn, t)
            for moving in drawn.panels:
                spots = moving.axes.transData.transform(moving.dots.get_offsets())
                box = moving.axes.get_window_extent()
                assert (spots > [box.x0, box.y0]).all()
                assert (spots < [box.x1, box.y1]).all()
                assert not moving.outside.get_visible()


def test_a_window_holds_all_but_an_outlier_and_is_never_smaller_than_the_clouds():
    path = np.zeros((2, 200, 2), np.float32)
    assert holding_window([path]) == WINDOW
    path[1, :, 0] = np.linspace(-4, 4, 200)
    assert holding_window([path]) == pytest.approx(ROOM * 4)
    assert holding_window([path], [np.array([[0.0, -9.0]])]) == pytest.approx(ROOM * 9)
    path[1, 7] = [5.0, 0.0]  # a little farther than the rest: the picture can do with that
    assert holding_window([path]) == pytest.approx(ROOM * 5)
    path[1, 7] = [400.0, 0.0]
    assert holding_window([path]) == pytest.approx(ROOM * 4, rel=0.05)
    path[0, 9] = np.nan
    assert holding_window([path]) == pytest.approx(ROOM * 4, rel=0.05)
    # In either panel, whatever their order, and at whatever moment.
    still = np.zeros_like(path)
    assert holding_window([still, path[::-1]]) == holding_window([path, still])


def test_an_outlier_is_counted_and_in_no_alarming_colour():
    path = np.array([[[0.0, 0.0], [1.0, 1.0]], [[9.0, 0.0], [1.0, -9.0]]], np.float32)
    drawn = picture(bare(Panel("a", "One", path, of_classes(np.array([0, 1])))), SIZE)
    mark = drawn.panels[0].outside
    assert not mark.get_visible()
    place(drawn, 0.3)
    assert (mark.get_visible(), mark.get_text()) == (True, "1 point outside")
    place(drawn, 1.0)
    assert mark.get_text() == "2 points outside"
    assert mark.get_color() == LIGHT.ink


@pytest.mark.parametrize("zoom", [0.5, 7.0])
def test_a_window_may_be_asked_for(far_run: Run, zoom):
    contents = sheet(far_run, options=Options(zoom=zoom))
    for moving in picture(contents, SIZE).panels:
        assert moving.axes.get_xlim() == moving.axes.get_ylim() == (-zoom, zoom)


# ---- What can be seen


@pytest.mark.parametrize("ground", [LIGHT, DARK], ids=["light", "dark"])
def test_all_text_can_be_read_and_all_marks_can_be_seen(ground, crowded):
    dark = ground is DARK
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#767676", "#FFFFFF") == pytest.approx(4.54, abs=0.01)
    for contents in crowded.values():
        drawn = picture(contents, SIZE, dark)
        page = drawn.figure.get_facecolor()
        assert to_rgb(page) == to_rgb(ground.page)
        corners = [text for moving in drawn.panels for text in (moving.note, moving.outside)]
        for text in (*drawn.figure.texts, *corners):
            assert contrast(text.get_color(), page) >= 4.5, text
        marks = [line for line in drawn.figure.artists if isinstance(line, Line2D)]
        for line in marks:
            if line.get_marker() == "o":
                seen = line.get_markerfacecolor(), line.get_markeredgecolor()
                assert max(contrast(colour, page) for colour in seen) >= 3, line
        assert contrast(drawn.hand.get_color(), page) >= 3
        for moving in drawn.panels:
            # A dot is seen by its own colour, or by the line around it.
            dots = zip(moving.dots.get_facecolor(), moving.dots.get_edgecolor(), strict=True)
            for own, rim in np.unique([np.r_[a, b] for a, b in dots], axis=0).reshape(-1, 2, 4):
                assert max(contrast(own, page), contrast(rim, page)) >= 3
    for palette in (SECTORS, LEAVING, class_palette(6)):
        for colour in palette:
            assert (
                max(contrast(colour, ground.page), contrast(ground.rim_of(colour), ground.page))
                >= 3
            )
    assert ground.runs == run_colours(dark)
    # The player, which is not Python's, outlines its dots in the same colour.
    assert f'"{ground.outline}"' in module()


def test_what_is_written_in_a_small_panel_does_not_overlap():
    panel = replace(corner_dots(), note="between layers: a drawing aid")
    panel = replace(panel, path=panel.path * 9)
    drawn = picture(bare(panel, panel, panel), (640, 360))
    place(drawn, 1.0)
    for moving in drawn.panels:
        note, outside = (text.get_window_extent() for text in (moving.note, moving.outside))
        assert not note.overlaps(outside)
        assert moving.outside.get_visible()


def texts_of_svg(data: bytes) -> list[str]:
    tree = ElementTree.fromstring(data)
    return [node.text for node in tree.iter("{http://www.w3.org/2000/svg}text")]


def test_an_svg_holds_its_texts_as_text(tiny_run: Run):
    data = export(".svg", tiny_run, options=Options(t=0.5, size=SIZE))
    root = ElementTree.fromstring(data)
    assert (root.get("width"), root.get("height")) == ("640", "360")  # pixels, not points
    assert root.get("viewBox") == "0 0 640 360"
    texts = texts_of_svg(data)
    for text in ("ResNet", "Cheapest way", words.effort_sentence(tiny_run.scores)):
        assert text in texts
    assert any(text.startswith("t 0.50, layer 1 of 3") for text in texts)
    for part in words.score_line(tiny_run.scores).split(" · "):
        assert any(part in text for text in texts)
    assert b"'DejaVu Sans', Verdana" in data
    assert data == export(".svg", tiny_run, options=Options(t=0.5, size=SIZE))


def test_two_runs_are_told_apart_and_compared(tiny_run: Run):
    kept = replace(tiny_run, spec=replace(tiny_run.spec, kinetic=0.5))
    texts = texts_of_svg(export(".svg", tiny_run, kept))
    joined = " ".join(texts)
    for letter, run in (("A", kept), ("B", tiny_run)):
        assert f"{letter}: {words.effort_sentence(run.scores)}" in texts
    assert words.compare(kept, tiny_run) in joined
    assert {"A", "B"} < {line.run for line in sheet(tiny_run, kept).lines}


def test_a_legend_names_classes(tiny_classifier: Run):
    texts = texts_of_svg(export(".svg", tiny_classifier))
    assert "class" in texts
    dots = [
        line
        for line in picture(sheet(tiny_classifier), SIZE).figure.artists
        if isinstance(line, Line2D) and line.get_marker() == "o"
    ]
    assert {dot.get_markerfacecolor() for dot in dots} == set(class_palette(2))
    bends = texts_of_svg(export(".svg", tiny_classifier, options=Options(colour="bend")))
    assert "LSS up to" in bends


def texts_of_pdf(data: bytes) -> str:
    """What its text operators show, a line each; their strings are of two-byte characters."""
    shown = []
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL):
        try:
            content = zlib.decompress(stream)
        except zlib.error:
            continue
        for block in re.findall(rb"\nBT\n(.*?)\nET", content, re.DOTALL):
            strings = re.findall(rb"\(((?:\\.|[^\\)])*)\)", block, re.DOTALL)
            plain = b"".join(re.sub(rb"\\(.)", rb"\1", part) for part in strings)
            shown.append(plain.decode("utf-16-be", errors="replace"))
    return "\n".join(shown)


def test_a_pdf_holds_its_texts_as_text(tiny_run: Run):
    data = export(".pdf", tiny_run, options=Options(t=0.5, size=SIZE))
    assert data.rstrip().endswith(b"%%EOF")
    assert b"/MediaBox [ 0 0 480 270 ]" in data  # points: 640 × 360 pixels of a page
    told = texts_of_pdf(data)
    for text in ("ResNet", "Cheapest way", "t 0.50, layer 1 of 3", "Pairing (OTS)"):
        assert text in told


# ---- Films


def test_a_loop_rests_at_both_ends_and_goes_evenly_between():
    t = moments(Options(seconds=5.7, rate=10))
    assert len(t) == 57
    assert (t[:6] == 0).all()  # half a second, and the moment it leaves
    assert t[6] > 0
    assert (t[-12:] == 1).all()  # the last 1.2 s
    assert t[-13] < 1
    np.testing.assert_allclose(np.diff(t[5:45]), 1 / 40)
    eased = moments(Options(seconds=5.7, rate=10, eased=True))
    assert np.all(np.diff(eased) >= 0)
    assert eased[6] < t[6]
    assert eased[25] == pytest.approx(0.5)


@pytest.mark.parametrize("seconds", [1.0, 2.3, 60.0])
@pytest.mark.parametrize("rate", [5, 24, 60])
def test_every_loop_shows_both_ends(seconds, rate):
    t = moments(Options(seconds=seconds, rate=rate))
    assert len(t) == round(seconds * rate)
    assert (t[0], t[-1]) == (0.0, 1.0)


def test_a_film_is_drawn_as_its_stills_are(tiny_run: Run, tiny_classifier: Run):
    for run in (tiny_run, tiny_classifier):
        contents = sheet(run)
        film, single = picture(contents, SIZE), picture(contents, SIZE)
        for t, drawn in zip(
            (0.0, 0.4, 0.4, 0.8, 1.0), frames(film, (0.0, 0.4, 0.4, 0.8, 1.0)), strict=True
        ):
            place(single, t)
            still = pixels(png(single)).astype(int)
            away = np.abs(drawn[:, :, :3] - still).max(axis=2)
            assert (away > 40).mean() < 0.002  # where a track is laid on in parts
            assert away.mean() < 0.2


def test_a_gif_has_a_picture_for_each_moment_and_begins_again(tiny_run: Run):
    options = replace(SHORT, seconds=2.0, rate=15)
    data = export(".gif", tiny_run, options=options)
    image = Image.open(io.BytesIO(data))
    times = list(dict.fromkeys(moments(options)))
    assert image.n_frames == len(times)
    assert image.size == SIZE
    assert image.info["loop"] == 0
    palettes, lasting = set(), 0
    contents = sheet(tiny_run)
    for k, drawn in enumerate(frames(picture(contents, SIZE), times)):
        image.seek(k)
        lasting += image.info["duration"]
        palettes.add(bytes(image.global_palette.palette))
        shown = np.asarray(image.convert("RGB")).astype(int)
        away = np.abs(shown - drawn[:, :, :3]).max(axis=2)
        assert np.quantile(away, 0.999) < 40
        assert away.mean() < 1
    assert lasting == 2000
    assert len(palettes) == 1
    colours = set(map(tuple, np.frombuffer(palettes.pop(), np.uint8).reshape(-1, 3).tolist()))
    of_particles = contents.panels[0].colours
    assert {rgb(of_particles.palette[c]) for c in of_particles.index} <= colours
    assert rgb("#FFFFFF") in colours


@pytest.mark.parametrize(("ending", "codec"), [(".mp4", "h264"), (".webm", "vp9")])
def test_a_film_has_every_picture_in_its_colours(ending, codec, tiny_run: Run):
    options = replace(SHORT, seconds=1.5, rate=20, dark=True)
    data = export(ending, tiny_run, options=options)
    with av.open(io.BytesIO(data)) as film:
        stream = film.streams.video[0]
        assert stream.codec_context.name == codec
        assert stream.pix_fmt == "yuv420p"
        assert (stream.width, stream.height) == SIZE
        assert stream.average_rate == 20
        decoded = list(film.decode(stream))
    times = moments(options)
    assert len(decoded) == len(times) == 30
    assert [frame.time for frame in decoded] == pytest.approx(np.arange(30) / 20, abs=1e-3)
    k = 15
    shown = decoded[k].to_ndarray(format="rgb24").astype(int)
    (drawn,) = frames(picture(sheet(tiny_run), SIZE, True), [times[k]])
    away = np.abs(shown - drawn[:, :, :3]).mean()
    assert away < 3
    assert np.abs(shown[2, 2] - rgb("#0E1117")).max() <= 3


def test_the_film_s_clock_tells_each_run_s_layers(tiny_run: Run):
    deep, flat = corner_dots(), corner_dots()
    flat = replace(flat, path=flat.path[[0, 2]])
    assert told(bare(deep, flat), 0.5) == "t 0.50, layer 1 of 2 | 0 of 1"
    assert told(bare(deep, deep), 1.0) == "t 1.00, layer 2 of 2"
