"""A run, or A and B, as one HTML file that plays anywhere and asks the network for nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

from plotly.offline import get_plotlyjs

from resviz import words
from resviz.exports import moments, titles
from resviz.exports.options import DEFAULTS, Options
from resviz.exports.sheet import half_side
from resviz.figures import theme
from resviz.figures.stage import Panel, stage, three_panels, two_panels
from resviz.figures.told import reel_inside, run_told
from resviz.player import script
from resviz.records import Run
from resviz.spec import FIELDS

HERE = Path(__file__).parent
# Of the page's style, by their names in `theme`.
COLOURS = (
    *("INK", "INK_ON_DARK", "PAGE", "PAGE_ON_DARK", "WARNING", "WARNING_ON_DARK"),
    *("KEPT", "KEPT_ON_DARK", "PRESENT", "PRESENT_ON_DARK"),
)
CHEAPEST = "1 is the cheapest way."
ALTERNATIVES = {
    "one": "Two square panels. Left: particles move through the layers of a network. Right: the "
    "same particles on the cheapest way to the same end.",
    "A": "Two square panels of run A. Left: particles move through the layers of its network. "
    "Right: the same particles on the cheapest way to the same end.",
    "B": "Two square panels of run B. Left: particles move through the layers of its network. "
    "Right: the same particles on the cheapest way to the same end.",
    "both": "Three square panels. Left: particles move through the network of run A. Middle: "
    "through that of run B. Right: on the cheapest way to B's end.",
}
TIPS = {
    "A": "Run A and the cheapest way to its end (a)",
    "B": "Run B and the cheapest way to its end (b)",
    "both": "A beside B (v)",
}


def page(run: Run, kept: Run | None = None, options: Options = DEFAULTS) -> str:
    """The page, with plotly.js and the player inside.

    With two runs a switch shows A, B or both. `options.present` makes it a talk: captions, A for
    20 s and then B for 20 s, for ever; where motion is unwelcome it waits for a click.
    """
    views = _views(run, kept, options.colour_by)
    half = half_side([panel for panels in views.values() for panel in panels], options)
    runs = {"present": run} | ({"kept": kept} if kept else {})
    data = {
        "charts": {
            name: _chart(name, panels, half, options.dark) for name, panels in views.items()
        },
        "runs": {name: run_told(each, reel_inside(each)) for name, each in runs.items()},
        "shown": "both" if kept else "one",
        "talk": _talk(run, kept) if options.present else [],
        "moments": {name: moments.told(each) for name, each in runs.items()},
        "compared": moments.compared(kept, run) if kept else {},
    }
    return Template(_text("page.html")).substitute(
        # Of which page this is among others; the question itself is its heading.
        title=escape(titles.title(run, kept)),
        heading=escape(words.TITLE),
        # With three panels it would name the wrong ones; their titles say enough.
        subtitle=""
        if kept
        else f'<p class="subtitle">{escape(words.SUBTITLES[run.spec.task])}</p>',
        dark=' class="dark"' * options.dark,
        talk=" data-talk" * options.present,
        style=Template(_text("page.css")).substitute(
            {name.lower(): getattr(theme, name) for name in COLOURS}, font=theme.FONT
        ),
        switch=_switch(views) if kept else "",
        look=escape(words.compare(kept, run) if kept else words.look_at(run)),
        charts="\n".join(
            f'<div class="chart" data-view="{name}" data-panels="{len(panels)}" role="group" '
            f'aria-label="{escape(ALTERNATIVES[name])}"></div>'
            for name, panels in views.items()
        ),
        scores=_scores(run, kept),
        endings=_endings(run, kept),
        settings=_settings(run, kept or run),
        # JSON may hold "<", which might end the element.
        data=json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
        plotly=get_plotlyjs(),
        # A block, so that no name of the page's is one of the player's.
        script=f"{script()}\n{{\n{_text('page.js')}\n}}",
    )


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _views(run: Run, kept: Run | None, colour_by: str) -> Mapping[str, Sequence[Panel]]:
    if kept is None:
        return {"one": two_panels(run, colour_by=colour_by)}
    return {
        "A": two_panels(kept, kept=True, colour_by=colour_by),
        "B": two_panels(run, colour_by=colour_by),
        "both": three_panels(kept, run, colour_by),
    }


def _chart(name: str, panels: Sequence[Panel], half: float, dark: bool) -> dict[str, object]:
    """The figure's own JSON, without what the page tells of its runs once for all charts."""
    figure = stage(panels, f"export/{name}", dark=dark, half=half)
    figure.update_layout(height=None, autosize=True)
    made = json.loads(figure.to_json())
    del made["layout"]["meta"]["runs"]
    return made


def _talk(run: Run, kept: Run | None) -> list[dict[str, object]]:
    """What is shown one after another, and what is said meanwhile."""
    if kept is None:
        return [{"view": "one", "says": [words.look_at(run), _effort(run), _miss(run)]}]
    return [
        {"view": "A", "says": [words.look_at(kept), _effort(kept), _miss(kept)]},
        {"view": "B", "says": [words.look_at(run), words.compare(kept, run), _miss(run)]},
    ]


def _effort(run: Run) -> str:
    return f"{words.effort_sentence(run.scores)}; {CHEAPEST}"


def _miss(run: Run) -> str:
    said = words.miss_sentence(run.scores)
    return said if run.scores.arrived else f"{said}. {words.not_there(run.scores)}"


def _switch(views: Mapping[str, object]) -> str:
    return "".join(
        f'<button type="button" data-show="{name}" title="{escape(TIPS[name])}">{name}</button>'
        for name in views
    )


def _lettered(run: Run, kept: Run | None) -> tuple[tuple[str, Run], ...]:
    return (("A", kept), ("B", run)) if kept else (("", run),)


def _letter(name: str) -> str:
    return f"<b>{name}</b> " if name else ""


def _scores(run: Run, kept: Run | None) -> str:
    return "\n".join(
        f'<p data-run="{name}">{_letter(name)}'
        f"{escape(words.score_line(each.scores, each.class_scores))}</p>"
        for name, each in _lettered(run, kept)
    )


def _endings(run: Run, kept: Run | None) -> str:
    """Where training ended before its last step, and why."""
    return "\n".join(
        f'<p class="ending" data-run="{name}">{_letter(name)}{escape(said)}</p>'
        for name, each in _lettered(run, kept)
        if (said := words.ending(each))
    )


def _settings(run: Run, kept: Run) -> str:
    """Every field that changes something, as in a link; where A differs, its value and B's."""
    fields, before = (each.spec.to_query() | {"steps": titles.steps(each)} for each in (run, kept))
    return escape(
        " · ".join(
            f"{name} {fields[name]}"
            if fields[name] == before[name]
            else f"{name} {before[name]} → {fields[name]}"
            for name in FIELDS
            if name not in run.spec.idle & kept.spec.idle
        )
    )
