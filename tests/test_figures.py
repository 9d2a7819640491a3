"""Figures say what the run says: the same numbers, the same windows, the same colours."""

from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resviz.figures.charts import layers_chart, splits_chart, training_chart
from resviz.figures.colours import COLOURINGS, LEAVING, of_classes, while_training
from resviz.figures.stage import (
    Panel,
    live_window,
    stage,
    three_panels,
    twin_panels,
    two_panels,
    waiting_panels,
    window,
)
from resviz.figures.theme import SECTORS, WINDOW, ink, sectors
from resviz.figures.ticks import log_ticks
from resviz.figures.told import reel_inside, run_told
from resviz.records import Run


def by_role(figure, role: str, panel: int) -> list[int]:
    return [
        index
        for index, trace in enumerate(figure.data)
        if trace.meta == {"role": role, "panel": panel}
    ]


def numbers(array) -> np.ndarray:
    """The numbers of Plotly's typed array, as its browser side reads them."""
    return np.frombuffer(b64decode(array["bdata"]), array["dtype"])


def points_of(traces) -> np.ndarray:
    """All points of some traces, in one order."""
    points = np.concatenate([np.column_stack([numbers(t.x), numbers(t.y)]) for t in traces])
    return points[np.lexsort(points.T)]


def in_order(points: np.ndarray) -> np.ndarray:
    return points[np.lexsort(points.T)]


def test_frames_hold_each_layer_of_both_panels(tiny_run: Run):
    figure = stage(two_panels(tiny_run), "x")
    assert len(figure.frames) == tiny_run.spec.depth + 1
    for panel, path in enumerate((tiny_run.tracks, tiny_run.geodesic)):
        moving = by_role(figure, "particles", panel)
        for frame, layer in zip(figure.frames, path, strict=True):
            drawn = points_of([frame.data[frame.traces.index(k)] for k in moving])
            np.testing.assert_allclose(drawn, in_order(layer), atol=1e-6)


def test_tracks_and_target_are_drawn_behind(tiny_run: Run):
    figure = stage(two_panels(tiny_run), "x")
    for panel, path in enumerate((tiny_run.tracks, tiny_run.geodesic)):
        drawn = points_of([figure.data[k] for k in by_role(figure, "track", panel)])
        drawn = drawn[~np.isnan(drawn).any(axis=1)]
        np.testing.assert_allclose(drawn, in_order(path.reshape(-1, 2)), atol=1e-6)
        (target,) = by_role(figure, "target", panel)
        assert target < min(by_role(figure, "particles", panel))
        dashes = figure.data[target]
        x, y = numbers(dashes.x).reshape(-1, 3), numbers(dashes.y).reshape(-1, 3)
        middles = np.column_stack([x[:, :2].mean(axis=1), y[:, 0]])
        assert in_order(middles) == pytest.approx(in_order(tiny_run.target), abs=1e-6)


def test_it_plays_without_the_player(tiny_run: Run):
    layout = stage(two_panels(tiny_run), "x").layout
    assert [button.method for button in layout.updatemenus[0].buttons] == ["animate", "animate"]
    assert len(layout.sliders[0].steps) == tiny_run.spec.depth + 1


def test_panels_share_one_window_and_scale(tiny_run: Run):
    layout = stage(three_panels(tiny_run, tiny_run), "x").layout
    assert layout.xaxis.range == layout.yaxis.range == (-WINDOW, WINDOW)
    assert layout.yaxis.scaleanchor == "x"
    for number in "23":
        assert layout[f"xaxis{number}"].matches == "x"
        assert layout[f"yaxis{number}"].matches == "y"


def test_panels_of_different_depth_share_one_clock():
    start, end = np.zeros((3, 2)), np.ones((3, 2))
    one_colour = of_classes(np.zeros(3, int))
    shallow = Panel("a", "A", np.stack([start, end]), one_colour)
    deep = Panel("b", "B", np.stack([start, start, end, end]), one_colour)
    figure = stage([shallow, deep], "x")
    assert figure.layout.meta["times"] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    (k,) = by_role(figure, "particles", 0)
    middle = figure.frames[1]
    assert numbers(middle.data[middle.traces.index(k)].x) == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("colour_by", COLOURINGS)
def test_a_particle_has_one_colour_in_every_panel_and_frame(tiny_classifier: Run, colour_by):
    panels = two_panels(tiny_classifier, colour_by=colour_by)
    figure = stage(panels, "x")
    colours = panels[0].colours
    for panel, path in enumerate((tiny_classifier.tracks, tiny_classifier.geodesic)):
        for k in by_role(figure, "particles", panel):
            mine = np.array([colours.palette[c] for c in colours.index])
            members = path[:, mine == figure.data[k].marker.color]
            for frame, layer in zip(figure.frames, members, strict=True):
                drawn = points_of([frame.data[frame.traces.index(k)]])
                np.testing.assert_allclose(drawn, in_order(layer), atol=1e-6)


