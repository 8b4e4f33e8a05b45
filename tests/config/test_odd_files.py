"""A configuration that is no plain, small text ends in one sentence, at once; a mark or Windows' line ends do not."""

import contextlib
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdaemon.config import schema
from camdaemon.errors import ConfigError
from tests.hostile import few


def refused(path: Path | None) -> str:
    with pytest.raises(ConfigError) as wrong:
        schema.load(path, {})
    assert wrong.value.exit_code == 2
    return str(wrong.value)


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (make_fifo, "FIFO"),
        (make_socket, "socket"),
        (Path.mkdir, "folder"),
        (lambda path: path.symlink_to("/dev/zero"), "device"),
        (lambda path: path.symlink_to("nowhere"), "No such file"),
        (lambda path: path.symlink_to(path.name), "symbolic links"),
        (lambda path: path.write_bytes(b"#" * (1 << 20) + b"\n"), "1 MB"),
    ],
    ids=["fifo", "socket", "folder", "device", "dangling link", "loop", "enormous"],
)
@pytest.mark.parametrize("is_named", [True, False], ids=["named", "default"])
@pytest.mark.timeout(20)
def test_what_is_no_small_file_is_refused_and_never_waited_for(make, word, is_named, tmp_path):
    path = tmp_path / "config.toml" if is_named else schema.default_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    make(path)
    said = refused(path if is_named else None)
    assert str(path) in said
    assert word in said
    assert "\n" not in said
    assert said.endswith("camdaemon run --config FILE")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (bytes(range(256)), "UTF-8"),
        ("fps = 25".encode("utf-16"), "UTF-8"),
        (b"fps = 25\0", "TOML"),
        (b"a = " + b"[" * 5000, "TOML"),
        (b"fps = " + b"9" * 5000, "TOML"),
    ],
    ids=["binary", "utf-16", "nul", "nested", "digits"],
)
def test_what_is_no_toml_is_refused_in_one_sentence(content, word, tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    said = refused(path)
    assert str(path) in said
    assert word in said
    assert "\n" not in said
    assert said.endswith("camdaemon config --check")


@pytest.mark.parametrize("content", [b"\xef\xbb\xbffps = 25\n", b"fps = 25\r\nmirror = true\r\n", b"fps = 25"])
def test_a_mark_and_line_ends_of_windows_are_read(content, tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    assert schema.load(path, {}).fps == 25


@given(content=st.binary(max_size=200) | st.text("=[]{}\".'#\n0159abfps -_", max_size=80).map(str.encode))
@few
def test_any_bytes_are_a_configuration_or_one_error(content, tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with contextlib.suppress(ConfigError):
        schema.load(path, {})
