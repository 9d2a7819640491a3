"""What commands share: every field of `RunSpec` as an option, with its own rule and help."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from typing import Any

from resviz.spec import FIELDS, RULES


def add_fields(command: argparse.ArgumentParser, names: Collection[str] = tuple(FIELDS)) -> None:
    """An option for each field; one that is not given is None."""
    for name in names:
        field, rule = FIELDS[name], RULES[name]
        doc = f"{field.metadata['doc']} Allowed: {rule.allowed}. Default: {field.default}."
        command.add_argument(
            f"--{name.replace('_', '-')}", dest=name, metavar="", help=doc.replace("%", "%%")
        )


def given_fields(
    options: argparse.Namespace, names: Collection[str] = tuple(FIELDS)
) -> dict[str, Any]:
    """The fields that were given. Raises `ValueError` naming the option and what is allowed."""
    given = {}
    for name in names:
        text = getattr(options, name)
        if text is not None:
            try:
                given[name] = RULES[name].parse(text)
            except ValueError as reason:
                raise ValueError(f"{name}: {text!r} {reason}") from None
    return given
