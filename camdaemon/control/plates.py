"""What people are told of the plate in use: in words, in figures, and as a picture."""

from __future__ import annotations

import cv2
import numpy as np

from camdaemon.plate.gate import Health
from camdaemon.plate.parts import Origin, Plate
from camdaemon.plate.report import SEEN, PlateReport

WITHOUT_PLATE = "no plate: rougher edges. For finer ones, run: camdaemon plate"
_LITTLE = 0.005  # of the picture; less is nothing to speak of
_WIDTH = 640  # pixels, of the picture
_UNKNOWN, _HEALED = (200, 60, 60), (70, 150, 90)  # laid over what is not trusted, and over what was learned


def describe_plate(report: PlateReport | None, given: Plate | None, health: Health, *, needs_plate: bool) -> str:
    """Return how the plate stands, in a sentence; '' where there is nothing to say of it.

    Args:
        report: Of the worker; None before the first frame.
        given: The plate that was taken or loaded; None without one.
        health: How it explains the last frame.
        needs_plate: Whether there is a card without one.
    """
    if needs_plate:
        return ""
    if report is None:
        return WITHOUT_PLATE if given is None else ""
    if report.person:
        return f"somebody is in the plate, {report.person}: that part is not used. Run: camdaemon plate"
    if report.chosen is None or not report.plate.is_shot:
        return _describe_growth(report, given)
    if health.reason:
        return health.reason
    said = [f"aligned by {report.moved:.0f} px"] if report.moved >= SEEN else []
    said += [f"healed {report.healed:.0%}"] if report.healed >= _LITTLE else []
    return ", ".join(said)


def _describe_growth(report: PlateReport, given: Plate | None) -> str:
    """Return what is said of a plate that nobody photographed."""
    if given is not None and given.is_shot:
        why = "the plate is not of this room, or the camera was turned far"
        return f"{why}: another grows, {report.known:.0%} of the room is known. For the best one, run: camdaemon plate"
    if report.known < _LITTLE:
        return WITHOUT_PLATE
    return f"no plate: rougher edges, {report.known:.0%} of the room was learned. For finer ones, run: camdaemon plate"


def name_plate(report: PlateReport | None, given: Plate | None) -> str:
    """Return in a word what there is of a plate: taken, grown (none was, but the room was learned), or missing."""
    if given is not None and given.is_shot:
        return "taken"
    learned = report is not None and report.known >= _LITTLE
    return "grown" if learned or (given is not None and given.growth is not None) else "missing"


def count_parts(report: PlateReport | None, age_s: float | None) -> dict[str, object]:
    """Return the figures of the plate in use, as plain JSON values: shares in percent, pixels, seconds."""
    if report is None:
        return {}
    shares = {name.lower(): _percent(report.plate.share(origin)) for name, origin in Origin.__members__.items()}
    found: dict[str, object] = {"trusted": _percent(report.known), **shares, "moved_px": round(report.moved, 1)}
    return found if age_s is None else {**found, "age_s": round(age_s)}


def _percent(share: float) -> float:
    return round(100 * share, 1)


def draw_plate(report: PlateReport) -> bytes:
    """Draw the plate in use as a JPEG: red where it is not trusted, green where the room was learned."""
    height, width = report.plate.rgb.shape[:2]
    size = min(_WIDTH, width), round(height * min(_WIDTH, width) / width)
    shown = np.asarray(cv2.resize(report.plate.rgb, size, interpolation=cv2.INTER_AREA), np.float32)
    unknown = _enlarge(~report.trusted, size)
    shown[unknown] = 0.45 * shown[unknown] + 0.55 * np.array(_UNKNOWN)
    if report.plate.origin is not None:
        learned = _enlarge(np.isin(report.plate.origin, (Origin.GROWN, Origin.HEALED)), size) & ~unknown
        shown[learned] = 0.75 * shown[learned] + 0.25 * np.array(_HEALED)
    pixels = np.asarray(np.rint(shown), np.uint8)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return data.tobytes()


def _enlarge(blocks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(cv2.resize(blocks.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0)
