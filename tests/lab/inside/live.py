"""What must hold of the pictures that a viewer saw, however fast the guest is.

A bound in milliseconds would measure how busy the machine is. The pictures tell more: no viewer sees a moment before
the camera was opened, an older moment after a newer one, or what camdaemon itself calls stale.
"""

from __future__ import annotations

from inside.viewer import Seen, Viewer

_STALE_S = 1.2  # `stale_after_s`, 1 s, and the time to write and read a picture


def pictures(viewer: Viewer) -> list[Seen]:
    """Return the composites that `viewer` saw, without its first picture: a driver keeps the last buffer."""
    return [seen for seen in viewer.seen[1:] if seen.word == "composite"]


def fresh(viewer: Viewer, closed: float = 0.0) -> list[float]:
    """Return the ages of its pictures in seconds.

    Args:
        viewer: Saw the pictures.
        closed: When the camera was closed, if that was before the viewer came.

    Raises:
        AssertionError: A picture shows what was over.
    """
    shown = [seen for seen in pictures(viewer) if seen.age is not None]
    before = [seen for seen in shown if seen.sent < closed]
    assert not before, f"{len(before)} pictures are from before the camera closed: {before[:3]}"
    back = [seen for seen, last in zip(shown[1:], shown, strict=False) if seen.sent < last.sent]
    assert not back, f"{len(back)} pictures are older than the previous one: {back[:3]}"
    ages = [seen.age for seen in shown if seen.age is not None]
    old = [age for age in ages if age > _STALE_S]
    assert not old, f"{len(old)} of {len(ages)} pictures were older than stale_after_s, up to {max(old):.2f} s"
    return ages
