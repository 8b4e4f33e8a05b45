"""What stands for a value in the help: FILE, SECONDS, WIDTHxHEIGHT, not the name of a type in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

# By a parameter's name; all others are called by their type, or as the option is.
_NAMES = {
    "size": "WIDTHxHEIGHT",
    "countdown": "SECONDS",
    "weights": "FILE",
    "plate": "FILE",
    "spec": "BACKDROP",
    "minutes": "MINUTES",
    "fps": "FPS",
    "turn": "on|off|toggle",
    "mode": "matte|card|passthrough",
    "shell": "bash|zsh|fish",
    "settings": "NAME=VALUE",
}


def name_placeholders(command: Any) -> None:
    """Give every value of a typer `command` a placeholder, where its declaration names none."""
    for parameter in command.params:
        descriptor = parameter.type_descriptor
        is_flag = getattr(parameter, "is_flag", False) or getattr(parameter, "count", False)
        if parameter.metavar is None and not is_flag and not descriptor.is_choice:
            parameter.metavar = _choose(parameter.name, descriptor.annotation, parameter.help or "")
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = lambda **_: None  # typer repeats the type beside an argument's name


def _choose(name: str, kind: Any, text: str) -> str:
    kind = next(iter(get_args(kind)), kind)  # list[Path] is written as Path
    if name in _NAMES:
        return _NAMES[name]
    if kind is Path:
        return "FOLDER" if text.lower().startswith("folder") else "FILE"
    return "NUMBER" if kind in (int, float) else name.upper()
