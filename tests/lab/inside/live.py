"""What must hold of the camera's pictures that a viewer saw, however fast the guest is.

A bound in milliseconds would tell how busy the machine was. What the pictures show tells more: nobody sees a moment
before the camera was opened for them, nor an older moment after a newer one, nor what camdaemon itself calls stale.
"""

from __future__ import annotations

from inside.viewer import Seen, Viewer

_STALE_S = 1.2  # `stale_after_s`, 1 s, and what writing and reading a picture takes


def pictures(viewer: Viewer) -> list[Seen]:
    """The composites that it saw, without its very first picture: a driver keeps the last buffer for whoever comes."""
    return [seen for seen in viewer.seen[1:] if seen.word == "composite"]


def fresh(viewer: Viewer, closed: float = 0.0) -> list[float]:
    """The ages of its `pictures`, seconds. AssertionError when one of them shows what was over.

    closed: a time at which the camera was closed, if it was before the viewer came.
    """
    shown = [seen for seen in pictures(viewer) if seen.age is not None]
    before = [seen for seen in shown if seen.sent < closed]
    assert not before, f"{len(before)} pictures are of before the camera was closed: {before[:3]}"
    back = [seen for seen, last in zip(shown[1:], shown, strict=False) if seen.sent < last.sent]
    assert not back, f"{len(back)} pictures are of before the one before them: {back[:3]}"
    ages = [seen.age for seen in shown if seen.age is not None]
    old = [age for age in ages if age > _STALE_S]
    assert not old, f"{len(old)} of {len(ages)} pictures were older than stale_after_s, up to {max(old):.2f} s"
    return ages
