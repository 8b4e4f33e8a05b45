"""The table: what became of each fault, in the units of `evaluate`."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import cv2
import numpy as np

from tests.plate_faults.faults import Fault
from tests.plate_faults.play import Figures

_SEEN_S = 2.0  # for so long in a row the room was seen where a plate that grows is compared
_BESIDE = np.ones((3, 3), np.uint8)  # blocks: nothing is learned beside a person
_SMOOTH_S = 1.0  # the error of so many seconds is compared, as single frames vary
_WORSE = 1.2  # times the undisturbed error is as good as that
_SPARE = 0.3  # of MAD times 1000: less is not seen, and no difference


class Row(NamedTuple):
    """What became of one fault on one clip; percent unless said."""

    clip: str
    fault: str
    leak: float  # mean
    worst: float  # largest leak of a frame
    holes: float  # mean
    worst_holes: float
    composites: float  # of the frames after the time in which it should be good again
    good_s: float  # seconds from the event until the error stays as good as undisturbed; NaN: never, or not compared
    mad: float  # in the last seconds, over the undisturbed, in the whole picture
    plate: float  # error of the plate there, levels
    known: float

    def __str__(self) -> str:
        good = "    –" if np.isnan(self.good_s) else f"{self.good_s:5.1f}"
        return (
            f"{self.clip:11} {self.fault:24} leak {self.leak:5.2f} worst {self.worst:5.2f}  holes {self.holes:5.2f} "
            f"worst {self.worst_holes:5.2f}  composites {self.composites:5.1f}  good after {good} s  "
            f"MAD {self.mad:4.2f}x  plate {self.plate:4.1f}  known {self.known:5.1f}"
        )


def summarize(clip: str, fault: Fault, found: list[Figures], undisturbed: list[Figures]) -> Row:
    """Sum up the figures of a fault; `undisturbed` are those of the same scene with the right plate all the time.

    They are repeated as needed. A moved camera sees the person before another part of the room, so it is compared with
    a camera that stood there from the start.
    """
    after = [each for each in found if each.t >= fault.event_s]
    shown = [each for each in found if not each.is_card]
    due = [each for each in after if fault.good_s is None or each.t >= fault.event_s + fault.good_s] or after[-1:]
    end = [each for each in after if each.t > after[-1].t - 3]
    ratios = [ratio for ratio in compare(after, undisturbed, grows=False)[-len(end) :] if np.isfinite(ratio)]
    return Row(
        clip,
        fault.name,
        float(np.nanmean([each.leak for each in shown] or [np.nan])),
        float(np.nanmax([each.leak for each in shown] or [np.nan])),
        float(np.nanmean([each.holes for each in shown] or [np.nan])),
        float(np.nanmax([each.holes for each in shown] or [np.nan])),
        100 * float(np.mean([not each.is_card for each in due])),
        _find_recovery(fault, after, undisturbed),
        float(np.mean(ratios or [np.nan])),
        float(np.nanmean([each.plate for each in end])),
        float(np.mean([each.known for each in end])),
    )


def _find_recovery(fault: Fault, after: list[Figures], undisturbed: list[Figures]) -> float:
    """Return the seconds after the event from which on the error stays as good as undisturbed at the same moment.

    Where the plate has to grow, it is compared where the room was seen until then, for two seconds and not just beside
    the person; the rest is what the network makes of a part that nothing is known of.
    """
    if fault.good_s is None:
        return np.nan
    ratios = compare(after, undisturbed, grows=fault.plate_grows)
    bad = [each.t for each, ratio in zip(after, ratios, strict=True) if not ratio <= _WORSE]
    if not bad:
        return 0.0
    later = [each.t for each in after if each.t > bad[-1]]
    return later[0] - fault.event_s if later else np.nan


def compare(found: list[Figures], undisturbed: list[Figures], *, grows: bool) -> list[float]:
    """Return the error of each frame's last second over that of the same pictures undisturbed; infinite for cards."""
    pairs, ratios = deque[tuple[float, float, float]](), []
    seen_s, last_t = np.zeros(found[0].room.shape), found[0].t
    seen = np.full(seen_s.shape, not grows)
    by_index = {each.place: each for each in undisturbed}
    for each in found:
        alone = cv2.erode(each.room.astype(np.uint8), _BESIDE, borderValue=1) > 0
        seen_s = np.where(alone, seen_s + each.t - last_t, 0)
        seen, last_t = seen | (seen_s >= _SEEN_S), each.t
        normal = by_index.get(each.place) or min(undisturbed, key=lambda one: abs(one.place - each.place))
        if each.errors is not None and normal.errors is not None:
            pairs.append((each.t, float(each.errors[seen].sum()), float(normal.errors[seen].sum())))
        while pairs and pairs[0][0] < each.t - _SMOOTH_S:
            pairs.popleft()
        mine, best = (sum(pair[at] for pair in pairs) for at in (1, 2))
        spare = _SPARE * seen.size * len(pairs)
        ratios.append((mine - spare) / best if pairs and best > 0 else np.inf)
    return ratios