def test_loud_colours_are_those_that_leave_the_geodesic(tiny_run: Run):
    shapes = np.linspace(1.0, 4.0, 30)
    run = replace(tiny_run, line_shapes=shapes)
    colours = COLOURINGS["bend"](run)
    assert colours.index[0] == 0
    assert colours.index[-1] == len(LEAVING) - 1
    assert (np.diff(colours.index) >= 0).all()
    broken = replace(tiny_run, line_shapes=np.full(30, np.inf))
    assert set(COLOURINGS["bend"](broken).index) == {len(LEAVING) - 1}
    still = replace(tiny_run, line_shapes=np.full(30, np.nan))
    assert set(COLOURINGS["bend"](still).index) == {0}
    least = np.sqrt(tiny_run.scores.w2_squared)
    astray = replace(tiny_run, map_errors=np.array([0.0] * 29 + [0.9 * least]))
    assert COLOURINGS["pairing"](astray).index.tolist() == [0] * 29 + [len(LEAVING) - 1]


def told(array) -> np.ndarray:
    return np.frombuffer(b64decode(array["bdata"]), np.dtype(array["dtype"]))


def test_the_legend_names_the_colours_that_occur(tiny_classifier: Run, tiny_run: Run):
    figure = stage(two_panels(tiny_classifier, colour_by="class"), "x")
    colours = figure.layout.meta["runs"]["present"]["colourings"]["class"]
    assert (colours["of"], colours["names"]) == ("class", ["0", "1"])
    np.testing.assert_array_equal(told(colours["index"]), tiny_classifier.labels)
    (legend,) = (a for a in figure.layout.annotations if "class" in (a.text or ""))
    assert (legend.yref, legend.y, legend.yanchor) == ("paper", 0, "top")  # under the panels
    assert not any(
        "class" in (a.text or "") for a in stage(two_panels(tiny_run), "x").layout.annotations
    )


def test_a_colour_is_what_is_usual_for_the_task(tiny_classifier: Run, tiny_run: Run):
    assert stage(two_panels(tiny_classifier), "x").layout.meta["colour"] == "class"
    assert stage(two_panels(tiny_run), "x").layout.meta["colour"] == "start"


def test_while_training_classes_are_known_and_scores_are_not(tiny_classifier: Run):
    points, labels = tiny_classifier.tracks[0], tiny_classifier.labels
    by_start, by_class = while_training(points, labels)
    np.testing.assert_array_equal(by_start.index, sectors(points))
    np.testing.assert_array_equal(by_class.index, labels)
    assert [one.name for one in while_training(points, None)] == ["start"]


def test_the_player_is_told_of_each_run_what_it_draws(tiny_run: Run):
    known = run_told(tiny_run, reel_inside(tiny_run))
    assert set(known["colourings"]) == {"start", "class", "bend", "pairing"}
    np.testing.assert_array_equal(told(known["plan"]), tiny_run.plan)
    np.testing.assert_allclose(told(known["bends"]), tiny_run.line_shapes, rtol=1e-6)
    np.testing.assert_array_equal(told(known["parameters"]), tiny_run.state.parameters)
    assert len(known["says"]) == tiny_run.spec.depth
    assert known["network"]["h"] == tiny_run.spec.step_length
    # The reel: parameters first, then plans.
    records, reel = tiny_run.history, told(known["reel"]["data"]).tobytes()
    count, size, n = len(records), len(tiny_run.state.parameters), tiny_run.spec.particles
    parameters = np.frombuffer(reel, "<f4", count * size).reshape(count, size)
    plans = np.frombuffer(reel, "<i2", offset=4 * count * size).reshape(count, n)
    for record, vector, plan in zip(records, parameters, plans, strict=True):
        np.testing.assert_array_equal(vector, record.parameters)
        np.testing.assert_array_equal(plan, record.plan)
    assert known["reel"]["steps"] == [record.step for record in records]
    assert all(f"step {r.step} " in t for r, t in zip(records, known["reel"]["told"], strict=True))


