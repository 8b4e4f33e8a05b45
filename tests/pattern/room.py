"""The empty room: colors painted flat, then lit by daylight from the left and a lamp on the right.

Units as in paint.py, with (0, 0) at the middle of the picture's lower edge: y runs from -720 to 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tests.pattern.paint import Bytes, Color, Floats, Line, Paper, bump, curve, display, linear, shifted

_WALL: Color = (172, 184, 172)
_OAK: Color = (158, 112, 72)
_OAK_EDGE: Color = (92, 62, 40)
_WINDOW = (-590, -650, -372, -250)  # left, top, right, bottom of its frame
_LAMP = (452, -318)  # the bulb
_SIDEBOARD, _SHELF = -196, -470  # y of their tops
_BOOKS = (
    (146, 62, 48), (52, 78, 96), (196, 168, 112), (70, 92, 70), (220, 212, 196), (98, 66, 92), (38, 44, 56),
    (188, 126, 60),
)  # fmt: skip


class _Wall:
    """A wall in progress.

    Attributes:
        paper: Sheet that it is painted on.
        flat: Colors without light, (h,w,3) uint8.
        solid: What stands in front of the wall and casts a shadow on it, (h,w) uint8.
    """

    def __init__(self, paper: Paper) -> None:
        self.paper = paper
        self.flat, self.solid = paper.blank(3), paper.blank(1)
        self.flat[:] = _WALL

    def body(self, points: ArrayLike, *color: float) -> None:
        """Paint an object that casts a shadow."""
        self.mark(points, *color)
        self.paper.fill(self.solid, points, 255)

    def mark(self, points: ArrayLike, *color: float) -> None:
        """Paint a detail on an object."""
        self.paper.fill(self.flat, points, *np.clip(color, 0, 255).tolist())

    def line(self, points: ArrayLike, width: float, *color: float) -> None:
        """Draw a line on an object."""
        self.paper.stroke(self.flat, points, width, *np.clip(color, 0, 255).tolist())

    def cloth(self, mask: Floats, color: Floats) -> None:
        """Lay colors (h,w,3) on the wall through a mask (h,w), 0..1, that casts a shadow."""
        self.flat[:] = np.clip(self.flat * (1 - mask[..., None]) + color * mask[..., None] + 0.5, 0, 255)
        np.maximum(self.solid, (mask * 255).astype(np.uint8), out=self.solid)


def paint_room(paper: Paper) -> Bytes:
    """Paint the empty room without noise: (h,w,3) uint8 RGB at its final size."""
    wall = _Wall(paper)
    for part in (_window, _picture, _shelf, _sideboard, _lamp, _plant):
        part(wall)
    seen = Paper(paper.left, paper.top, paper.right, paper.bottom, paper.scale, 1)
    body = paper.reduced(wall.solid).astype(np.float32) / 255
    texture = 1 + 0.012 * seen.noise(2.5, 51) + 0.010 * seen.noise(9, 52) + 0.02 * seen.noise(180, 53)
    picture = linear(paper.reduced(wall.flat)) * _light(seen, body) * texture[..., None] + _glow(seen)
    soft = seen.soft(display(picture), 0.9)  # a little out of focus
    return np.asarray(np.clip(soft + 0.5, 0, 255), np.uint8)


def _tinted(amount: Floats, *color: float) -> Floats:
    return amount[..., None] * np.array(color, np.float32)


def _light(seen: Paper, body: Floats) -> Floats:
    """Return the light on the room (h,w,3): daylight that falls off to the right, the lamp's two cones, shadows."""
    x, y = seen.axes()
    day = 0.34 + 0.72 / (1 + ((x + 430) / 470) ** 2 + ((y + 420) / 600) ** 2) + 0.22 * _sunlight(seen)
    lx, ly = np.abs(x - _LAMP[0]), np.abs(y - _LAMP[1])
    cone = 1 / (1 + np.exp(np.clip((lx - ly * 0.82 - 26) / 9, -30, 30)))
    lamp = (0.22 + 0.85 * cone) / (1 + (lx / 150) ** 2 + (ly / 190) ** 2)
    thrown = shifted(seen.soft(body, 16), 22 * seen.k, 14 * seen.k) * (1 - body)
    close = seen.soft(body, 5) * (1 - body)
    shade = (1 - 0.42 * thrown) * (1 - 0.28 * close)
    low = 1 - 0.25 * np.clip((y + 160) / 160, 0, 1)  # less light towards the floor
    return _tinted(day * shade * low, 0.97, 1.0, 1.05) + _tinted(lamp * low, 0.62, 0.44, 0.22)


def _sunlight(seen: Paper) -> Floats:
    """Return four panes of sunlight on the wall, (h,w) 0..1, from a window outside the picture."""
    panes = np.zeros(seen.shape, np.float32)
    for a in (-130, -20):
        for top in (-640, -520):
            panes += seen.mask([(a, top), (a + 96, top + 34), (a + 122, top + 138), (a + 26, top + 104)])
    return seen.soft(panes, 5)


