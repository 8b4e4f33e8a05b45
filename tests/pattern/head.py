"""The head of the figure: a lofted skull, a face painted on it, glasses, and the hair around it.

Units as in paint.py; (0, 0) lies between the eyes, the chin at y = 138.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tests.pattern.hair import paint_hair
from tests.pattern.paint import (
    Bytes,
    Color,
    Floats,
    Line,
    Paper,
    Sprite,
    bump,
    curve,
    display,
    join,
    linear,
    lit,
    onto,
    profile,
    shifted,
    shine,
)

SKIN: Color = (219, 168, 140)
SKIN_WRAP = (0.42, 0.22, 0.14)
_SIDES = (-1, 1)
_FRAME: Color = (40, 31, 30)
# Half the head's width and its depth at each height: the shape that all else is modelled on.
_WIDTH = (
    (-152, 0), (-148, 28), (-134, 56), (-108, 78), (-70, 89), (-25, 89), (20, 86), (55, 80), (85, 70),
    (108, 54), (124, 37), (134, 19), (138, 0),
)  # fmt: skip
_DEPTH = (
    (-152, 40), (-130, 76), (-95, 96), (-55, 104), (-25, 104), (5, 97), (50, 100), (85, 101), (100, 96),
    (118, 96), (132, 74), (138, 50),
)  # fmt: skip
_UPPER_LIP = [(-30, 85.5), (-17, 83), (-6, 79), (0, 81), (6, 79), (17, 83), (30, 85.5), (15, 90), (0, 92), (-15, 90)]
_LOWER_LIP = [(-28, 86.5), (-15, 90.5), (0, 92), (15, 90.5), (28, 86.5), (16, 101.5), (0, 105), (-16, 101.5)]
_MOUTH = [(-33, 83.5), (-26, 86.5), (-13, 91), (0, 92), (13, 91), (26, 86.5), (33, 83.5)]
_EAR = [(84, -16), (95, -24), (103, -12), (102, 12), (97, 32), (90, 44), (84, 40)]
_NOSTRIL = [(6, 61.5), (11, 59), (14.5, 61), (10, 63)]


@dataclass(frozen=True, slots=True)
class Head:
    """The head in parts, from back to front."""

    hair_behind: Sprite
    eyes_open: Sprite
    eyes_closed: Sprite
    height: Floats  # (h,w) units; a turn of the head shifts by it


def paint_head(paper: Paper) -> Head:
    """Paint the head with open and with closed eyes, and the hair behind it."""
    behind, before = paint_hair(paper)
    x, y = paper.axes()
    z = _heights(x, y)
    shade = paper.soft(before[..., 3].astype(np.float32) / 255, 7)
    shade = shifted(shade, 5 * paper.k, 8 * paper.k)  # the hair's shadow on the skin
    light = lit(paper, z, SKIN_WRAP) * (1 - 0.62 * shade)[..., None]
    gleam = 0.12 * shine(paper, z, 22) * (1 - shade)
    inside = np.clip((profile(y, *_WIDTH) - np.abs(x)) * paper.k + 0.5, 0, 1)
    for side in _SIDES:
        inside = np.maximum(inside, paper.mask(curve(_mirrored(_EAR, side), 40, closed=True)))
    sheets = []
    for blink in (False, True):
        color, gloss = _painted(paper, x, y, blink=blink)
        seen = linear(color) * light + (gloss * gleam)[..., None]
        sheet = (np.dstack([display(seen), np.full_like(z, 255)]) * inside[..., None] + 0.5).astype(np.uint8)
        sheets.append(onto(_glasses(paper, sheet, blink=blink), before))
    deep = paper.reduced(paper.soft(np.where(np.abs(x) < 90, z, np.float32(25)), 7))
    return Head(paper.sprite(behind), paper.sprite(sheets[0]), paper.sprite(sheets[1]), deep)


def _mirrored(points: Line, side: int) -> Line:
    return [(side * px, py) for px, py in points]


def _heights(x: Floats, y: Floats) -> Floats:
    """Return the height of the face towards the camera, (h,w) units."""
    across = np.abs(x) / np.maximum(profile(y, *_WIDTH), 1)
    z = profile(y, *_DEPTH) * np.sqrt(np.clip(1 - across**2.2, 0, None))
    z += 7 * bump(x, y, 0, -32, 42, 9)  # brow ridge
    ridge = profile(y, (-42, 0), (-16, 9), (10, 17), (34, 27), (46, 32), (55, 25), (66, 7), (74, 0))
    z += ridge * np.exp(-((x / profile(y, (-30, 9), (10, 10), (45, 11.5), (60, 11))) ** 2) / 2)
    z += 5 * bump(x, y, 0, 47, 8, 8) - 4 * bump(x, y, 0, 71, 3.5, 7)  # tip of the nose, furrow below it
    z += 6 * bump(x, y, 0, 85, 20, 5) + 7 * bump(x, y, 0, 98, 17, 5) - 5 * bump(x, y, 0, 91, 17, 2)  # lips
    z += -6 * bump(x, y, 0, 109, 20, 5) + 7 * bump(x, y, 0, 123, 18, 9)  # chin
    for side in _SIDES:
        z += 9 * bump(x, y, side * 36, -1, 14, 9) - 13 * bump(x, y, side * 36, -6, 20, 13)  # eyeball in its socket
        z += 7 * bump(x, y, side * 14.5, 54, 5.5, 6) + 10 * bump(x, y, side * 49, 36, 18, 16)  # nostril's wing, cheek
        z -= 5 * bump(x, y, side * 36, 84, 4, 9) + 5 * bump(x, y, side * 74, 70, 14, 26)  # beside the mouth, jaw
        ear = 34 + 10 * bump(x, y, side * 99, -6, 5, 22) - 8 * bump(x, y, side * 92, 6, 4, 16)
        z = np.where((x * side > 84) & (y > -30) & (y < 50), join(z, ear, 12), z)
    return z


def _painted(paper: Paper, x: Floats, y: Floats, *, blink: bool) -> tuple[Floats, Floats]:
    """Paint skin, eyes, brows and mouth: colors 0..255 (h,w,3) and gloss 0..1 (h,w)."""
    mottle = paper.noise(9, 1) * 1.5 + paper.noise(2.2, 2) * 1.6 + paper.noise(40, 3) * 2
    blush = 0.45 * bump(x, y, 0, 50, 16, 11) + 0.35 * bump(x, y, 0, 122, 18, 12)
    tired = np.zeros_like(blush)
    for side in _SIDES:
        blush += bump(x, y, side * 52, 42, 24, 17) + 0.5 * bump(x, y, side * 99, 5, 12, 24)
        tired += bump(x, y, side * 36, 14, 16, 6)
    toned = ((0.8, 3, -12), (1.0, -12, -14), (0.9, -11, -6))
    color = np.dstack([SKIN[c] + mottle * m + blush * b + tired * u for c, (m, b, u) in enumerate(toned)])
    sheet = np.clip(color, 0, 255).astype(np.uint8)
    _tint(paper, sheet, curve(_UPPER_LIP, 60, closed=True), (182, 92, 88), 0.85, 1.2)
    _tint(paper, sheet, curve(_LOWER_LIP, 60, closed=True), (202, 112, 106), 0.8, 1.5)
    paper.stroke(sheet, curve(_MOUTH, 40), 1.1, 122, 58, 52)
    gloss = 0.75 + paper.noise(2.5, 4) * 0.12 + 0.5 * bump(x, y, 0, 48, 8, 10) + 0.8 * bump(x, y, 0, 98, 16, 4)
    for side in _SIDES:
        _eye(paper, sheet, side, blink=blink)
        _brow(paper, sheet, side)
        _tint(paper, sheet, curve(_mirrored(_NOSTRIL, side), 20, closed=True), (92, 50, 40), 0.7, 1.2)
        gloss -= bump(x, y, side * 36, -1, 14, 7)
    return sheet.astype(np.float32), np.clip(gloss, 0, 2)


def _tint(paper: Paper, sheet: Bytes, outline: Floats, color: Color, share: float, blur: float) -> None:
    """Mix `share` of a color into what lies within the outline, softly."""
    mask = paper.mask(outline, blur)[..., None] * share
    sheet[:] = (sheet * (1 - mask) + np.array(color, np.float32) * mask + 0.5).astype(np.uint8)


def _eye(paper: Paper, sheet: Bytes, side: int, *, blink: bool) -> None:
    def at(*points: tuple[float, float]) -> Line:
        return [(side * (36 + 1.22 * px), 1.22 * py) for px, py in points]

    upper = curve(at((-17, 3), (-10, -5), (0, -8.4), (10, -6.6), (18, -1.5)), 30)
    lower = curve(at((18, -1.5), (9, 4.6), (0, 6.2), (-10, 5.4), (-17, 3)), 30)
    crease = curve(at((-16, -6), (-8, -12), (2, -14), (12, -11), (20, -5)), 30)
    _tint(paper, sheet, np.concatenate([crease, lower]), (196, 138, 116), 0.55, 2.5)
    if blink:
        paper.stroke(sheet, lower, 2.2, 60, 36, 30)
        return
    ball = paper.blank(3)
    ball[:] = (214, 206, 202)
    turn = np.linspace(0, 6.2, 40)
    circle = np.column_stack([np.cos(turn), np.sin(turn)])
    for radius, tone in ((9.8, (40, 27, 21)), (8.8, (88, 58, 38)), (6.4, (116, 78, 48)), (4.2, (14, 10, 9))):
        paper.fill(ball, (side * 36 + 0.5, -1.2) + radius * circle, *tone)
    opening = paper.mask(np.concatenate([upper, lower]), 0.4)[..., None]
    ball = np.asarray(cv2.GaussianBlur(ball, (0, 0), 0.5 * paper.k), np.uint8)
    sheet[:] = (sheet * (1 - opening) + ball * opening + 0.5).astype(np.uint8)
    below = upper + np.array((0, 2.2), np.float32)
    _tint(paper, sheet, np.concatenate([upper, below[::-1]]), (40, 26, 22), 0.6, 1.0)  # the lid's shadow
    paper.stroke(sheet, crease, 1.0, 142, 88, 70)
    paper.stroke(sheet, upper, 2.0, 34, 22, 18)
    paper.stroke(sheet, lower, 0.8, 150, 96, 82)
    for i in range(2, 30, 2):
        px, py = upper[i]
        paper.stroke(sheet, [(px, py), (px + side * (i - 11) * 0.16, py - 2.2)], 0.5, 30, 20, 17)


def _brow(paper: Paper, sheet: Bytes, side: int) -> None:
    random = np.random.default_rng(20 + side)
    spine = curve([(14, -24), (28, -31), (44, -33.5), (61, -25)], 130)
    for i, (px, py) in enumerate(spine):
        thick = 4.6 * (1 - i / 130) ** 0.6 * min(1, 0.5 + i / 30) + 1
        start = py + random.uniform(-0.5, 0.7) * thick
        dx, dy = np.interp(i, (0, 40, 130), (4, 6, 7)), np.interp(i, (0, 40, 130), (-3.6, -2.0, 3.0))
        tone = np.array((62, 42, 33)) + random.integers(-12, 14)
        strand = [(side * px, start), (side * (px + dx), start + dy * random.uniform(0.6, 1.1))]
        paper.stroke(sheet, strand, 0.6, *tone.tolist())


def _glasses(paper: Paper, sheet: Bytes, *, blink: bool) -> Bytes:
    """Add thin round glasses, and the window's light in the eyes behind them."""
    over = paper.blank()
    turn = np.linspace(0, 6.3, 60)
    for side in _SIDES:
        if not blink:
            eye = side * 36
            spot = [(eye - 3.4, -5.2), (eye - 0.2, -5.2), (eye - 0.4, -2.4), (eye - 3.4, -2.4)]
            paper.fill(over, curve(spot, 16, closed=True), 236, 240, 244, 250)
        ring = np.column_stack([side * (37 + 28 * np.cos(turn)), 3 + 24 * np.sin(turn)])
        paper.stroke(over, ring, 2.4, *_FRAME, 255)
        paper.stroke(over, ring - np.array((0.5, 0.7)), 0.7, 118, 104, 98, 255)
        paper.stroke(over, [(side * 64, -3), (side * 92, -8)], 2.6, *_FRAME, 255)
    paper.stroke(over, curve([(-10, 0), (-4, -5), (4, -5), (10, 0)], 24), 2.4, *_FRAME, 255)
    return onto(sheet, over)