def test_panels_of_two_runs_name_whose_they_are(tiny_run: Run, tiny_classifier: Run):
    runs = {"kept": tiny_classifier, "present": tiny_run}
    known = {name: run_told(run, reel_inside(run)) for name, run in runs.items()}
    meta = stage(three_panels(tiny_classifier, tiny_run), "x", known).layout.meta
    assert [panel["of"] for panel in meta["panels"]] == ["kept", "present", "present"]
    assert [panel["way"] for panel in meta["panels"]] == ["network", "network", "geodesic"]
    assert [panel["drawn"] for panel in meta["panels"]] == ["class", "start", "start"]
    for panel in meta["panels"]:
        assert panel["drawn"] in meta["runs"][panel["of"]]["colourings"]


def test_the_network_beside_stands_in_the_middle_and_rests_while_it_trains(tiny_run: Run):
    twin = replace(tiny_run, spec=replace(tiny_run.spec, network="plain"))
    for panels in (twin_panels(tiny_run, twin), waiting_panels(tiny_run)):
        assert [panel.title for panel in panels] == ["ResNet", "Plain network", "Cheapest way"]
        assert [panel.of for panel in panels] == ["present", "twin", "present"]
    waiting = waiting_panels(tiny_run)[1]
    assert waiting.path.shape == tiny_run.tracks.shape
    np.testing.assert_array_equal(waiting.path, tiny_run.tracks[[0] * len(tiny_run.tracks)])


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_the_ground(tiny_run: Run, dark):
    figure = stage(two_panels(tiny_run), "x", dark=dark)
    assert figure.layout.font.color == figure.layout.meta["ink"] == ink(dark)


def test_a_plain_network_is_named_and_its_in_betweens_are_explained(
    tiny_run: Run, tiny_classifier: Run
):
    plain, way = stage(two_panels(tiny_classifier), "x").layout.meta["panels"]
    assert plain["title"] == "Plain network"
    assert "drawing aid" in plain["note"]
    assert not way["note"]
    residual, _ = stage(two_panels(tiny_run), "x").layout.meta["panels"]
    assert (residual["title"], residual["note"]) == ("ResNet", "")


def test_decisions_are_painted_behind_the_network_alone(tiny_classifier: Run, tiny_run: Run):
    figure = stage(two_panels(tiny_classifier), "x")
    network, way = figure.layout.meta["panels"]
    regions = network["regions"]
    cells = np.frombuffer(b64decode(regions["cells"]), np.int8)
    np.testing.assert_array_equal(cells, tiny_classifier.regions.classes.ravel())
    assert figure.layout.xaxis.range == (-regions["half"], regions["half"])
    assert "regions" not in way
    assert all("regions" not in p for p in stage(two_panels(tiny_run), "x").layout.meta["panels"])


def test_a_live_window_grows_by_leaps_where_ends_are_free():
    start = np.zeros((1, 100, 2))
    target = np.zeros((5, 2))
    assert live_window(np.concatenate([start, start + 50]), target) == WINDOW
    assert live_window(np.concatenate([start, start + 1]), None) == WINDOW
    near, far = (live_window(np.concatenate([start, start + end]), None) for end in (3.0, 3.1))
    assert near == far > 3.1
    assert live_window(np.concatenate([start, start + 50]), None) > 50
    lost = np.zeros((1, 1000, 2))
    lost[0, 0] = 1e4  # one in a thousand does not make dots of all others
    assert live_window(np.concatenate([np.zeros_like(lost), lost]), None) == WINDOW


def test_sectors_turn_with_the_start_position():
    angle = np.deg2rad([30, 90, 150, 210, 270, 330])
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    assert sectors(ring).tolist() == [0, 1, 2, 3, 4, 5]
    assert sectors(ring + np.array([7.0, -3.0])).tolist() == [0, 1, 2, 3, 4, 5]
    assert len(set(SECTORS)) == 6


def test_layers_chart_shows_gap_and_pace_in_units_of_the_whole_way(tiny_run: Run):
    gap, pace = layers_chart(tiny_run.scores).data
    assert list(gap.y) == pytest.approx(tiny_run.scores.gap)
    mean_square = np.square(pace.y[:-1]).mean()
    assert mean_square == pytest.approx(tiny_run.scores.curve_factor)
    assert gap.x[0] == 0
    assert gap.x[-1] == 1


def test_layers_chart_says_of_what_it_is_and_why_it_is_empty(tiny_run: Run):
    early = tiny_run.history[2]
    figure = layers_chart(early.scores, note=["step 1", "of 100 particles"])
    assert list(figure.data[0].y) == list(early.scores.gap)
    assert figure.layout.xaxis.title.text.endswith("<br>step 1<br>of 100 particles")
    unmeasured = replace(early.scores, gap=None, pace=None)
    empty = layers_chart(unmeasured, note=["not measured at", "step 1"])
    assert not empty.data
    assert "not measured at<br>step 1" in [a.text for a in empty.layout.annotations]
    assert len(layers_chart(unmeasured, tiny_run.scores).data) == 2  # the kept run's
    alone = layers_chart(None, tiny_run.scores)
    assert not [a.text for a in alone.layout.annotations if "B" in a.text]


