"""Where PipeWire's socket is, and what is said where PipeWire is missing."""

import socket

import pytest

from camdaemon.errors import DeviceError
from camdaemon.linux.pipewire import library
from camdaemon.linux.pipewire.connection import Connection


@pytest.fixture
def listen(tmp_path, monkeypatch):
    """Make sockets in a folder that is short enough for their paths."""
    for name in ("PIPEWIRE_REMOTE", "PIPEWIRE_RUNTIME_DIR", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    made = []

    def make(path):
        each = socket.socket(socket.AF_UNIX)
        monkeypatch.chdir(path.parent)
        each.bind(path.name)
        made.append(each)
        return path

    yield make
    for each in made:
        each.close()


def test_the_socket_is_where_the_environment_says(listen, tmp_path, monkeypatch):
    assert library.find_socket() is None
    usual, other = listen(tmp_path / "pipewire-0"), listen(tmp_path / "other")
    assert library.find_socket() is None, "a folder that is not named is not looked into"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert library.find_socket() == usual
    monkeypatch.setenv("PIPEWIRE_REMOTE", "other")
    assert library.find_socket() == other
    monkeypatch.setenv("PIPEWIRE_REMOTE", str(usual))
    assert library.find_socket() == usual
    monkeypatch.delenv("PIPEWIRE_REMOTE")
    monkeypatch.setenv("PIPEWIRE_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    assert library.find_socket() is None


def test_a_file_is_no_socket(tmp_path, monkeypatch):
    (tmp_path / "pipewire-0").write_text("")
    monkeypatch.setenv("PIPEWIRE_RUNTIME_DIR", str(tmp_path))
    assert library.find_socket() is None


def test_without_pipewire_nothing_is_loaded_and_the_error_says_what_to_type(monkeypatch):
    monkeypatch.setattr(library, "load", lambda: pytest.fail("the library was loaded"))
    with pytest.raises(DeviceError, match=r"PipeWire.*Run: systemctl"):
        Connection()


@pytest.mark.parametrize("name", ["libcamdaemon-has-none.so.0", "libc.so.6"])
def test_a_library_that_is_missing_or_lacks_a_function_is_an_error_with_a_command(name, monkeypatch):
    monkeypatch.setattr(library, "_NAME", name)
    with pytest.raises(DeviceError, match=r"PipeWire.*Run: sudo apt install"):
        library.load.__wrapped__()
