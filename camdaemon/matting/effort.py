"""How much work goes into a frame, and what is given up, in which order, where the machine cannot do it all."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Effort:
    """How carefully frames are worked on; the defaults are the best that a CPU is asked for.

    base_side: about how many pixels the base network's input has along its shorter side.   refined: share of the
    frame's pixels that the refiner works on, 0..1.   every: of the camera's frames, one in so many is worked on, at
    least 1.
    """

    base_side: int = 176
    refined: float = 0.039
    every: int = 1

    @property
    def cost(self) -> float:
        """Roughly what a frame of the camera costs, in milliseconds of some CPU: only ratios of it mean anything."""
        base, refiner, rest = 15 * (self.base_side / 176) ** 2, 12 * self.refined / 0.039, 8
        return (base + refiner + rest) / self.every

    def __str__(self) -> str:
        frames = {1: "", 2: ", every 2nd frame", 3: ", every 3rd frame"}
        rate = frames.get(self.every, f", every {self.every}th frame")
        return f"base {self.base_side} lines, {100 * self.refined:.1f} % refined{rate}"


# Best first. Fine edges go before the shape of the person, and that before smooth movement: a coarser matte is hardly
# seen in a call, but everybody sees a picture that stutters.
LADDER: tuple[Effort, ...] = (
    Effort(),
    Effort(176, 0.026),
    Effort(176, 0.013),
    Effort(144, 0.013),
    Effort(144, 0.006),
    Effort(112, 0.006),
    Effort(176, 0.013, every=2),
    Effort(144, 0.013, every=2),
    Effort(112, 0.006, every=2),
    Effort(144, 0.006, every=3),
    Effort(112, 0.006, every=3),
    Effort(112, 0.006, every=4),
    Effort(112, 0.006, every=6),
)

# A GPU has time for what Lin et al. 2021 §5 take for HD, 270 lines; nobody waits for the frames of a file. More lines
# find more of the person: see docs/weights.md.
GPU_LADDER = (Effort(272), *LADDER)
OFFLINE = Effort(368)


def choose_ladder(device: str) -> tuple[Effort, ...]:
    """The efforts for live frames on 'cpu' or 'cuda', best first."""
    return LADDER if device == "cpu" else GPU_LADDER


def vary_rate_only(best: Effort) -> tuple[Effort, ...]:
    """The ladder's rates, with the matte of `best`: for mattes that have no settings, or whose user chose them."""
    return tuple(replace(best, every=every) for every in dict.fromkeys(each.every for each in LADDER))