def test_training_chart_shows_the_course(tiny_run: Run):
    figure = training_chart(tiny_run.history, tiny_run.spec.steps, tiny_run.history)
    assert len(figure.data) == 10
    loss = figure.data[5]
    assert list(loss.x) == [record.step for record in tiny_run.history]
    assert loss.y[-1] == pytest.approx(tiny_run.history[-1].loss)
    assert loss.y[0] is None  # no step has been taken yet, so no loss was seen


def test_the_exact_geodesic_stands_over_what_sampling_alone_gives(tiny_run: Run):
    gaps = {"exact_gap": np.array([0.1, 0.2, 0.3, 0.2]), "exact_gap_noise": np.full(4, 0.05)}
    run = replace(tiny_run, scores=replace(tiny_run.scores, **gaps))
    figure = layers_chart(run.scores)
    shown = {trace.name: list(trace.y) for trace in figure.data}
    assert shown["to the exact geodesic"] == list(gaps["exact_gap"])
    assert shown["what sampling alone gives"] == list(gaps["exact_gap_noise"])
    assert any("exact" in a.text for a in figure.layout.annotations)
    assert not any("exact" in a.text for a in layers_chart(tiny_run.scores).layout.annotations)


def test_splits_chart_shows_both_splits_over_training(tiny_run: Run):
    figure = splits_chart(tiny_run.history, tiny_run.spec.steps)
    course = {trace.name: np.array(trace.y, float) for trace in figure.data[5:]}
    first = course["speed factor"] * course["bend factor"] * course["map factor"]
    second = course["swirl factor"] * course["curve factor"]
    effort = [record.scores.action_ratio for record in tiny_run.history]
    np.testing.assert_allclose(first, effort)
    np.testing.assert_allclose(second, effort)  # fewer particles than the course counts
    kept = splits_chart(tiny_run.history, 10, tiny_run.history).data[:5]
    assert all(len(trace.x) == len(tiny_run.history) for trace in kept)


def test_training_chart_of_a_classifier_shows_its_errors(tiny_classifier: Run):
    figure = training_chart(tiny_classifier.history, tiny_classifier.spec.steps)
    wrong = [1 - record.scores.accuracy for record in tiny_classifier.history]
    assert list(figure.data[6].y) == pytest.approx(wrong)
    assert any("errors" in a.text for a in figure.layout.annotations)


def test_the_window_holds_a_run_unless_a_few_are_far_away(tiny_run: Run):
    for farthest, held in ((2.0, 2.2), (2.6, 2.6), (16.0, 2.2)):
        tracks = tiny_run.tracks.copy()
        tracks[1, 0] = farthest, 0
        half = window(two_panels(replace(tiny_run, tracks=tracks)))
        assert held <= half <= 1.05 * held


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.7, 9.5], [1, 2, 5]),
        ([0.004, None, 3], [0.01, 0.1, 1]),
        ([1.02, 1.17], [1.05, 1.1, 1.15]),
        ([1e-6, 1e9], [1e-6, 1e-2, 1e2, 1e6]),
        ([5, 5], [5]),
        ([None], []),
    ],
)
def test_a_logarithmic_axis_has_few_round_numbers(values, ticks):
    assert log_ticks(values) == pytest.approx(ticks)


@given(st.floats(1e-8, 1e8), st.floats(1, 1e12))
def test_a_logarithmic_axis_has_two_to_five_numbers(low, ratio):
    ticks = log_ticks([low, low * ratio])
    assert ticks == sorted(set(ticks))
    assert (2 if ratio > 1.01 else 1) <= len(ticks) <= 5


def test_the_courses_axes_have_numbers_of_their_own(tiny_run: Run):
    for chart in (training_chart, splits_chart):
        for axis in ("yaxis", "yaxis2"):
            own = chart(tiny_run.history, tiny_run.spec.steps).layout[axis]
            assert len(own.tickvals) == len(own.ticktext) <= 5


def test_letters_stand_above_the_titles(tiny_run: Run):
    figure = layers_chart(tiny_run.scores, tiny_run.scores)
    (letters,) = (a for a in figure.layout.annotations if ">A</b>" in a.text)
    (title,) = (a for a in figure.layout.annotations if "Off the route" in a.text)
    assert letters.y == title.y == 1
    assert letters.yshift >= title.font.size
    assert figure.layout.margin.t >= letters.yshift + letters.font.size
