"""`python -m resviz presets …`: make the runs of the presets anew, or try them on other seeds."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from resviz import words
from resviz.claims import Claim
from resviz.commands import console, interrupts
from resviz.commands.outputs import keep_run
from resviz.commands.progress import Bar
from resviz.files import check_file, why_not
from resviz.presets import ASSETS, PRESETS, Preset, files, named
from resviz.records import Run
from resviz.spec import RunSpec, Whole

SEEDS = 5
MOST_SEEDS = Whole(1, 100)
ENOUGH = 0.8  # of the seeds, and the preset's own among them
CLAIM_WIDTH, CELL_WIDTH = 34, 10


def add(commands: argparse._SubParsersAction) -> None:
    """The options of `presets`."""
    command = commands.add_parser(
        "presets",
        help="make the runs of the presets anew, or try on other seeds what they claim",
        description=(
            "Train every run that a preset shows, and write it to where the page reads it; equal "
            "runs on one machine give equal files. With --check nothing is written: every "
            "preset is trained with more seeds, and what it claims is counted."
        ),
    )
    command.add_argument(
        "--names", nargs="+", default=list(PRESETS), metavar="NAME",
        help=f"which presets: {', '.join(PRESETS)}. Default: all.",
    )  # fmt: skip
    command.add_argument("--check", action="store_true", help="count claims over seeds")
    command.add_argument(
        "--seeds", metavar="N",
        help=f"with --check, how many seeds: the preset's own and those after it. Default: {SEEDS}",
    )  # fmt: skip
    command.add_argument(
        "-o", "--output", default=ASSETS, type=Path, metavar="FOLDER",
        help="where the files go. Default: where the page reads them.",
    )  # fmt: skip
    command.add_argument("-q", "--quiet", action="store_true", help="no progress bar")
    command.set_defaults(prepare=prepare)


def prepare(options: argparse.Namespace) -> Callable[[], int]:
    """What the options ask for. Raises `ValueError` for what is not allowed."""
    chosen = tuple(map(named, dict.fromkeys(options.names)))
    if options.check:
        return Check(chosen, _seeds(options.seeds), options.quiet)
    if options.seeds is not None:
        raise ValueError(f"seeds: {options.seeds!r} is given without --check; allowed is with it")
    folder = options.output
    if not folder.is_dir():
        raise ValueError(f"output: {str(folder)!r} is not a folder")
    names = files()
    for preset in chosen:
        for spec in _specs([preset]):
            check_file("output", folder / names[spec])
    return Make(chosen, folder, options.quiet)


def _seeds(text: str | None) -> int:
    if text is None:
        return SEEDS
    try:
        return MOST_SEEDS.parse(text)
    except ValueError as reason:
        raise ValueError(f"seeds: {text!r} {reason}") from None


@dataclass(frozen=True)
class Make:
    """The runs of some presets, to be written into a folder."""

    presets: Sequence[Preset]
    folder: Path
    quiet: bool

    def __call__(self) -> int:
        """Train, and write each run as it is done; the exit code.

        One that cannot be written is kept where there is room, and the others are still made.
        """
        names, told, code = files(), [], 0
        try:
            for result in _trained(_specs(self.presets), self.quiet):
                path = self.folder / names[result.spec]
                try:
                    result.save(path)
                except OSError as reason:
                    console.warn(f"output: {str(path)!r} was not written ({why_not(reason)})")
                    keep_run(result, path)
                    code = console.FAILED
                else:
                    told.append(f"wrote {path} ({path.stat().st_size / 1000:,.0f} KB)\n")
        except KeyboardInterrupt as reason:
            console.warn("interrupted")
            code = interrupts.code_of(reason)
        return console.say("".join(told)) or code


@dataclass(frozen=True)
class Check:
    """The claims of some presets, to be counted over seeds."""

    presets: Sequence[Preset]
    seeds: int
    quiet: bool

    def __call__(self) -> int:
        """Train, and print a table for each preset; 1 if a claim does not hold."""
        rows = {preset.name: self._of_seeds(preset) for preset in self.presets}
        every = _specs(preset for seeds in rows.values() for preset in seeds)
        runs = {result.spec: result for result in _trained(every, self.quiet)}
        tables = [table(seeds, runs) for seeds in rows.values()]
        said = console.say("\n".join(text for text, _ in tables))
        return said or (0 if all(held for _, held in tables) else console.FAILED)

    def _of_seeds(self, preset: Preset) -> list[Preset]:
        return [with_seed_moved(preset, by) for by in range(self.seeds)]


def with_seed_moved(preset: Preset, by: int) -> Preset:
    """The same preset with other first weights and batches, in A and B alike."""
    kept, run = (spec and replace(spec, seed=spec.seed + by) for spec in (preset.kept, preset.run))
    return replace(preset, kept=kept, run=run)


def table(seeds: Sequence[Preset], runs: Mapping[RunSpec, Run]) -> tuple[str, bool]:
    """One preset's claims, a column a seed and the preset's own first; whether all hold."""
    first = seeds[0]
    heads = "".join(f"{f'seed {preset.run.seed}':>{CELL_WIDTH}}" for preset in seeds)
    lines = [f"{first.name}: {first.look}", f"  {'':{CLAIM_WIDTH}}{heads}"]
    all_hold = True
    for claim in first.claims:
        cells = [_value(claim, preset, runs) for preset in seeds]
        good = [claim.allows(value) for value in cells]
        holds = good[0] and sum(good) >= ENOUGH * len(good)
        all_hold &= holds
        shown = "".join(
            f"{words.number(value) + ('' if fine else ' ✗'):>{CELL_WIDTH}}"
            for value, fine in zip(cells, good, strict=True)
        )
        verdict = f"{'holds' if holds else 'does not hold'}, {sum(good)} of {len(good)}"
        lines.append(f"  {claim.text:{CLAIM_WIDTH}}{shown}   {verdict}")
    return "\n".join(lines) + "\n", all_hold


def _value(claim: Claim, preset: Preset, runs: Mapping[RunSpec, Run]) -> float:
    return claim.value(preset.kept and runs[preset.kept], runs[preset.run])


def _specs(presets: Iterable[Preset]) -> list[RunSpec]:
    """Every run that is needed, once."""
    specs = (spec for preset in presets for spec in (preset.run, preset.kept) if spec)
    return list(dict.fromkeys(specs))


def _trained(specs: Sequence[RunSpec], quiet: bool) -> Iterable[Run]:
    """Each run as it is done, under one bar of training steps."""
    with interrupts.ends_at_once():
        from resviz.pipeline import run  # PyTorch takes seconds; what is refused, is so at once

    before = 0
    with Bar(sum(spec.steps for spec in specs), "steps", quiet=quiet) as bar:
        for number, spec in enumerate(specs, 1):
            note = f"run {number} of {len(specs)}"
            result = run(spec, lambda r, b=before, note=note: bar.to(b + r.step, note))
            before += spec.steps  # one that diverged ends early
            bar.to(before, note)
            yield result
