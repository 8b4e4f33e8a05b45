"""Every setting with its type, range, default and meaning, read from the schema: for people, and for error messages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from camdaemon.config.schema import Config, OneOf
from camdaemon.frames.frame import Size

NAME = "NAME"  # stands for the name that the user gives a table, as in scenes.NAME
_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Size: "WIDTHxHEIGHT in pixels, multiples of 4",
}
_HOTKEYS = 'false, or a table such as: plate = "ctrl+alt+p"'


class Setting(NamedTuple):
    """One setting, as people see it.

    Attributes:
        key: As it is typed: "plate_taking.still_s"; the names that users give are NAME.
        allowed: Its type and range.
        default: As TOML; "" where there is none.
        help: What it means.
        example: A value, as TOML, of what has no default.
    """

    key: str
    allowed: str
    default: str
    help: str
    example: str = ""


def list_settings() -> list[Setting]:
    """List every setting, those of the top table first."""
    rows = [row for name, field in Config.model_fields.items() for row in _list(name, field)]
    return sorted(rows, key=lambda row: "." in row.key)


def _list(key: str, field: FieldInfo, *, in_scene: bool = False) -> Iterator[Setting]:
    default = None if in_scene else field.get_default()
    if field.default_factory is not None:  # it depends on the machine
        default = (field.examples or [None])[0]
    if (table := find_table(field.annotation)) is None:
        yield Setting(
            key, describe(field), _write(default), field.description or "", _write((field.examples or [None])[0])
        )
        return
    if get_origin(field.annotation) is dict:
        key, in_scene = f"{key}.{NAME}", True
    for name, inner in table.model_fields.items():
        yield from _list(f"{key}.{name}", inner, in_scene=in_scene)


def find_field(keys: Sequence[str]) -> FieldInfo | None:
    """Return the field of the schema at `keys`, such as ("scenes", "late", "blur"); None if there is none."""
    table: type[BaseModel] | None = Config
    field = None
    names = list(keys)
    while names:
        field = table.model_fields.get(names.pop(0)) if table is not None else None
        if field is None:
            return None
        table = find_table(field.annotation)
        if get_origin(field.annotation) is dict and names:
            names.pop(0)  # the name that the user gave
    return field


def list_keys(keys: Sequence[str]) -> list[str]:
    """Return the names that may stand in the table at `keys`; none where any may or where there is no table."""
    field = find_field(keys)
    table = Config if not keys else find_table(field.annotation) if field is not None else None
    return [] if table is None else list(table.model_fields)


def find_table(annotation: Any) -> type[BaseModel] | None:
    """Return the schema's table behind a type: `CropConfig` for `CropConfig | None` and `dict[str, CropConfig]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := find_table(inner))), None)


def describe(field: FieldInfo) -> str:
    """Say what a field may be: "a number from 1 to 240"."""
    return _describe(field.annotation, field.metadata)


def _describe(annotation: Any, metadata: Sequence[Any]) -> str:
    outer, inner = get_origin(annotation), [each for each in get_args(annotation) if each is not NoneType]
    if outer is Annotated:
        return _describe(inner[0], [*inner[1:], *metadata])
    words = next((mark.words() for mark in metadata if isinstance(mark, OneOf)), None)
    if words or outer is Literal:
        return f"one of {', '.join(words or inner)}"
    if outer is list:
        return f"a list of {_describe(inner[0], ())}s"
    if outer is dict or find_table(annotation):
        return "a table" if find_table(annotation) else _HOTKEYS
    return _describe(inner[0], metadata) if inner else _WORDS[annotation] + _limits(metadata)


def _limits(metadata: Sequence[Any]) -> str:
    """Say the range that `metadata` (of annotated_types) sets; "" for none."""
    found = {name: getattr(mark, name) for mark in metadata for name in ("ge", "gt", "le", "lt") if hasattr(mark, name)}
    if {"ge", "le"} <= set(found):
        return f" from {found['ge']:g} to {found['le']:g}"
    words = {"ge": "of at least", "gt": "above", "le": "at most", "lt": "below"}
    return " " + " and ".join(f"{words[name]} {limit:g}" for name, limit in found.items()) if found else ""


def _write(value: Any) -> str:
    """Write a value as TOML."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {json.dumps(each)}" for key, each in value.items()) + "}"
    return json.dumps(str(value) if isinstance(value, Size) else value)


_PAGE = """# Every setting

They stand in `~/.config/camdaemon/config.toml`. `camdaemon config init` makes that file with every setting in it, and
`camdaemon config set KEY VALUE` changes one. A key with a dot stands in a table: `plate_taking.still_s` is
`still_s` below `[plate_taking]`. Text that is a path may begin with `~`.

The command line wins over what was chosen live ([live.md](live.md)), that over the file, and that over these defaults.
This page is made from the schema: `camdaemon config list > docs/settings.md`.

| key | allowed | default | meaning |
| --- | --- | --- | --- |
"""


def write_page() -> str:
    """Write the page docs/settings.md: one table of all settings."""
    lines = [
        f"| `{row.key}` | {row.allowed} | {f'`{row.default}`' if row.default else ''} | {row.help} |\n"
        for row in list_settings()
    ]
    return _PAGE + "".join(lines)
