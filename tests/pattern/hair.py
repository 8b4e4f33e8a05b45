"""The hair of the figure, strand by strand: locks that part on the head and fall on the shoulders.

Light on a strand follows Kajiya and Kay 1989: it depends on the strand's direction, not on a surface.
"""

from __future__ import annotations

import numpy as np

from tests.pattern.paint import Bytes, Floats, Paper, curve, onto

_STEPS, _FINE = 34, 136  # points of a strand, and of the guide that they are taken from
_STRANDS = 15  # in a lock
_ROOT, _TIP = np.array((64, 42, 31), np.float32), np.array((108, 72, 48), np.float32)
_GLEAM = np.array((118, 92, 70), np.float32)
_HALF = np.array((-0.08, -0.36, 0.93), np.float32)  # between the window and the camera

# Left and right; on each side the lock nearest to the face and the outermost one, from the parting to the tip.
_GUIDES = np.array(
    [
        [
            [(-20, -101), (-46, -98), (-70, -72), (-86, -28), (-91, 30), (-88, 95), (-86, 160), (-72, 236)],
            [(-14, -163), (-64, -157), (-108, -120), (-127, -55), (-131, 20), (-132, 100), (-138, 175), (-112, 262)],
        ],
        [
            [(-20, -101), (20, -107), (58, -86), (83, -38), (90, 22), (87, 92), (88, 158), (74, 230)],
            [(-14, -163), (48, -165), (102, -128), (127, -60), (132, 20), (133, 100), (141, 178), (116, 268)],
        ],
    ],
    np.float32,
)
_NAPE = [(-112, -60), (112, -60), (118, 60), (112, 180), (56, 208), (-56, 208), (-112, 180), (-118, 60)]
_PARTING = [(-46, -160), (-16, -165), (20, -165), (20, -112), (-46, -106)]


def paint_hair(paper: Paper) -> tuple[Bytes, Bytes]:
    """Paint the hair behind the neck, and the hair in front of face and shoulders, as premultiplied RGBA sheets."""
    random = np.random.default_rng(7)
    behind, before, halo = paper.blank(), paper.blank(), paper.blank()
    paper.fill(behind, curve(_NAPE, 60, closed=True), 24, 16, 13, 255)
    paper.fill(before, _PARTING, 40, 27, 20, 255)
    for inner, outer in curve(_GUIDES, 40):  # the dark body under the strands
        across = outer - inner
        body = np.concatenate([inner[:28] + across[:28] * 0.1, (inner + across * 0.88)[27::-1]])
        paper.fill(before, body, 34, 22, 16, 255)
    _draw(paper, behind, _locks(random, 48, (0.1, 0.9)), 0.5, random)
    _draw(paper, before, _locks(random, 150, (0.0, 0.96)), 1.0, random)
    _draw(paper, halo, _locks(random, 60, (0.5, 0.98), loose=2.0), 1.3, random)
    _draw(paper, halo, _locks(random, 3, (-0.08, 0.0), loose=1.8), 1.0, random)
    return behind, onto(before, (halo * np.float32(0.42)).astype(np.uint8))


def _locks(random: np.random.Generator, count: int, span: tuple[float, float], loose: float = 1) -> Floats:
    """Make strands. A lock waves as one; its strands spread on the way and meet near the tip.

    Args:
        random: Source of all variation.
        count: Number of locks.
        span: Range of distance from the face, 0 nearest, 1 outermost.
        loose: How far single strands go astray.

    Returns:
        Points in units, (count · 15, steps, 2).
    """
    t, sides = np.linspace(0, 1, _STEPS, dtype=np.float32), random.integers(0, 2, count).repeat(_STRANDS)

    def each(low: float, high: float) -> Floats:  # one value for a lock, the same for its strands
        return random.uniform(low, high, (count, 1)).repeat(_STRANDS, 0).astype(np.float32)

    def stray(size: float) -> Floats:
        return (random.standard_normal((count * _STRANDS, 1)) * size * loose).astype(np.float32)

    share = np.sort(random.uniform(*span, count))[::-1].repeat(_STRANDS)[:, None]  # those nearest to the face come last
    ends = np.clip(each(0.86, 1.0) + stray(0.03), 0.6, 1)
    begin = np.abs(stray(0.04)) * (loose > 1) + each(0, 0.02)  # those astray come out of the others
    at = np.rint(np.clip(begin + t * (ends - begin), 0, 1) * (_FINE - 1)).astype(int)
    guides, rows = curve(_GUIDES, _FINE)[sides], np.arange(len(sides))[:, None]
    inner, outer = guides[rows, 0, at], guides[rows, 1, at]
    share = share + stray(0.03) * (1 - 0.7 * t)
    strands: Floats = inner + (outer - inner) * share[..., None]
    swing = np.sin(6 * share + each(-0.5, 0.5) + stray(0.16) + t * each(15.8, 17.4))
    aside = stray(1) * (0.8 + 3.2 * np.sin(t * 2.7))
    strands[..., 0] += aside * np.clip(t * 3, 0, 1) + each(5, 13) * loose**0.4 * np.clip((t - 0.3) / 0.5, 0, 1) * swing
    strands[..., 1] -= aside * np.clip(1 - t * 2.2, 0, 1)
    return strands


def _draw(paper: Paper, sheet: Bytes, strands: Floats, light: float, random: np.random.Generator) -> None:
    """Draw strands in order, each in short pieces with the light that falls on them."""
    count = len(strands)
    x, y = strands[..., 0], strands[..., 1]
    bulge = np.sqrt(np.clip(1 - (x / 150) ** 2 - (np.clip(-y, 0, None) / 176) ** 2, 0, 1))
    along = np.gradient(np.dstack([x, y, 95 * bulge]), axis=1)
    along /= np.linalg.norm(along, axis=2, keepdims=True) + 1e-6
    across = (along @ _HALF) * 0.8 + random.normal(0, 0.09, (count, 1))
    open_side = 1 - np.clip(across**2, 0, 1)
    facing = 0.44 + 0.56 * np.clip(0.55 * bulge - 0.4 * x / 150 - 0.2 * y / 176 + 0.3, 0, 1)
    own = random.uniform(0.6, 1.2, (count // _STRANDS, 1)).repeat(_STRANDS, 0) * random.uniform(0.7, 1.25, (count, 1))
    tone = (own * facing * light)[..., None]
    t = np.linspace(0, 1, strands.shape[1])[:, None]
    colors = (_ROOT + (_TIP - _ROOT) * t) * (0.6 + 0.4 * np.sqrt(open_side))[..., None] * tone
    colors += _GLEAM * 0.7 * (open_side**16)[..., None] * tone
    colors = np.clip(colors * (0.72 + 0.28 * np.clip(t * 7, 0, 1)), 0, 255)  # darker at the parting
    for strand, color in zip(strands, colors.tolist(), strict=True):
        for a in range(0, len(strand) - 1, 3):
            paper.stroke(sheet, strand[a : a + 4], 0.55, *color[min(a + 1, len(strand) - 1)], 255)
