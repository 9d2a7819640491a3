"""What the page's address holds: settings, a preset, and how a class is to see the page.

    ?preset=NAME            opens on a run made beforehand
    ?depth=4&seed=2         settings; beside a preset, what differs from the preset's own
    ?present=1              stage, scores and transport alone
    ?hide=seed,train        controls that are not there
    ?lock=source,target     controls that stay as the link has them
    ?views=…&colour=…       what the player shows: its own, and passed on as they are

Pure functions of the address; `address.py` is Streamlit's part.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from resviz.presets import PRESETS
from resviz.spec import FIELDS, RULES, RunSpec, read_query

# The player reads these in the address and writes them there.
PLAYERS = ("views", "colour")
PRESENT, PRESENTING = "present", "1"
LISTS = ("hide", "lock")
KNOWN = (*RULES, "preset", PRESENT, *LISTS, *PLAYERS)

# What may be hidden or locked, by its key, and what people call it.
BUTTONS: Mapping[str, str] = {
    "preset": "Presets",
    "train": "Train",
    "pause": "Pause",
    "stop": "Stop",
    "reset": "Reset",
    "keep": "Keep as A",
    "beside": "The other network",
    "share": "Link",
    "take_home": "Take home",
}
CONTROLS: Mapping[str, str] = BUTTONS | {
    name: field.metadata["label"] for name, field in FIELDS.items()
}


@dataclass(frozen=True)
class Link:
    """What an address asks for."""

    spec: RunSpec
    preset: str | None = None
    present: bool = False
    hidden: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()


def query_of(
    spec: RunSpec | None,
    preset: str | None = None,
    present: bool = False,
    hidden: Collection[str] = (),
    locked: Collection[str] = (),
) -> dict[str, str]:
    """The fields of an address that asks for this; without a spec for the preset's own."""
    return {
        **({"preset": preset} if preset else {}),
        **(spec.to_query() if spec else {}),
        **({PRESENT: PRESENTING} if present else {}),
        **{
            name: ",".join(one for one in CONTROLS if one in names)
            for name, names in zip(LISTS, (hidden, locked), strict=True)
            if names
        },
    }


def players_part(query: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The player's fields, as they are."""
    return {name: query[name][-1] for name in PLAYERS if query.get(name)}


def wants_presentation(query: Mapping[str, Sequence[str]]) -> bool:
    """Whether an address opens on stage, scores and transport alone."""
    return list(query.get(PRESENT, ())) == [PRESENTING]


def text(page: str, query: Mapping[str, str]) -> str:
    """A link to `page` that asks for `query`, as it is copied: with the slash of a prefix."""
    page = f"{page.rstrip('/')}/"
    return f"{page}?{urlencode(query, quote_via=quote, safe=',:')}" if query else page


def read(query: Mapping[str, Sequence[str]]) -> tuple[Link, dict[str, str]]:
    """What an address asks for, and a sentence for each field that cannot be had, by name.

    `query` maps a name to every value that the address gives it. A setting that is not
    allowed stays at the preset's, or else at its default.
    """
    complaints: dict[str, str] = {}
    preset = _preset(query, complaints)
    hidden, locked = (_controls(name, query, complaints) for name in LISTS)
    if PRESENT in query and not wants_presentation(query):
        complaints[PRESENT] = f"present: {_given(query[PRESENT])} is not allowed; allowed is 1."
    given = {name: texts for name, texts in query.items() if name in RULES or name not in KNOWN}
    spec = _settings(given, PRESETS[preset].run if preset else RunSpec(), complaints)
    return Link(spec, preset, wants_presentation(query), hidden, locked), complaints


def _settings(
    given: Mapping[str, Sequence[str]], base: RunSpec, complaints: dict[str, str]
) -> RunSpec:
    """`base`, but for the settings that are given and allowed."""
    _, wrong = read_query(given)
    good = {name: texts for name, texts in given.items() if name not in wrong}
    usual = {name: [text] for name, text in base.to_query().items()}
    spec, clash = read_query(usual | good)
    if not clash.keys() <= good.keys():  # with what the preset itself is
        spec = base
    for name, why in (wrong | clash).items():
        if name not in RULES:
            why = f"{name[:60]}: there is no such field; known are {', '.join(KNOWN)}"
        stays = f"; it stays at {spec.to_query()[name]}" if name in RULES else ""
        complaints[name] = f"{why}{stays}."
    return spec


def _preset(query: Mapping[str, Sequence[str]], complaints: dict[str, str]) -> str | None:
    if "preset" not in query:
        return None
    texts = query["preset"]
    if len(texts) == 1 and texts[0] in PRESETS:
        return texts[0]
    complaints["preset"] = f"preset: {_given(texts)} is unknown; known are {', '.join(PRESETS)}."
    return None


def _controls(
    name: str, query: Mapping[str, Sequence[str]], complaints: dict[str, str]
) -> tuple[str, ...]:
    """The known ones of a list of controls, in their own order."""
    asked = [one for text in query.get(name, ()) for one in text.split(",") if one]
    unknown = [one for one in asked if one not in CONTROLS]
    if unknown:
        known = ", ".join(CONTROLS)
        complaints[name] = f"{name}: {_given(unknown)} is unknown; known are {known}."
    return tuple(one for one in CONTROLS if one in asked)


def _given(texts: Sequence[str]) -> str:
    return ", ".join(repr(text[:60]) for text in texts[:3])
