"""What a run does with the user's folders before it begins: closes them to others, and sweeps up what a kill left."""

from __future__ import annotations

import logging
import os
import shlex
from pathlib import Path

from camdaemon.linux import private
from camdaemon.linux.files import remove_stale_drafts
from camdaemon.linux.folders import find_folder

log = logging.getLogger(__name__)


def keep_house(backdrops: Path) -> None:
    """Keep this process's files private, close the folders of earlier runs, remove stale drafts.

    Call it once, before anything is written or a thread is started.

    Args:
        backdrops: Where the panel writes uploads. It may be a folder of the user's, so its modes stay.
    """
    private.keep_files_private()
    state, cache = find_folder("state"), find_folder("cache")
    if left := [path for folder in (state, cache) for path in private.close_to_others(folder)]:
        log.warning(
            "others may look at photographs of this room: %s stays open to them. Run: sudo chown -R $USER: %s",
            *(shlex.quote(str(path)) for path in (left[0], state if left[0].is_relative_to(state) else cache)),
        )
    data = find_folder("data")
    if os.path.isdir(data):
        private.make_private_folder(data)  # what is below it is the user's own
    ours = [state, state / "plates", state / "locked", cache]
    swept = [draft for folder in ours for draft in remove_stale_drafts(folder)]
    swept += remove_stale_drafts(find_folder("config"), "config.toml")
    swept += remove_stale_drafts(backdrops, "upload.*")  # as `control.uploads` calls them
    if swept:
        log.info("removed what a killed camdaemon left: %s", ", ".join(map(str, swept)))