def _glow(seen: Paper) -> Floats:
    """Return the light (h,w,3) of what shines: the sky in the panes, the lampshade, the lens's glare around both."""
    x, y = seen.axes()
    panes = np.zeros(seen.shape, np.float32)
    for pane in _panes():
        panes += seen.mask(pane)
    shade = seen.mask(_shade()) * (0.75 + 0.35 * bump(x, y, *_LAMP, 60, 40))
    light = _sky(seen) * (panes * (1 - seen.mask(_drape())))[..., None] + _tinted(shade, 1.0, 0.80, 0.52)
    light += _tinted(0.10 * bump(x, y, -480, -450, 190, 230), 0.9, 1, 1.1)
    return light + _tinted(0.10 * bump(x, y, *_LAMP, 90, 80), 1, 0.75, 0.4)


def _sky(seen: Paper) -> Floats:
    """Return what is seen through the window, far out of focus: a pale sky above trees."""
    _, y = seen.axes()
    leaves = seen.soft(seen.noise(34, 61), 12) * 1.3 + (y + 400) / 120
    tree = np.clip(leaves * 0.9, 0, 1)
    green = tree * (1 + 0.35 * seen.soft(seen.noise(16, 62), 6))
    return _tinted((1 - tree) * (1 - 0.12 * (y + 650) / 400), 0.86, 0.95, 1.06) + _tinted(green, 0.30, 0.42, 0.20)


def _box(x0: float, y0: float, x1: float, y1: float) -> Line:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def _panes() -> list[Line]:
    left, top, right, bottom = _WINDOW
    middle, rail = (left + right) / 2, top + 0.42 * (bottom - top)
    columns = ((left + 14, middle - 6), (middle + 6, right - 14))
    rows = ((top + 14, rail - 6), (rail + 6, bottom - 14))
    return [_box(x0, y0, x1, y1) for x0, x1 in columns for y0, y1 in rows]


def _drape() -> Floats:
    _, top, right, _ = _WINDOW
    edge = [(right - 46, top - 20), (right - 40, -430), (right - 34, -260), (right - 42, -60), (right - 40, 10)]
    return np.concatenate([curve(edge, 40), np.array([(right + 36, 10), (right + 26, -300), (right + 30, top - 20)])])


def _window(wall: _Wall) -> None:
    left, top, right, bottom = _WINDOW
    wall.body(_box(left, top, right, bottom), 226, 226, 220)
    wall.body(_box(left - 14, bottom, right + 14, bottom + 14), 226, 226, 220)
    wall.mark(_box(left - 14, bottom + 10, right + 14, bottom + 16), 150, 152, 146)
    for pane in _panes():
        wall.line([*pane, pane[0]], 3, 120, 122, 118)
        wall.mark(pane, 8, 10, 12)
    wall.mark(_box(left - 70, top - 24, right + 60, top - 18), 84, 72, 60)  # the curtain's rod
    x, _ = wall.paper.axes()
    folds = 0.80 + 0.20 * np.sin(x / 6.5 + np.sin(x / 15))
    wall.cloth(wall.paper.mask(_drape()), _tinted(folds, 196, 178, 150))


def _picture(wall: _Wall) -> None:
    x0, y0, x1, y1 = -292, -624, -166, -456
    wall.body(_box(x0, y0, x1, y1), 62, 50, 42)
    wall.mark(_box(x0 + 8, y0 + 8, x1 - 8, y1 - 8), 232, 228, 218)
    a, b, c, d = x0 + 24, y0 + 26, x1 - 24, y1 - 26
    wall.mark(_box(a, b, c, d), 214, 196, 158)
    turn = np.linspace(0, 6.2, 40)
    wall.mark(np.column_stack([a + 52 + 15 * np.cos(turn), b + 32 + 15 * np.sin(turn)]), 206, 104, 62)
    for i, tone in enumerate(((120, 146, 140), (84, 118, 120), (52, 84, 92))):
        along = np.linspace(a, c, 40)
        hills = b + 58 + 17 * i - 9 * np.sin((along - a) / (13 + 5 * i) + 2.1 * i)
        wall.mark(np.concatenate([np.column_stack([along, hills]), [(c, d), (a, d)]]), *tone)


