"""A file is replaced whole or not at all, whatever fails in between."""

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from camdaemon.linux.files import (
    prepare_replacement,
    read_regular,
    remove_empty_folders,
    remove_stale_drafts,
    replace_atomically,
)


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "settings.json"
    path.write_bytes(b"old")
    return path


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_bytes_and_text_are_written_whole(tmp_path):
    path = tmp_path / "new" / "folder" / "a.txt"
    replace_atomically(path, "größer\n")
    assert path.read_bytes() == "größer\n".encode()
    replace_atomically(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert names(path.parent) == ["a.txt"]


def test_the_draft_is_hidden_in_the_same_folder_with_the_same_ending(target):
    with prepare_replacement(target) as draft:
        assert draft.parent == target.parent
        assert draft.name.startswith(".")
        assert draft.suffix == target.suffix
        draft.write_bytes(b"ne")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"ne"
    assert names(target.parent) == [target.name]


@pytest.mark.parametrize("error", [RuntimeError, OSError, KeyboardInterrupt])
def test_a_writer_that_fails_half_way_leaves_the_old_file(target, error):
    def write_half():
        with prepare_replacement(target) as draft:
            draft.write_bytes(b"ne")
            raise error

    with pytest.raises(error):
        write_half()
    assert target.read_bytes() == b"old"
    assert names(target.parent) == [target.name]


@pytest.mark.parametrize("call", ["fsync", "replace", "open", "fchmod"])
def test_a_call_that_fails_leaves_the_old_file(target, monkeypatch, call):
    def refuse(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(OSError, match="No space"):
        replace_atomically(target, b"new")
    monkeypatch.undo()
    assert target.read_bytes() == b"old"
    assert names(target.parent) == [target.name]


def test_the_file_is_synced_before_it_takes_the_name_and_the_folder_after(target, monkeypatch):
    seen = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(fd):
        kind = "folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file"
        seen.append((kind, os.fstat(fd).st_size if kind == "file" else None))
        real_fsync(fd)

    def replace(*args, **kwargs):
        seen.append(("replace", None))
        real_replace(*args, **kwargs)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    replace_atomically(target, b"newer")
    assert seen == [("file", 5), ("replace", None), ("folder", None)]


@pytest.mark.parametrize(("number", "is_fatal"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)])
def test_a_file_system_that_cannot_sync_folders_is_no_error(target, monkeypatch, number, is_fatal):
    real = os.fsync

    def fsync(fd):
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(number, os.strerror(number))
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    if is_fatal:
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            replace_atomically(target, b"new")
    else:
        replace_atomically(target, b"new")
    assert target.read_bytes() == b"new"


def test_a_folder_that_may_be_written_to_but_not_read_is_no_error(target, monkeypatch):
    real = os.open

    def open_(path, flags, *more):
        if flags & os.O_DIRECTORY:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, flags, *more)

    monkeypatch.setattr(os, "open", open_)
    replace_atomically(target, b"new")
    assert target.read_bytes() == b"new"


def test_a_draft_that_cannot_be_removed_does_not_hide_the_reason(target, monkeypatch):
    def write_half():
        with prepare_replacement(target) as draft:
            monkeypatch.setattr(os, "unlink", refuse)
            draft.write_bytes(b"ne")
            raise RuntimeError("the reason")

    def refuse(*_args, **_kwargs):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with pytest.raises(RuntimeError, match="the reason"):
        write_half()
    assert target.read_bytes() == b"old"


def test_permissions_are_given_or_kept_or_left_to_the_umask(tmp_path):
    path = tmp_path / "secret"
    before = os.umask(0o027)
    try:
        replace_atomically(path, b"1")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        replace_atomically(path, b"2", mode=0o606)
        assert stat.S_IMODE(path.stat().st_mode) == 0o606
        path.chmod(0o600)
        with prepare_replacement(path) as draft:
            assert stat.S_IMODE(draft.stat().st_mode) == 0o600, "private from its first byte on"
            draft.write_bytes(b"3")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_a_link_is_replaced_and_what_it_leads_to_is_untouched(tmp_path):
    place, other = tmp_path / "link", tmp_path / "other"
    other.write_bytes(b"other")
    other.chmod(0o600)
    place.symlink_to(other)
    replace_atomically(place, b"new")
    assert not place.is_symlink()
    assert (place.read_bytes(), other.read_bytes()) == (b"new", b"other")


def test_the_draft_of_a_killed_process_is_no_obstacle(target):
    with prepare_replacement(target) as draft:
        name = draft
        draft.write_bytes(b"x")
    name.write_bytes(b"left over")
    replace_atomically(target, b"new")
    assert target.read_bytes() == b"new"
    assert names(target.parent) == [target.name]


def test_only_a_file_of_a_bounded_size_is_read(target, tmp_path):
    assert read_regular(target, 3) == b"old"
    with pytest.raises(OSError, match="larger"):
        read_regular(target, 2)
    (tmp_path / "link").symlink_to(target)
    assert read_regular(tmp_path / "link", 3) == b"old"
    os.mkfifo(tmp_path / "fifo")
    for path, kind in ((tmp_path / "fifo", "FIFO"), (tmp_path, "folder"), (Path("/dev/zero"), "device")):
        with pytest.raises(OSError, match=kind):
            read_regular(path, 3)


DEAD = 2**22 + 1  # above every number that Linux gives to a thread


def test_drafts_of_the_dead_are_removed_and_no_others(tmp_path):
    stale = [f".plate.{DEAD}.png", f".a.controls.{DEAD}.json", f".state.{DEAD}"]
    kept = [f".plate.{os.getpid()}.png", ".plate.png", f"plate.{DEAD}.png", f".{DEAD}.png", ".hidden", "film.mp4.part"]
    for name in stale + kept:
        (tmp_path / name).write_bytes(b"half")
    assert sorted(path.name for path in remove_stale_drafts(tmp_path)) == sorted(stale)
    assert names(tmp_path) == sorted(kept)
    assert remove_stale_drafts(tmp_path / "nowhere") == []


def test_drafts_of_other_files_are_left(tmp_path):
    for name in (f".config.{DEAD}.toml", f".notes.{DEAD}.toml"):
        (tmp_path / name).write_bytes(b"")
    remove_stale_drafts(tmp_path, "config.toml")
    assert names(tmp_path) == [f".notes.{DEAD}.toml"]


def test_a_draft_that_is_held_is_left_though_its_thread_has_no_number_here(target, monkeypatch):
    """As in another container, which has numbers of its own."""
    with monkeypatch.context() as patch:
        patch.setattr(threading, "get_native_id", lambda: DEAD)
        with prepare_replacement(target) as draft:
            draft.write_bytes(b"new")
            assert remove_stale_drafts(target.parent) == []
    assert target.read_bytes() == b"new"


def test_empty_folders_go_and_others_stay(tmp_path):
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (tmp_path / "a" / "kept").write_text("")
    remove_empty_folders(deep, tmp_path)
    assert names(tmp_path / "a") == ["kept"]
    (tmp_path / "a" / "kept").unlink()
    remove_empty_folders(tmp_path / "a", tmp_path / "a")
    remove_empty_folders(tmp_path / "a", tmp_path / "elsewhere")
    assert names(tmp_path) == ["a"]
    remove_empty_folders(tmp_path / "a", tmp_path)
    assert names(tmp_path) == []
