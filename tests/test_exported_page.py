"""The HTML that is taken home: whole by itself, with what it says of one run or of two."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from resviz import words
from resviz.exports import Options, export
from resviz.exports.grounds import contrast
from resviz.figures.theme import KEPT, PRESENT, run_colours
from resviz.records import Run

VOID = {"meta", "link", "br", "img", "input"}


class Page(HTMLParser):
    """Elements with their attributes and their text; raises if they are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.open: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        element = (tag, dict(attributes), [])
        self.found.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        name, *_ = self.open.pop()
        assert name == tag

    def handle_data(self, data):
        for _, _, texts in self.open:
            texts.append(data)

    def all(self, tag: str, **attributes: str) -> list[tuple[dict[str, str | None], str]]:
        return [
            (own, "".join(texts))
            for name, own, texts in self.found
            if name == tag and attributes.items() <= own.items()
        ]

    def data(self) -> dict:
        ((_, text),) = self.all("script", id="resviz-page")
        return json.loads(text)


@pytest.fixture(scope="module")
def other_run(tiny_run: Run) -> Run:
    scores = replace(tiny_run.scores, action_ratio=7.25)
    return replace(tiny_run, spec=replace(tiny_run.spec, kinetic=0.5), scores=scores)


def made(run: Run, kept: Run | None = None, **options) -> Page:
    return Page(export(".html", run, kept, Options(**options)).decode())


def test_a_page_asks_for_nothing(tiny_run: Run, other_run: Run):
    page = made(tiny_run, other_run)
    for tag, attributes, _ in page.found:
        assert tag not in ("link", "img", "iframe", "base", "object", "form")
        assert not {"src", "href", "action", "style"} & attributes.keys(), tag
    ((policy, _),) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy["content"].startswith("default-src 'none'")
    assert "http" not in policy["content"]
    ((_, style),) = page.all("style")
    assert "url(" not in style
    assert "@import" not in style
    ((_, script),) = page.all("script", type="module")
    assert not re.findall(r"^\s*(import|export)\b", script, re.MULTILINE)
    assert "http" not in script.replace('startsWith("http")', "")
    assert "createPlayer" in script


def test_a_page_of_one_run_says_where_to_look_and_its_scores(tiny_run: Run):
    page = made(tiny_run)
    assert page.all("h1")[0][1] == words.TITLE
    assert page.all("p", **{"class": "subtitle"})[0][1] == words.SUBTITLES["match"]
    assert page.all("p", **{"class": "look"})[0][1] == words.look_at(tiny_run)
    ((_, scores),) = page.all("section")
    assert scores.strip() == words.score_line(tiny_run.scores)
    ((_, settings),) = page.all("p", **{"class": "settings"})
    assert "target ring · " in settings
    assert "projections" not in settings  # it changes nothing here
    assert not [own for own, _ in page.all("button") if "data-show" in own]
    assert [own["data-view"] for own, _ in page.all("div")] == ["one"]
    data = page.data()
    assert data["shown"] == "one"
    assert data["talk"] == []


def test_a_page_of_two_runs_holds_a_b_and_both(tiny_run: Run, other_run: Run):
    page = made(tiny_run, other_run)
    assert page.all("p", **{"class": "look"})[0][1] == words.compare(other_run, tiny_run)
    ((_, scores),) = page.all("section")
    for letter, run in (("A", other_run), ("B", tiny_run)):
        assert f"{letter} {words.score_line(run.scores)}" in scores
    assert "kinetic 0.5 → 0.0" in page.all("p", **{"class": "settings"})[0][1]
    views = ["A", "B", "both"]
    assert [own["data-show"] for own, _ in page.all("button") if "data-show" in own] == views
    assert [own["data-view"] for own, _ in page.all("div")] == views
    assert all(own["aria-label"] for own, _ in page.all("div"))
    data = page.data()
    assert data["shown"] == "both"
    charts = {name: chart["layout"]["meta"] for name, chart in data["charts"].items()}
    assert len({meta["id"] for meta in charts.values()}) == 3
    shown = {name: [panel["of"] for panel in meta["panels"]] for name, meta in charts.items()}
    assert shown == {
        "A": ["kept", "kept"],
        "B": ["present", "present"],
        "both": ["kept", "present", "present"],
    }