def _shelf(wall: _Wall) -> None:
    random = np.random.default_rng(5)
    wall.body(_box(210, _SHELF, 625, _SHELF + 14), *_OAK)
    wall.mark(_box(210, _SHELF + 10, 625, _SHELF + 14), 112, 76, 48)
    at = 226.0
    while at < 505:
        if 338 < at < 372:
            at = 420.0  # room for the vase
        wide, high = random.uniform(11, 25), random.uniform(84, 128)
        tone = np.array(_BOOKS[random.integers(len(_BOOKS))]) + random.integers(-12, 12, 3)
        lean = 16 if at > 480 else 0
        y = _SHELF - high
        wall.body([(at + lean, y), (at + wide + lean, y), (at + wide, _SHELF), (at, _SHELF)], *tone)
        for share, light in ((0.06, 0.72), (0.94, 0.62)):  # the back is round
            wall.line([(at + wide * share + lean, y), (at + wide * share, _SHELF)], wide * 0.12, *tone * light)
        for up in random.uniform(0.12, 0.88, 2):
            x = at + lean * up
            wall.line([(x + 3, _SHELF - high * up), (x + wide - 3, _SHELF - high * up)], 2, *tone * 1.35 + 12)
        at += wide + 1.2
    left = [(376, _SHELF), (364, -500), (372, -528), (382, -546)]
    vase = [*left, *((782 - x, y) for x, y in left[::-1])]
    wall.body(curve(vase, 60, closed=True), 178, 92, 60)
    wall.line(curve([(377, -484), (373, -502), (380, -528)], 20), 5, 206, 128, 92)


def _sideboard(wall: _Wall) -> None:
    paper = wall.paper
    _, y = paper.axes()
    grain = 1 + 0.05 * paper.noise(70, 41, 0.06) + 0.04 * paper.noise(24, 42, 0.1)
    wood = _tinted(grain * (1 - 0.12 * np.clip((y + 190) / 190, 0, 1)), *_OAK)
    wall.cloth(paper.mask(_box(196, _SIDEBOARD, 1500, 20)), wood)
    wall.mark(_box(190, _SIDEBOARD - 4, 1500, _SIDEBOARD + 6), 186, 138, 92)
    wall.mark(_box(196, _SIDEBOARD + 6, 1500, _SIDEBOARD + 12), *_OAK_EDGE)
    for left in range(212, 1400, 212):
        for top in (-174, -82):
            drawer = _box(left, top, left + 198, top + 82)
            wall.line([*drawer, drawer[0]], 2.2, *_OAK_EDGE)
            wall.line([(left + 82, top + 30), (left + 116, top + 30)], 5, 58, 52, 46)
            wall.line([(left + 82, top + 28.5), (left + 116, top + 28.5)], 1.4, 150, 140, 124)


def _shade() -> Line:
    x, y = _LAMP
    return [(x - 38, y - 48), (x + 38, y - 48), (x + 60, y + 44), (x - 60, y + 44)]


def _lamp(wall: _Wall) -> None:
    x, y = _LAMP
    right = [(x + 7, y + 44), (x + 9, y + 66), (x + 27, y + 86), (x + 24, y + 112), (x + 12, _SIDEBOARD - 4)]
    wall.body(curve([*right, *((2 * x - px, py) for px, py in right[::-1])], 80, closed=True), 66, 98, 104)
    wall.line(curve([(x - 14, y + 76), (x - 19, y + 90), (x - 12, y + 108)], 20), 5, 128, 160, 164)
    wall.body(_shade(), 60, 54, 44)


def _plant(wall: _Wall) -> None:
    """Paint a rubber tree in a pot next to the window: leaves from back to front, the front ones lighter."""
    random = np.random.default_rng(3)
    trunk = curve([(-312, -78), (-318, -180), (-306, -280), (-314, -372)], 40)
    wall.line(trunk, 7, 84, 64, 46)
    for i in range(34):
        up, turn = random.uniform(0.12, 1), random.uniform(-2.9, -0.25)
        along = np.array((np.cos(turn), np.sin(turn) * 0.8 + 0.18)) * random.uniform(54, 92) * (1.05 - 0.35 * up)
        aside = np.array((-along[1], along[0])) * random.uniform(0.15, 0.24)
        root = trunk[int(up * 39)]
        stem = root + 14 * along / np.hypot(*along)
        edge = np.array([stem + share * along + bulge * aside for share, bulge in
                         ((0, 0), (0.35, 1), (0.75, 0.7), (1.1, 0), (0.75, -0.7), (0.35, -1))])  # fmt: skip
        leaf = curve(edge, 40, closed=True)
        light = (0.5 + 0.6 * i / 34) * (1.15 if along[0] < 0 else 0.9)
        tone = np.array((58, 98, 56)) * light + random.integers(-6, 6, 3)
        wall.line([root, stem], 2.4, 74, 84, 48)
        wall.body(leaf, *tone)
        wall.mark(np.concatenate([leaf[:21], [stem]]), *tone * 1.22)
        wall.line([stem, stem + along], 1.3, *tone * 1.6 + 10)
    wall.body([(-372, -78), (-252, -78), (-264, 20), (-360, 20)], 196, 190, 178)
    for share in np.linspace(0, 1, 12):
        staff = np.array((206, 200, 188)) * (1 - 0.45 * share**1.3)
        wall.line([(-372 + 120 * share, -78), (-360 + 96 * share, 20)], 11, *staff)
    wall.mark(_box(-372, -84, -252, -76), 150, 144, 134)
