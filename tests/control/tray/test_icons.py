"""The icons as pixels, against what their SVGs say."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from camdaemon.control.tray import icons, item
from camdaemon.control.tray.icons import SIZES, draw_pixmaps, name_in_theme


def pixels(name: str, size: int) -> np.ndarray:
    """(H,W,4), as A, R, G, B."""
    (found,) = [data for width, _, data in draw_pixmaps(name) if width == size]
    return np.frombuffer(found, np.uint8).reshape(size, size, 4)


@pytest.mark.parametrize("name", item.ICONS)
@pytest.mark.parametrize("size", SIZES)
def test_it_is_a_tile_with_clear_corners(name: str, size: int) -> None:
    drawn = pixels(name, size)
    assert drawn[0, 0, 0] == drawn[-1, -1, 0] == 0
    assert drawn[size // 2, size // 2, 0] == 255
    assert 0.7 < (drawn[..., 0] / 255).mean() < 0.8, "56 of 64 in each direction, less the corners"
    assert np.array_equal(drawn[drawn[..., 0] == 0], np.zeros_like(drawn[drawn[..., 0] == 0]))


def test_colors_are_those_of_the_file_in_network_byte_order() -> None:
    assert tuple(pixels("camdaemon-room", 48)[8, 24]) == (255, 0xC0, 0x27, 0x1C)
    assert tuple(pixels("camdaemon-room", 48)[24, 12]) == (255, 255, 255, 255)
    assert tuple(pixels("camdaemon", 48)[6, 24]) == (255, 0x0B, 0x6E, 0x62)
    edge = pixels("camdaemon-room", 22)[1, 11]
    assert 0 < edge[0] < 255
    assert tuple(edge[1:]) == (0xC0, 0x27, 0x1C), "an edge is thinner, not darker"


def test_states_are_told_apart_at_the_smallest_size() -> None:
    small = [pixels(name, 16).astype(float) for name in item.ICONS]
    for place, one in enumerate(small):
        assert all(abs(one - other).mean() > 10 for other in small[place + 1 :])


def test_a_theme_that_has_it_is_asked_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_DIRS", f"{tmp_path}:/nonexistent")
    assert name_in_theme("camdaemon") == ""
    for folder in (Path(os.environ["XDG_DATA_HOME"]), tmp_path):
        file = folder / "icons/hicolor/scalable/apps/camdaemon.svg"
        file.parent.mkdir(parents=True)
        file.write_text("")
        assert name_in_theme("camdaemon") == "camdaemon"
        file.unlink()


def test_all_of_the_files_is_read() -> None:
    """A shape or a letter of a path that the drawing does not know would be left out without a word."""
    from xml.etree import ElementTree

    from camdaemon.linux.shipped import read_shipped

    for name in item.ICONS:
        for shape in ElementTree.fromstring(read_shipped("desktop", f"{name}.svg")):
            assert shape.tag.rpartition("}")[2] in ("rect", "circle", "path")
            assert set(shape.attrib) <= {"x", "y", "width", "height", "rx", "cx", "cy", "r", "d", "fill"}
            assert not set(shape.attrib.get("d", "")) - set("MCLZ 0123456789.")
            assert all(len(outline) > 2 for outline in icons._outline(shape))
