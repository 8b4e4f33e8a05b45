"""The order of files, and which are passed over."""

import os
from pathlib import Path

import pytest

from camdaemon.linux.listing import is_hidden, list_files, natural_key


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(b"x")


@pytest.mark.parametrize(
    "ordered",
    [
        [f"frame{n}.png" for n in range(1, 13)],
        ["a.png", "B.png", "c.png"],
        ["clip1-9.png", "clip1-10.png", "clip2-1.png", "clip10-1.png"],
        ["1.png", "2.png", "10.png", "a.png"],
        ["img 007.png", "img 8.png", "img 0010.png"],
        ["x.png", "x01.png", "x1.png", "X2.png"],
        ["9" * 200 + ".png", "1" + "0" * 200 + ".png"],
        ["٣.png", "١٠.png"],  # the digits of another script: 3 and 10
        ["²1.png", "²10.png"],  # a sign that is no digit
    ],
)
def test_numbers_in_names_are_numbers(tmp_path: Path, ordered: list[str]) -> None:
    make(tmp_path, *reversed(ordered))
    assert [path.name for path in list_files(tmp_path, (".png",))] == ordered


def test_a_name_that_is_not_utf8_has_its_place(tmp_path: Path) -> None:
    odd = os.fsdecode(b"b\xff2.png")
    make(tmp_path, "a10.png", odd, "a9.png")
    assert [path.name for path in list_files(tmp_path, (".png",))] == ["a9.png", "a10.png", odd]


def test_hidden_files_folders_and_others_are_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "a.PNG", "._a.png", ".b.png", ".png", "c.txt", "png")
    (tmp_path / "d.png").mkdir()
    assert [path.name for path in list_files(tmp_path, (".png",))] == ["a.PNG"]


def test_a_file_in_a_hidden_folder_is_hidden() -> None:
    assert is_hidden(Path(".trash/a.png"))
    assert not is_hidden(Path("people/a.b.png"))


def test_no_two_names_are_equal() -> None:
    assert len({natural_key(name) for name in ("a1", "A1", "a01", "A01")}) == 4
