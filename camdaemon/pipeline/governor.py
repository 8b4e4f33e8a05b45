"""The governor: keeps the frame deadline on a machine that is too slow for the best matte, by less effort.

It steps down at once and as far as needed; up after a quiet period, if the prediction leaves room. The cost of another
rung is predicted by a model (`Effort.cost`), which is corrected by what was measured at each change.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import takewhile
from statistics import median

from camdaemon.matting.effort import LADDER, Effort

_LATE = 0.9  # of the period: a frame that takes longer is late; the rest is for wake-up and hand-off
_ROOM = 0.85  # of the period: three quarters of the frames must be predicted to take less before a step up
_RECENT_S = 1.0  # the frames that a step down is decided on
_QUIET_S = 5.0  # the frames that a step up is decided on
_FEW = 5  # late frames: more than a hiccup
_ENOUGH = 9  # frames whose median is worth learning from
_SETTLING = 3  # frames after a change that are slow because their shapes are new
_COOLDOWN_S = 1.0  # between two changes, and after a start or a gap
_SOON_S = 60.0  # a step up that is reverted within this time was a mistake
_WAIT_S, _LONGEST_WAIT_S = 15.0, 300.0  # before a rung is tried again; twice as long after each mistake
_GAP_S = 2.0  # without work: there were no viewers, or the machine slept
_HALF_LIFE_S = 240.0  # of what was learned


class Governor:
    """Chooses the effort. Single owner: the worker thread. It has no clock; `record` tells it the time.

    Args:
        period_s: Seconds between two frames of the camera, above 0.
        ladder: Efforts, at least one, best first, each cheaper than the previous one.

    Attributes:
        period_s: As given; may be set when the camera turns out to be slower.
    """

    def __init__(self, period_s: float, ladder: tuple[Effort, ...] = LADDER) -> None:
        self.period_s = period_s
        self._ladder = ladder
        self._rung = 0
        self._now = 0.0  # seconds since the first frame; never runs backwards
        self._last: tuple[float, float] | None = None  # the previous frame: its time, the seconds it took
        self._frames: deque[tuple[float, float]] = deque()  # of this rung and the last quiet period: when, cost
        self._settling = _SETTLING
        self._began = 0.0  # when `_frames` began
        self._rose = -math.inf  # when this rung was reached by a step up
        self._before: tuple[int, float] | None = None  # the previous rung and its cost, while this one's is unknown
        self._learned, self._learned_at = [1.0] * len(ladder), 0.0  # the model's error at each rung, as factors
        self._wait = _WAIT_S  # after the last step down
        self._retry_at = [0.0] * len(ladder)

    @property
    def effort(self) -> Effort:
        """The effort of the next frame."""
        return self._ladder[self._rung]

    @property
    def rung(self) -> int:
        """The index of the effort in the ladder; 0 is the best."""
        return self._rung

    def record(self, seconds: float, t: float) -> Effort:
        """Record the cost of a frame. Only for matted frames: a card costs nothing, and would look like a fast machine.

        Args:
            seconds: That the frame took of this thread.
            t: Its capture time, in monotonic seconds.

        Returns:
            The effort of the next frame.
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
            self._correct_model()
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
            # The median of the late ones: when a load has just begun, the others are from before.
            self._change(self._first_that_holds(median(late)))
        elif self._rung and self._now - self._began >= _QUIET_S:
            self._change(self._best_with_room())

    def _recent(self) -> list[float]:
        """Return the costs of the frames of the last second, or of the last few if they took longer."""
        backwards = reversed(self._frames)
        recent = [cost for at, cost in takewhile(lambda frame: self._now - frame[0] <= _RECENT_S, backwards)]
        return recent if len(recent) >= _FEW else [cost for at, cost in self._frames][-_FEW:]

    def _first_that_holds(self, cost: float) -> int:
        """Return the next rung down on which frames that cost `cost` here are in time; the last rung if none is."""
        last = len(self._ladder) - 1
        lower = range(self._rung + 1, last)
        return next((rung for rung in lower if self._predicted(cost, rung) <= _LATE * self.period_s), last)

    def _best_with_room(self) -> int:
        """Return the best rung that may be tried now; the present one if there is none."""
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
        self._correct_model()
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
        """Predict what frames that cost `cost` on this rung would cost on another. Load slows all rungs alike."""
        return cost * self._cost(rung) / self._cost(self._rung)

    def _cost(self, rung: int) -> float:
        """Return the model's cost, corrected. The correction fades, because load that came or went is part of it."""
        fading = 0.5 ** ((self._now - self._learned_at) / _HALF_LIFE_S)
        return self._ladder[rung].cost * math.pow(self._learned[rung], fading)

    def _correct_model(self) -> None:
        """Correct the model by the last change: between its two rungs proportionally, below them in full."""
        if self._before is None or len(self._frames) < _FEW:
            return
        (before, cost), self._before = self._before, None
        here = median(cost for at, cost in self._frames)
        better, worse = sorted([(before, cost), (self._rung, here)])
        model = self._ladder[worse[0]].cost / self._ladder[better[0]].cost
        seen = worse[1] / better[1] if better[1] > 0 else model
        seen = min(max(seen, model / 2), 2 * model, 1.0)  # anything else is load, not the machine
        error = seen * self._cost(better[0]) / self._cost(worse[0])
        reach = worse[0] - better[0]
        parts = [min(max(rung - better[0], 0) / reach, 1.0) for rung in range(len(self._ladder))]
        costs = [self._cost(rung) * error**part for rung, part in enumerate(parts)]
        self._learned = [cost / effort.cost for cost, effort in zip(costs, self._ladder, strict=True)]
        self._learned_at = self._now
