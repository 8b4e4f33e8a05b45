"""Whether values are what a command takes. Standard library only, as the table."""

from __future__ import annotations

from camdaemon.control.table import Command, Parameter

TYPE_CHECKING = False  # see `table`
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_INFINITE = float("inf")


def find_mistakes(command: Command, values: Mapping[str, Any]) -> str:
    """Say which of `values` are out of range or no choice, and what to type; '' if all are right."""
    found = []
    for parameter in command.parameters:
        value = values.get(parameter.name)
        if value is None:
            continue
        if isinstance(value, str) and not is_utf8(value):
            found.append(
                f"{value} is not valid UTF-8, and a running camdaemon is told nothing else. Rename it; "
                "or, for a backdrop, run: camdaemon run --backdrop FILE"
            )
        elif parameter.choices and value not in parameter.choices:
            found.append(f"{value!r} is none of {', '.join(parameter.choices)}. Run: {_example(command, parameter)}")
        elif parameter.kind == "number" and not _is_in_range(parameter, value):
            limits = f"{parameter.low:g} to {parameter.high:g}"
            found.append(f"{parameter.name} {value:g} is not from {limits}. Run: {_example(command, parameter)}")
    return " ".join(found)


def is_utf8(text: str) -> bool:
    """Whether UTF-8, and so JSON, can hold `text`. The name of a file may be any bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_in_range(parameter: Parameter, value: float) -> bool:
    return parameter.low <= value <= parameter.high and abs(value) != _INFINITE  # JSON has no word for NaN and infinity


def _example(command: Command, parameter: Parameter) -> str:
    example = parameter.choices[0] if parameter.choices else f"{parameter.initial or 0:g}"
    return f"camdaemon {command.word} {f'--{parameter.name} ' if parameter.option else ''}{example}"