def test_what_is_told_of_a_run_is_there_once(tiny_run: Run, other_run: Run):
    data = made(tiny_run, other_run).data()
    assert data["runs"].keys() == {"kept", "present"}
    for name, run in (("kept", other_run), ("present", tiny_run)):
        told = data["runs"][name]
        assert told["reel"]["steps"] == [record.step for record in run.history]
        assert "data" in told["reel"]  # the course itself, and no address of it
        assert {"start", "bend", "pairing"} <= told["colourings"].keys()
    assert all("runs" not in chart["layout"]["meta"] for chart in data["charts"].values())
    frames = {len(chart["frames"]) for chart in data["charts"].values()}
    assert frames == {tiny_run.spec.depth + 1}


def test_what_is_told_of_each_step_is_of_that_step(tiny_run: Run, other_run: Run):
    short = replace(other_run, history=(*other_run.history[:3], other_run.history[-1]))
    data = made(tiny_run, short).data()
    for name, run in (("kept", short), ("present", tiny_run)):
        told = data["moments"][name]
        assert [one["step"] for one in told] == [record.step for record in run.history]
        assert told[-1]["look"] == words.look_at(run)
        assert told[-1]["scores"].endswith(words.score_line(run.scores, run.class_scores))
    # Both at one share of their own courses, which have 4 and 11 points.
    pairs = [tuple(map(int, steps.split("/"))) for steps in data["compared"]]
    shares = [round(3 * k / 10) for k in range(11)]
    assert pairs == [(short.history[s].step, k) for k, s in enumerate(shares)]
    assert data["compared"][f"{short.state.step}/10"] == words.compare(short, tiny_run)


def test_a_talk_shows_a_and_then_b(tiny_run: Run, other_run: Run):
    page = made(tiny_run, other_run, present=True)
    assert "data-talk" in page.all("html")[0][0]
    a, b = page.data()["talk"]
    assert (a["view"], b["view"]) == ("A", "B")
    assert a["says"][0] == words.look_at(other_run)
    assert "Effort 7.25" in a["says"][1]
    assert b["says"][1] == words.compare(other_run, tiny_run)
    assert len(a["says"]) == len(b["says"]) == 3
    (alone,) = made(tiny_run, present=True).data()["talk"]
    assert alone["view"] == "one"
    assert len(set(alone["says"])) == 3
    assert "data-talk" not in made(tiny_run).all("html")[0][0]


def test_a_dark_page_has_dark_charts(tiny_run: Run):
    page = made(tiny_run, dark=True)
    assert page.all("html")[0][0]["class"] == "dark"
    (chart,) = page.data()["charts"].values()
    (light,) = made(tiny_run).data()["charts"].values()
    assert chart["layout"]["font"]["color"] != light["layout"]["font"]["color"]


def test_colours_are_those_asked_for(tiny_classifier: Run):
    assert made(tiny_classifier).data()["charts"]["one"]["layout"]["meta"]["colour"] == "class"
    bent = made(tiny_classifier, colour="bend").data()
    assert bent["charts"]["one"]["layout"]["meta"]["colour"] == "bend"


def test_all_views_of_a_page_show_every_particle_in_one_window(tiny_run: Run, other_run: Run):
    far = replace(other_run, tracks=2.5 * other_run.tracks)
    assert np.abs(far.tracks).max() > 2.2
    charts = made(tiny_run, far).data()["charts"].values()
    (half,) = {chart["layout"]["meta"]["half"] for chart in charts}
    assert half > np.abs(far.tracks).max()
    for chart in charts:
        assert (
            chart["layout"]["xaxis"]["range"] == chart["layout"]["yaxis"]["range"] == [-half, half]
        )
    (chart,) = made(tiny_run, zoom=1.5).data()["charts"].values()
    assert chart["layout"]["meta"]["half"] == 1.5


