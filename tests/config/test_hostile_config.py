"""Any bytes as a configuration: a configuration, or our own error."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camdaemon.config import schema
from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError
from tests.hostile import few

NAMES = st.sampled_from([*Config.model_fields, "scenes.late", "hotkeys", "unknown", '"a b"', "scenes", '"\\u0007"'])
NUMBERS = [
    "1",
    "-1",
    "1e400",
    "nan",
    "inf",
    '""',
    '"x"',
    '"\\u0000"',
    "true",
    "[]",
    "[1]",
    "{}",
    "{a = 1}",
    "1979-05-27",
]
WORDS = ['"640x480"', '"0x0"', '"99999999999x1"', '"~"', '"~nobody/x"', '"blur:1e9"', "9" * 5000, "[" * 900 + "]" * 900]
VALUES = st.sampled_from([*NUMBERS, *WORDS])
LINES = st.lists(
    st.one_of(
        st.tuples(NAMES, VALUES).map(lambda pair: f"{pair[0]} = {pair[1]}"),
        NAMES.map(lambda name: f"[{name}]"),
        st.text(max_size=12),
    ),
    max_size=6,
).map("\n".join)


@given(LINES | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
@few
def test_any_text_is_a_configuration_or_an_error_of_ours(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text, "utf-8")
    with suppress(ConfigError):
        assert schema.load(path, {})


@given(st.binary(max_size=300))
@few
def test_any_bytes_are_a_configuration_or_an_error_of_ours(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(data)
    with suppress(ConfigError):
        assert schema.load(path, {})


@pytest.mark.parametrize("name", sorted(Config.model_fields))
@given(value=st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.lists(st.text()))
@settings(few, max_examples=8)
def test_any_value_typed_is_taken_or_explained(name: str, value: object) -> None:
    with suppress(ConfigError):
        assert schema.load(None, {name: value})
