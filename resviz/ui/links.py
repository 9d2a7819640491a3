"""What the page's address holds: settings, a preset, and how a class is to see the page.

    ?preset=NAME            opens on a run made beforehand
    ?depth=4&seed=2         settings; beside a preset, what differs from the preset's own
    ?present=1              stage, scores and transport alone
    ?hide=seed,train        controls that are not there
    ?lock=source,target     controls that stay as the link has them
    ?views=…&colour=…       what the player shows: its own, and passed on as they are

What others hang on to a link to follow it (`fbclid`, `utm_source`, …) is let go.

Pure functions of the address; `address.py` is Streamlit's part.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from urllib.parse import quote, urlencode

from resviz.presets import PRESETS
from resviz.spec import FIELDS, RULES, RunSpec, cut, read_query

# The player reads these in the address and writes them there.
PLAYERS = ("views", "colour")
PRESENT, PRESENTING = "present", "1"
LISTS = ("hide", "lock")
KNOWN = (*RULES, "preset", PRESENT, *LISTS, *PLAYERS)
# What mailers, networks and advertisers add to the links that pass through their hands.
TRACKERS = re.compile(
    r"(utm|mtm|matomo|pk|piwik|hsa|at|fb|ga|mc|oly|trk)_\w*|_ga|_gl|_hs\w+|__hs\w+|fbclid|gclid|gclsrc"
    r"|dclid|gbraid|wbraid|msclkid|ysclid|yclid|twclid|ttclid|igsh|igshid|epik|li_fat_id|rdt_cid"
    r"|sccid|srsltid|mkt_tok|vero_id|wickedid|s_cid|si|trk|ref|ref_src|ref_url",
    re.ASCII | re.IGNORECASE,
)
TOLD, READ = 8, 200  # so many complaints are told, of so many fields that are looked at

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
    given = {name: texts for name, texts in query.items() if name in RULES}
    spec = _settings(given, PRESETS[preset].run if preset else RunSpec(), complaints)
    strange = (name for name in query if name not in KNOWN and not TRACKERS.fullmatch(name))
    for name in islice(strange, READ):
        shown = cut(name if name.isprintable() else repr(name))
        complaints[name] = f"{shown}: there is no such field{_nearest(name, KNOWN)}."
    return Link(spec, preset, wants_presentation(query), hidden, locked), complaints


def told(complaints: Mapping[str, str]) -> str:
    """The first complaints, and how many there are beside them."""
    shown, more = list(islice(complaints.values(), TOLD)), len(complaints) - TOLD
    return " ".join([*shown, *([f"And {more} more."] if more > 0 else [])])


def _nearest(name: str, known: Iterable[str]) -> str:
    """Which name was meant, where one is near."""
    near = get_close_matches(name[:60].lower(), list(known), 1)
    return f"; perhaps {near[0]} was meant" if near else ""


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
        if name not in spec.absent:  # what says nothing in this task is no matter
            complaints[name] = f"{why}; it stays at {spec.to_query()[name]}."
    return spec


def _preset(query: Mapping[str, Sequence[str]], complaints: dict[str, str]) -> str | None:
    if "preset" not in query:
        return None
    texts = query["preset"]
    if len(texts) == 1 and texts[0] in PRESETS:
        return texts[0]
    near = _nearest("".join(texts[:1]), PRESETS) or f"; known are {', '.join(PRESETS)}"
    complaints["preset"] = f"preset: {_given(texts)} is unknown{near}."
    return None


def _controls(
    name: str, query: Mapping[str, Sequence[str]], complaints: dict[str, str]
) -> tuple[str, ...]:
    """The known ones of a list of controls, in their own order."""
    asked = [one for text in query.get(name, ()) for one in text.split(",") if one]
    unknown = [one for one in asked if one not in CONTROLS]
    if unknown:
        near = _nearest(unknown[0], CONTROLS) or f"; known are {', '.join(CONTROLS)}"
        complaints[name] = f"{name}: {_given(unknown)} is unknown{near}."
    return tuple(one for one in CONTROLS if one in asked)


def _given(texts: Sequence[str]) -> str:
    return ", ".join(repr(text[:60]) for text in texts[:3])