def test_a_page_says_which_run_ended_before_its_last_step(tiny_run: Run, stopped_run: Run):
    page = made(tiny_run, stopped_run)
    ((own, said),) = page.all("p", **{"class": "ending"})
    assert own["data-run"] == "A"
    assert said == f"A {words.ending(stopped_run)}"
    assert "steps 4 of 10 → 10" in page.all("p", **{"class": "settings"})[0][1]
    assert not made(tiny_run).all("p", **{"class": "ending"})


def colours(rule: str) -> dict[str, str]:
    """The colours that a rule of the page's style names, by their names."""
    return dict(re.findall(r"--([a-z]+): (#[0-9A-Fa-f]{6});", rule))


def test_the_page_s_text_can_be_read_on_both_grounds(tiny_run: Run):
    ((_, style),) = made(tiny_run).all("style")
    light = colours(re.search(r":root \{[^}]*\}", style)[0])
    dark = colours(re.search(r":root\.dark[^{]*\{[^}]*\}", style)[0])
    assert light.keys() == dark.keys() == {"ground", "ink", "link", "warning", "a", "b"}
    for names in (light, dark):
        for name in names.keys() - {"ground"}:
            assert contrast(names[name], names["ground"]) >= 4.5, name
    assert (dark["a"], dark["b"]) == run_colours(dark=True)
    # What is written on A's colour and on B's, and on that of a pressed button.
    for colour in (KEPT, PRESENT, "#0072B2"):
        assert contrast("#FFFFFF", colour) >= 4.5


@pytest.mark.browser
@pytest.mark.parametrize("size", [(1280, 720), (360, 640)])
def test_a_page_is_printed_on_one_sheet_as_it_stands(
    size, browser: Browser, tmp_path, tiny_run: Run, stopped_run: Run
):
    path = tmp_path / "page.html"
    path.write_bytes(export(".html", tiny_run, stopped_run, Options(dark=True)))
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, bypass_csp=True)
    page.goto(path.as_uri())
    page.wait_for_function("window.resviz?.painted > 0")
    page.evaluate("window.resviz.setPlaying(false); window.resviz.seek(0.5)")
    page.wait_for_function(
        "document.querySelector('.resviz-bar output').textContent.includes('0.50')"
    )
    page.emulate_media(media="print")
    still = page.locator(".still canvas")
    expect(still).to_be_visible()
    for hidden in ("nav", "main", ".caption"):
        expect(page.locator(hidden)).to_be_hidden()
    for shown in ("h1", ".look", ".scores", ".ending", ".settings"):
        expect(page.locator(shown)).to_be_visible()
    expect(page.locator(".still figcaption")).to_contain_text("t 0.50")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    # Its particles are in every panel: A's network, B's, and the cheapest way.
    painted = still.evaluate(PAINTED_IN_THIRDS)
    assert min(painted) > 100, painted
    for landscape in (False, True):
        paper = page.pdf(format="A4", landscape=landscape)
        assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1
    page.close()


# How many pixels in each third of a canvas have a colour.
PAINTED_IN_THIRDS = """canvas => [0, 1, 2].map((third) => {
  const wide = Math.floor(canvas.width / 3), context = canvas.getContext("2d");
  const { data } = context.getImageData(third * wide, 0, wide, canvas.height);
  let count = 0;
  for (let k = 0; k < data.length; k += 4) {
    const part = data.slice(k, k + 3);
    if (data[k + 3] > 128 && Math.max(...part) - Math.min(...part) > 60) count++;
  }
  return count;
})"""


def test_data_cannot_end_its_element(tiny_run: Run):
    text = export(".html", tiny_run).decode()
    start = text.index('<script type="application/json"')
    assert "<" not in text[text.index(">", start) + 1 : text.index("</script>", start)]
