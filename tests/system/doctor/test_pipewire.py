"""PipeWire on machines that are folders: the server, its manager, our camera, and what it replaces."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from camdaemon.linux.programs import CommandResult
from camdaemon.system.doctor.findings import Level
from camdaemon.system.doctor.pipewire import PROBE
from tests.system.fake_machine import SECURE_BOOT
from tests.system.fake_pipewire import LIBRARY, LOOPBACK, OWN, FakePipeWire


@pytest.fixture
def pipewire(fake):
    """A desktop without v4l2loopback."""
    return FakePipeWire(fake)


def levels(found):
    return [finding.level for finding in found]


def test_without_pipewire_programs_look_into_dev(fake, look):
    (found,) = look("pipewire")
    assert (found.level, found.fix) == (Level.OK, "")
    assert look("portal") == [], "what it would say is of no use"


def test_a_sink_in_a_pipewire_that_does_not_run(fake, look):
    (found,) = look("pipewire", sink="pipewire:studio")
    assert found.level is Level.PROBLEM
    assert found.fix == "systemctl --user start pipewire wireplumber"


@pytest.mark.parametrize("variable", ["PIPEWIRE_REMOTE", "PIPEWIRE_RUNTIME_DIR"])
def test_its_socket_is_where_the_environment_says(fake, look, pipewire, variable):
    fake.environ[variable] = "/run/other"
    assert "does not run" in look("pipewire")[0].says
    fake.put("/run/other" if variable == "PIPEWIRE_REMOTE" else "/run/other/pipewire-0")
    assert re.search(r"PipeWire 1\.0\.5 runs, with wireplumber", look("pipewire")[0].says)


def test_our_camera_while_the_daemon_runs(look, pipewire):
    assert "will be a camera" in look("pipewire")[1].says
    gone = look("pipewire", status={"pid": 50})[1]
    assert (gone.level, gone.fix) == (Level.NOTE, "camdaemon stop, then: camdaemon run")
    pipewire.publish(OWN)
    published = look("pipewire", status={"pid": 50})[1]
    assert published.level is Level.OK
    assert re.search(r"any number of programs.*: camdaemon$", published.says)


def test_another_program_s_camera_is_not_ours(look, pipewire):
    pipewire.publish(LOOPBACK, {**OWN, "camdaemon.node": None, "node.name": "obs"})
    assert look("pipewire", status={"pid": 50})[1].level is Level.NOTE


def test_without_a_session_manager_nobody_gets_a_picture(look, pipewire):
    pipewire.end("wireplumber")
    (found,) = [f for f in look("pipewire") if f.level is Level.PROBLEM]
    assert "without a session manager" in found.says
    assert found.fix.startswith("systemctl --user start wireplumber")
    assert Level.PROBLEM not in levels(look("pipewire", sink="/dev/video10")), "that one needs none"
    pipewire.run("pipewire-media-session", 800, started=3000)
    assert Level.PROBLEM not in levels(look("pipewire"))


def test_a_library_that_is_missing(fake, look, pipewire):
    fake.answers[LIBRARY] = CommandResult(1, "", "a warning\nPipeWire's library cannot be used: no such file\n")
    found = look("pipewire")[0]
    assert (found.level, found.says) == (Level.PROBLEM, "PipeWire's library cannot be used: no such file")
    assert "libpipewire-0.3-0" in found.fix
    assert look("pipewire", more_sinks=["/dev/video10"])[0].level is Level.NOTE, "there is another way"


def test_the_probe_answers():
    """With the library here, or without it."""
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0 or done.stderr.startswith("PipeWire's library cannot be used")


@pytest.mark.parametrize(
    "answer", [CommandResult(127), CommandResult(0, "{"), CommandResult(0, "[1]"), CommandResult(0, "3")]
)
def test_a_pipewire_that_cannot_be_asked(fake, look, pipewire, answer):
    fake.answers["pw-dump"] = answer
    (found,) = look("pipewire")
    assert found.level is Level.NOTE
    assert "pw-dump" in found.says
    assert look("portal")[0].level is Level.OK, "it answers by itself"


def test_the_camera_in_dev_where_it_is_the_only_sink(fake, look, pipewire):
    found = look("pipewire", sink="/dev/video10")[1]
    assert re.search(r"PipeWire.*not list.*/dev/video10\b", found.says)
    assert found.fix.endswith("systemctl --user restart wireplumber")
    pipewire.publish(LOOPBACK)
    assert look("pipewire", sink="/dev/video10")[1].level is Level.OK


# no module


def test_where_pipewire_runs_a_missing_module_is_no_problem(fake, look, pipewire):
    found = look("module", "secureboot", "virtual", "pipewire", "portal")
    assert Level.PROBLEM not in levels(found)
    (missing,) = [f for f in found if f.about == "module"]
    assert re.search("not installed; programs that read PipeWire need no module", missing.says)
    assert re.search(r"^only for Chrome, Zoom.*: sudo apt install .*, then: camdaemon setup$", missing.fix)
    assert [f.says for f in found if f.about == "sink"] == ["the configured sink is a camera in PipeWire"]


def test_a_module_that_is_there_and_not_loaded_is_no_problem_either(fake, look, pipewire):
    fake.build()
    (found, *_) = look("module")
    assert (found.level, found.fix.endswith(": camdaemon setup")) == (Level.NOTE, True)


@pytest.mark.parametrize("settings", [{"sink": "/dev/video10"}, {"more_sinks": ["/dev/video11"]}])
def test_who_names_a_device_needs_the_module(look, pipewire, settings):
    missing = look("module", **settings)[0]
    assert missing.level is Level.PROBLEM
    assert missing.fix.startswith("sudo apt install"), "no Secure Boot is in the way"
    sink = look("virtual", **settings)[-1]
    assert sink.level is Level.PROBLEM
    assert "camdaemon run --sink pipewire" in sink.fix


def test_who_writes_a_film_needs_no_module_where_pipewire_runs(fake, look, pipewire):
    assert look("module", sink="out.mp4")[0].level is Level.NOTE
    fake.drop("/run/user/1000/pipewire-0")
    assert look("module", sink="out.mp4")[0].level is Level.PROBLEM, "there is no other camera"


@pytest.mark.parametrize("signed", [True, False])
def test_under_secure_boot_pipewire_comes_first(fake, look, pipewire, signed):
    fake.put(SECURE_BOOT, "\6\0\0\0\1")
    (found,) = look("secureboot")
    assert re.search("PipeWire needs no module; once v4l2loopback is installed.*key", found.says)
    fake.build()
    fake.answers["modinfo -F signer"] = CommandResult(0, "DKMS module signing key\n" if signed else "\n")
    fake.answers["mokutil --test-key"] = CommandResult(0, "mok.pub is not enrolled\n")
    (found,) = look("secureboot")
    assert found.level is Level.NOTE
    assert "programs that read PipeWire need no module" in found.says
    assert re.search("^only for Chrome.*: .*sudo mokutil --import", found.fix)
    for named in look("module", "secureboot", sink="/dev/video10")[:2]:
        assert named.level is Level.PROBLEM
        assert re.match("for programs that read PipeWire: camdaemon run --sink pipewire; for the others: ", named.fix)
