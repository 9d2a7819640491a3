"""A run as one HTML file that plays anywhere, with no network."""

from __future__ import annotations

from html import escape
from pathlib import Path

from resviz import words
from resviz.figures.colours import USUAL
from resviz.figures.stage import stage, two_panels
from resviz.figures.theme import FONT, INK
from resviz.records import Run

PLAYER = Path(__file__).parents[1] / "player.js"

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
  body {{ margin: 0 auto; padding: 12px 20px; max-width: 1100px; color: {ink}; font: 17px {font}; }}
  h1 {{ font-size: 26px; margin: 0 0 2px; }}
  p {{ margin: 4px 0; }}
  .scores {{ font-size: 20px; }}
  .spec {{ color: #6b6f7b; font-size: 13px; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{subtitle}</p>
{figure}
<p class="scores">{scores}</p>
<p class="spec">{spec}</p>
<script type="module">
{player}
play(document.querySelector(".js-plotly-plot"), {{autoplay: true}});
</script>
</body>
</html>
"""


def to_html(run: Run, scores: str) -> str:
    """The run's stage with plotly.js and player.js inside, and `scores` as text below it."""
    figure = stage(two_panels(run, colour_by=USUAL[run.spec.task]), "export")
    figure.update_layout(height=560)
    return PAGE.format(
        title=words.TITLE,
        subtitle=words.SUBTITLES[run.spec.task],
        ink=INK,
        font=FONT,
        figure=figure.to_html(
            full_html=False, include_plotlyjs=True, auto_play=False, config={"displaylogo": False}
        ),
        scores=escape(scores),
        spec=escape(" · ".join(f"{name} {text}" for name, text in run.spec.to_query().items())),
        # "export" is for the app, which loads the same file as a module.
        player=PLAYER.read_text(encoding="utf-8").replace("export default function", "function"),
    )
