"""The words for backdrops in files: which are videos, and an entry of the backdrop folder."""

from __future__ import annotations

from typing import NamedTuple

VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif", ".m4v")

# For av.open: a playlist that is called a video would have it open the files that it names.
ONLY_VIDEOS = {"format_whitelist": "mov,matroska,webm,avi,gif"}


class BackdropFile(NamedTuple):
    """One file. name: its own, unique in the folder.   spec: what `make_backdrop` takes.   kind: 'image' or 'video'."""

    name: str
    spec: str
    kind: str
