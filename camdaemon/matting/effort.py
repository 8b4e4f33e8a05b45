"""How much work goes into a frame, and what is reduced first on a machine that cannot do it all."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work goes into each frame. The defaults are the best effort for a CPU.

    Attributes:
        base_side: About how many pixels the base network's input has along its shorter side.
        refined: Share of the frame's pixels that the refiner works on, 0..1.
        every: One in this many of the camera's frames is processed, at least 1.
    """

    base_side: int = 176
    refined: float = 0.039
    every: int = 1

    @property
    def cost(self) -> float:
        """Estimated cost of one camera frame, milliseconds on some CPU: only ratios of costs mean anything."""
        base, refiner, rest = 15 * (self.base_side / 176) ** 2, 12 * self.refined / 0.039, 8
        return (base + refiner + rest) / self.every

    def __str__(self) -> str:
        frames = {1: "", 2: ", every 2nd frame", 3: ", every 3rd frame"}
        rate = frames.get(self.every, f", every {self.every}th frame")
        return f"base {self.base_side} lines, {100 * self.refined:.1f} % refined{rate}"


# Best first. Fine edges are reduced before the person's outline, and that before the frame rate: a coarser matte is
# hardly visible in a call, but a stuttering picture is.
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

# The slim network finds as much with 272 lines as the published one with 176, in less time: see docs/weights.md.
SLIM_LADDER = (Effort(272), Effort(224), *LADDER)

# A GPU has time for the base input that Lin et al. 2021 §5 use for HD, 270 lines. Files have no deadline, and more
# lines find more of the person: see docs/weights.md.
_GPU_LADDER = (Effort(272), *LADDER)
OFFLINE = Effort(368)


def choose_ladder(device: str, *, slim: bool = False) -> tuple[Effort, ...]:
    """Return the efforts for live frames on 'cpu' or 'cuda', best first, of the published network or the slim one."""
    if slim:
        return SLIM_LADDER if device == "cpu" else (OFFLINE, *SLIM_LADDER)
    return LADDER if device == "cpu" else _GPU_LADDER


def vary_rate_only(best: Effort) -> tuple[Effort, ...]:
    """Return `best` at each rate of the ladder: for a matting without settings, or one whose user chose them."""
    return tuple(replace(best, every=every) for every in dict.fromkeys(each.every for each in LADDER))
