"""The body of the figure: neck, T-shirt, open jacket with collar and folds, and the arm that waves.

The torso shares the head's units (the chin is at y = 138). The forearm has its own: elbow at (0, 0), hand upwards.
"""

from __future__ import annotations

import numpy as np

from tests.pattern.head import SKIN, SKIN_WRAP
from tests.pattern.paint import (
    Bytes,
    Color,
    Floats,
    Line,
    Paper,
    Sprite,
    bump,
    capsule,
    curve,
    display,
    join,
    linear,
    lit,
    profile,
    shine,
)

_DENIM: Color = (54, 66, 86)
_COTTON: Color = (214, 205, 190)
_STITCH: Color = (150, 126, 92)
_CLOTH_WRAP = (0.10, 0.10, 0.12)
_OUTLINE = (  # half the width at each height
    (60, 50), (140, 50), (172, 60), (188, 88), (204, 132), (222, 188), (242, 232), (268, 264), (310, 288),
    (370, 304), (450, 318), (600, 336),
)  # fmt: skip
_LAPEL = [(50, 60), (50, 168), (66, 215), (72, 290), (66, 400), (58, 600)]  # edge of the open jacket
_COLLAR = [(50, 150), (68, 168), (112, 206), (128, 232), (96, 292), (70, 262), (52, 214), (44, 178)]
_SEAMS = [
    np.array([(px + 9, py) for px, py in _LAPEL[2:]]),
    np.array([(100, 330), (100, 402), (134, 414), (168, 400), (166, 328), (100, 330)]),  # a pocket
]
_FINGERS = (  # root, tip, radius
    (-31, -360, -43, -434, 12.0), (-9, -368, -12, -456, 12.5), (13, -366, 19, -446, 12.0), (33, -352, 46, -416, 10.5),
)  # fmt: skip
_PALM_LINES = (
    [(-36, -318), (-10, -330), (20, -322)],
    [(-30, -330), (0, -344), (38, -338)],
    [(-20, -350), (-8, -318), (-6, -292)],
)


def paint_torso(paper: Paper) -> Sprite:
    """Paint neck, chest, shoulders and upper arms, down to below the picture's edge."""
    x, y = paper.axes()
    shirt = paper.mask(_between([(46, 200), *_LAPEL[2:]], throat=236))
    seam = np.clip(shirt - paper.mask(_between([(46, 211), *_LAPEL[2:]], throat=247)), 0, 1)
    collar = np.zeros_like(shirt)
    for side in (-1, 1):
        collar += paper.mask(curve(np.array(_COLLAR) * (side, 1), 60, closed=True))
    jacket = np.clip(1 - paper.mask(_between(_LAPEL)) + collar, 0, 1)
    skin = np.clip(1 - shirt - jacket, 0, 1)
    neck = _neck(x, y)
    z = _chest(x, y) + _folds(paper, 11) * (0.35 + 0.65 * jacket)
    z += 7 * paper.soft(jacket, 1.6) + 9 * paper.soft(collar, 2)
    z += 5 * paper.soft(np.maximum(shirt, jacket), 1.5) + 3 * paper.soft(seam, 1.2)
    light = lit(paper, z * (1 - skin) + neck * skin, _CLOTH_WRAP)
    chin = 1 - 0.72 * np.clip((192 - y - 0.25 * x) / 44, 0, 1)  # its shadow
    bare = linear(_skin(paper)) * lit(paper, neck, SKIN_WRAP) + (0.05 * shine(paper, neck, 20))[..., None]
    color = _cotton(paper) * light
    color += (_denim(paper, jacket) * light - color) * jacket[..., None]
    color += (bare * chin[..., None] - color) * skin[..., None]
    width = profile(y, *_OUTLINE) + 2 * paper.noise(34, 31) * np.clip((y - 260) / 80, 0, 1)
    return paper.sprite(_sheet(color, np.clip((width - np.abs(x)) * paper.k + 0.5, 0, 1)))


def paint_forearm(paper: Paper) -> Sprite:
    """Paint sleeve, cuff, and an open hand seen from its palm."""
    x, y = paper.axes()
    sleeve = capsule(x, y, (0, 10, 4, -232), 62, 43)
    cuff = np.where(y < -214, capsule(x, y, (3.5, -224, 4, -246), 47, 45), -99)
    sleeve = np.where(y > -250, join(sleeve, cuff, 3), -99).astype(np.float32)
    hand = _hand(x, y)
    cloth = np.clip(sleeve * 0.25 * paper.k, 0, 1)
    skin = np.clip(hand * 0.25 * paper.k, 0, 1)
    z = np.maximum(sleeve, 0) + _folds(paper, 12) * np.clip((y + 250) / 40, 0, 1)
    bare = linear(_skin(paper)) * lit(paper, np.maximum(hand, 0), SKIN_WRAP)
    bare += (0.03 * shine(paper, hand, 16))[..., None]
    bare *= (1 - 0.55 * np.clip((y + 262) / 14, 0, 1))[..., None]  # the cuff's shadow on the wrist
    denim = _denim(paper, cloth) * lit(paper, z, _CLOTH_WRAP)
    return paper.sprite(_sheet(bare + (denim - bare) * cloth[..., None], np.maximum(cloth, skin)))


def _sheet(light: Floats, alpha: Floats) -> Bytes:
    """Combine light (h,w,3) and alpha (h,w), 0..1, into premultiplied RGBA."""
    return (np.dstack([display(light), np.full_like(alpha, 255)]) * alpha[..., None] + 0.5).astype(np.uint8)


