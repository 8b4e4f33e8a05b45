"""Films, plates and results of somebody else: one sentence, and nothing is changed."""

import json
import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.tools.films.made import room, somebody, write
from tests.tools.films.test_hostile_films import WORDS, contents
from tests.tools.written import write_video

# The command as another user, who may be unable to load a program's modules: so it runs once before.
PROGRAM = """
import contextlib, io, json, os, sys, traceback
from camdaemon.__main__ import main

def run(words):
    sys.argv, said = ["camdaemon", "video", *words], io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            main()
            code = 0
        except SystemExit as exc:
            code = exc.code or 0
        except BaseException:
            code = traceback.format_exc()
    return code, said.getvalue()

uid, first, *rest = json.load(sys.stdin)
done = run(first)
os.setgroups([])
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
print(json.dumps([done, *map(run, rest)]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_is_somebody_elses_is_told_and_untouched() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        here = Path(name)
        clip = write_video(here / "clip.mp4", [somebody(room(), left) for left in range(30, 40)])
        write(here / "plate.png", room())
        for closed in ("closed", "closed-frames", "out"):
            (here / closed).mkdir(mode=0o700)
        (here / "theirs.mkv.part").mkdir(mode=0o755)
        for path in (here / "closed" / "clip.mp4", here / "secret.mp4"):
            path.write_bytes(clip.read_bytes())
            path.chmod(0o600)
        write(here / "secret.png", room()).chmod(0o600)
        here.chmod(0o777)
        own = here / "own"
        own.mkdir(mode=0o777)
        own.chmod(0o777)
        before = contents(here)

        def words(src: str = "clip.mp4", plate: str = "plate.png", alpha: str = "own/a.mkv") -> list[str]:
            return ["--src", f"{here}/{src}", "--plate", f"{here}/{plate}", "--alpha", f"{here}/{alpha}", *WORDS]

        cases = {
            "secret.mp4: permission denied": words("secret.mp4"),
            "closed/clip.mp4: Permission denied.": words("closed/clip.mp4"),
            "no film is called like": words("closed/*.mp4"),
            "closed-frames: Permission denied": words("closed-frames"),
            "secret.png: permission denied": words(plate="secret.png"),
            "closed/plate.png: Permission denied": words(plate="closed/plate.png"),
            f"folder {here}/closed: Permission denied": words(plate="closed"),
            "closed/a.mkv: Permission denied": words(alpha="closed/a.mkv"),
            "out' is not readable": words(alpha="out"),
            "theirs.mkv.part: Permission denied": [*words(alpha="theirs.mkv"), "--force"],
        }
        asked = [pwd.getpwnam("nobody").pw_uid, words(alpha="own/first.mkv"), *cases.values()]
        env = os.environ | {f"XDG_{kind}_HOME": str(own) for kind in ("CONFIG", "STATE", "DATA", "CACHE")}
        command = [sys.executable, "-c", PROGRAM]
        done = subprocess.run(command, input=json.dumps(asked), env=env, capture_output=True, text=True, check=True)
        (code, said), *found = json.loads(done.stdout)
        assert code == 0, said
        (own / "first.mkv").unlink()
        for told, (code, said) in zip(cases, found, strict=True):
            assert code == 2, (told, code, said)
            assert told in said
        assert contents(here) == before
