"""Keeps the frame deadline on a machine that is too slow for the best matte: less effort, and more when there is room.

Down at once and as far as needed, up after a quiet stretch and where the prediction leaves room. What it costs to be on
another rung is predicted from a model (`Effort.cost`) and corrected by what was seen at each change.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import takewhile
from statistics import median

from camdaemon.matting.effort import LADDER, Effort

_LATE = 0.9  # of the period: a frame that took longer is late; the rest is for waking up and handing over
_ROOM = 0.85  # of the period: three quarters of the frames must be predicted to take less before a step up
_RECENT_S = 1.0  # what a step down is decided on
_QUIET_S = 5.0  # what a step up is decided on
_FEW = 5  # late frames that are no hiccup any more
_ENOUGH = 9  # frames whose median is worth learning from
_SETTLING = 3  # frames after a change, which are slow because their shapes are new
_COOLDOWN_S = 1.0  # between two changes, and after a start or a gap
_SOON_S = 60.0  # a step up that is taken back sooner was a mistake
_WAIT_S, _LONGEST_WAIT_S = 15.0, 300.0  # before a rung is tried again; twice as long after each mistake
_GAP_S = 2.0  # without work: nobody watched, or the machine slept
_HALF_LIFE_S = 240.0  # of what was learnt


class Governor:
    """Chooses the effort. The worker thread's alone; it has no clock, `spent` tells it the time.

    period_s: seconds between two frames of the camera, above 0; may be set when the camera turns out to be slower.
    ladder: efforts, at least one, best first, each cheaper than the one before.
    """

    def __init__(self, period_s: float, ladder: tuple[Effort, ...] = LADDER) -> None:
        self.period_s = period_s
        self._ladder = ladder
        self._rung = 0
        self._now = 0.0  # seconds since the first frame; never runs backwards
        self._last: tuple[float, float] | None = None  # the frame before: its time, the seconds it took
        self._frames: deque[tuple[float, float]] = deque()  # of this rung, not older than a quiet stretch: when, cost
        self._settling = _SETTLING
        self._began = 0.0  # when `_frames` began
        self._rose = -math.inf  # when this rung was stepped up to
        self._before: tuple[int, float] | None = None  # the rung before and its cost, while this one's is unknown
        self._learnt, self._learnt_at = [1.0] * len(ladder), 0.0  # the model's error at each rung, as factors
        self._wait = _WAIT_S  # after the last step down
        self._retry_at = [0.0] * len(ladder)

    @property
    def effort(self) -> Effort:
        """For the next frame."""
        return self._ladder[self._rung]

    @property
    def rung(self) -> int:
        """Of the ladder; 0 is the best."""
        return self._rung

    def spent(self, seconds: float, t: float) -> Effort:
        """A frame captured at `t` (monotonic seconds) took `seconds` of this thread; the effort for the next one.

        Only for frames that were matted: a card costs nothing and would look like a fast machine.
        """
        self._advance(seconds, t)
        if self._settling:
            self._settling -= 1
            return self.effort
        # A cost is seconds for each frame of the camera, so that rungs with different `every` compare.
        self._frames.append((self._now, seconds / self.effort.every))
        while len(self._frames) > _FEW and self._now - self._frames[0][0] > _QUIET_S:
            self._frames.popleft()
        if len(self._frames) >= _ENOUGH:
            self._learn()
        if self._now - self._began >= _COOLDOWN_S:
            self._judge()
        return self.effort

    def _advance(self, seconds: float, t: float) -> None:
        if self._last is not None:
            before, took = self._last
            self._now += t - before if t >= before else took  # a clip that starts again
            if t - before - took > _GAP_S:
                self._before = None
                self._forget()
        self._last = (t, seconds)

    def _forget(self) -> None:
        self._frames.clear()
        self._settling, self._began = _SETTLING, self._now

    def _judge(self) -> None:
        recent = self._recent()
        late = [cost for cost in recent if cost > _LATE * self.period_s]
        if len(late) >= _FEW and 2 * len(late) > len(recent):
            # The median of the late ones: when a load has just begun, the others tell of a time that is over.
            self._change(self._first_that_holds(median(late)))
        elif self._rung and self._now - self._began >= _QUIET_S:
            self._change(self._best_with_room())

    def _recent(self) -> list[float]:
        """Costs of the last second, of the last few frames if they took longer."""
        backwards = reversed(self._frames)
        recent = [cost for at, cost in takewhile(lambda frame: self._now - frame[0] <= _RECENT_S, backwards)]
        return recent if len(recent) >= _FEW else [cost for at, cost in self._frames][-_FEW:]

    def _first_that_holds(self, cost: float) -> int:
        """The next rung down where frames that cost `cost` here are in time; the last one when none is."""
        last = len(self._ladder) - 1
        lower = range(self._rung + 1, last)
        return next((rung for rung in lower if self._predicted(cost, rung) <= _LATE * self.period_s), last)

    def _best_with_room(self) -> int:
        """The best rung that may be tried now; the present one when there is none."""
        costs = sorted(cost for at, cost in self._frames)
        slower, rung = costs[3 * len(costs) // 4], self._rung  # not the median: a load may come and go
        while rung and self._now >= self._retry_at[rung - 1]:
            if self._predicted(slower, rung - 1) > _ROOM * self.period_s:
                break
            rung -= 1
        return rung

    def _change(self, rung: int) -> None:
        if rung == self._rung:
            return
        self._learn()
        self._before = (self._rung, median(self._recent()))
        if rung > self._rung:
            mistaken = self._now - self._rose < _SOON_S
            self._wait = min(2 * self._wait, _LONGEST_WAIT_S) if mistaken else _WAIT_S
            for each in range(rung):
                self._retry_at[each] = max(self._retry_at[each], self._now + self._wait)
        self._rose = self._now if rung < self._rung else -math.inf
        self._rung = rung
        self._forget()

    def _predicted(self, cost: float, rung: int) -> float:
        """What frames that cost `cost` on this rung would cost on another. A load slows all of them alike."""
        return cost * self._cost(rung) / self._cost(self._rung)

    def _cost(self, rung: int) -> float:
        """The model's, corrected; the correction fades, since a load that came or went at a change is part of it."""
        fading = 0.5 ** ((self._now - self._learnt_at) / _HALF_LIFE_S)
        return self._ladder[rung].cost * math.pow(self._learnt[rung], fading)

    def _learn(self) -> None:
        """Correct the model by what the last change did: between its two rungs in part, below them in full."""
        if self._before is None or len(self._frames) < _FEW:
            return
        (before, cost), self._before = self._before, None
        here = median(cost for at, cost in self._frames)
        better, worse = sorted([(before, cost), (self._rung, here)])
        model = self._ladder[worse[0]].cost / self._ladder[better[0]].cost
        seen = worse[1] / better[1] if better[1] > 0 else model
        seen = min(max(seen, model / 2), 2 * model, 1.0)  # anything else is a load, not the machine
        error = seen * self._cost(better[0]) / self._cost(worse[0])
        reach = worse[0] - better[0]
        parts = [min(max(rung - better[0], 0) / reach, 1.0) for rung in range(len(self._ladder))]
        costs = [self._cost(rung) * error**part for rung, part in enumerate(parts)]
        self._learnt = [cost / effort.cost for cost, effort in zip(costs, self._ladder, strict=True)]
        self._learnt_at = self._now
