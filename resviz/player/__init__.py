"""The player: what moves the stage's particles at the display's rate, in the browser.

Its parts are ES modules, one idea a file, that import one another by name. A component and an
exported page take one text each, so the parts are joined here, in an order in which each
stands after what it uses; no build, no bundler.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
# Each after those that it uses.
PARTS = (
    *("data.js", "clock.js", "network.js", "density.js", "reel.js", "training.js", "paint.js"),
    *("keys.js", "marks.js", "scene.js", "room.js", "arrange.js", "fit.js", "charts.js"),
    *("bar.js", "leave.js", "tips.js", "touch.js", "player.js"),
)

_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default )", re.MULTILINE)


@cache
def module() -> str:
    """All parts as one ES module, whose default export mounts the player in the app."""
    texts = [(HERE / part).read_text(encoding="utf-8") for part in PARTS]
    style = (HERE / "player.css").read_text(encoding="utf-8")
    parts = (_EXPORT.sub("", _IMPORT.sub("", text)) for text in texts)
    return "\n".join((f"const PLAYER_CSS = {json.dumps(style)};", *parts))


@cache
def script() -> str:
    """The same for a page of its own: it defines `play(findChart, options)` and exports nothing."""
    return module().replace("export default function", "function")