def _between(edge: Line, throat: float | None = None) -> Floats:
    """Outline what lies between an edge on the right and its mirror image, with a neckline down to `throat`."""
    right = curve(edge, 40)
    left = (right * (-1, 1))[::-1]
    if throat is None:
        return np.concatenate([right, left])
    (x0, y0), half = right[0], right[0][0] / 2
    neckline = [(-x0, y0), (-half, throat - 6), (0, throat), (half, throat - 6), (x0, y0)]
    return np.concatenate([right, left, curve(neckline)])


def _neck(x: Floats, y: Floats) -> Floats:
    width = profile(y, (40, 58), (120, 52), (160, 55), (185, 72), (215, 130), (260, 220))
    z: Floats = 62 * np.sqrt(np.clip(1 - np.abs(x / width) ** 2.2, 0, None)) - 18 + 0.12 * (y - 140)
    for side in (-1, 1):
        tendon = profile(y, (80, 52), (225, 10))  # from the ear to the pit of the throat
        z += 5 * np.exp(-(((side * x - tendon) / 8) ** 2) / 2) * (y < 236)
        z += 5 * np.exp(-(((y - 226 + 0.22 * side * x) / 7) ** 2) / 2) * np.clip(side * x / 20, 0, 1)  # collarbone
    return z - 4 * bump(x, y, 0, 226, 9, 8)


def _chest(x: Floats, y: Floats) -> Floats:
    width = profile(y, (150, 60), (190, 110), (225, 190), (265, 226), (330, 222), (600, 214))
    z: Floats = (86 + 0.05 * (y - 300)) * np.sqrt(np.clip(1 - np.abs(x / width) ** 2.2, 0, None)) - 26
    z += profile(y, (170, 0), (330, 18), (420, 22), (600, 8)) * np.exp(-((x / 120) ** 2))
    for side in (-1, 1):
        z = join(z, capsule(x, y, (side * 238, 300, side * 296, 620), 56, 66) - 30, 9)
    return z


def _folds(paper: Paper, seed: int) -> Floats:
    """Make creases of worn cloth (units): soft ridges that slant towards the armpits, some short and sharp."""
    random = np.random.default_rng(seed)
    total: Floats = np.zeros(paper.shape, np.float32)
    low, size = np.array((paper.left, paper.top)), (paper.right - paper.left, paper.bottom - paper.top)
    for blur, count, height in ((11.0, 26, 62.0), (4.0, 60, 19.0)):
        sheet = paper.blank(1)
        for _ in range(count):
            middle = low + size * random.random(2)
            turn = random.normal(0.9 if middle[0] > 0 else 2.24, 0.5) + np.array((0, 0.3, 0.5))
            reach = random.uniform(18, 70) * np.column_stack([np.cos(turn), np.sin(turn)])
            line = curve(middle + reach * np.array(((-1,), (0.2,), (1,))), 20)
            paper.stroke(sheet, line, blur * 0.5, float(random.integers(90, 255)))
        total += paper.soft(sheet.astype(np.float32) / 255, blur) * height
    return total


def _skin(paper: Paper) -> Floats:
    mottle: Floats = paper.noise(9, 5) * 1.6 + paper.noise(2.2, 6) * 1.4
    return np.dstack([SKIN[c] + mottle * share for c, share in enumerate((0.8, 1, 0.9))])


def _cotton(paper: Paper) -> Floats:
    knit = 1 + 0.02 * paper.noise(1.2, 8, 3) + 0.015 * paper.noise(30, 9)
    return linear(_COTTON) * knit[..., None]


def _denim(paper: Paper, where: Floats) -> Floats:
    """Color twill with worn, paler edges and stitches along the seams."""
    weave = 1 + 0.10 * paper.noise(1.1, 14, 4) + 0.06 * paper.noise(1.6, 15, 0.6) + 0.06 * paper.noise(60, 16)
    worn = np.clip(where - paper.soft(where, 2.5), 0, 1)
    sheet = paper.blank(1)
    for side in (-1, 1):
        for seam in _SEAMS:
            paper.stroke(sheet, seam * (side, 1), 1.0, 255)
    stitches = paper.soft(sheet.astype(np.float32) / 255, 0.5)[..., None] * 0.6
    cloth: Floats = linear(_DENIM) * (weave + 0.8 * worn)[..., None]
    return cloth + (linear(_STITCH) - cloth) * stitches


def _hand(x: Floats, y: Floats) -> Floats:
    """Return the height of wrist, palm and spread fingers, (h,w) units; negative outside."""
    wrist = capsule(x, y, (3, -200, 4, -286), 29, 29)
    palm = capsule(x, y, (-16, -304, -24, -348), 24, 22)
    for across, top, round_ in ((-4, -356, 23), (12, -354, 23), (26, -344, 21)):
        palm = join(palm, capsule(x, y, (across * 0.8 + 3, -300, across, top), 24, round_), 30)
    z: Floats = join(wrist, palm - 2, 24)
    thumb = join(capsule(x, y, (-22, -300, -54, -336), 20, 14), capsule(x, y, (-54, -336, -74, -378), 13, 9.5), 4)
    z = join(z, thumb, 8)
    for x0, y0, x1, y1, radius in _FINGERS:
        xm, ym = (x0 + x1) / 2, (y0 + y1) / 2
        lower = capsule(x, y, (x0, y0 + 14, xm, ym), radius * 1.06, radius)
        z = join(z, join(lower, capsule(x, y, (xm, ym, x1, y1), radius, radius * 0.84), 1.5), 3)
    for line in _PALM_LINES:
        for px, py in curve(line, 24).tolist():
            z = z - 0.35 * bump(x, y, px, py, 3.2, 3.2)
    return z
