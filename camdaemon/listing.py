"""The word for an entry of the backdrop folder."""

from __future__ import annotations

from typing import NamedTuple


class BackdropFile(NamedTuple):
    """One file. name: its own, unique in the folder.   spec: what `make_backdrop` takes.   kind: 'image' or 'video'."""

    name: str
    spec: str
    kind: str
