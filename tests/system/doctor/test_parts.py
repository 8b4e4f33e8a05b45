"""The camera, torch and the desktop."""

from __future__ import annotations

import json
import re
import sys
from importlib.util import find_spec

import pytest

from camdaemon.capture import lock
from camdaemon.errors import DeviceError
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.linux.devices import Mode, Rates, Sizes
from camdaemon.linux.programs import CommandResult, ask
from camdaemon.matting.bgmv2.engines import device_notes
from camdaemon.system.doctor import accelerator, intel
from camdaemon.system.doctor.cameras import measure
from camdaemon.system.doctor.findings import Level

DIM = 0x009A0903
KEEP_FORMAT = 0x0098F900
INTEL = f"{sys.executable} -c {intel.PROBE}"


def says(found, *levels):
    return [finding.says for finding in found if not levels or finding.level in levels]


def test_what_a_camera_promises(well, look):
    formats, rates = says(look("camera"))
    assert re.search(r"/dev/video0.*HD Webcam\W+MJPG\W+YUYV$", formats)
    assert re.search(r"1280x720\W+MJPG 30 fps\W+YUYV 10 fps$", rates)
    slow = look("camera", fps=60)
    assert [said for said in says(slow) if re.search(r"1280x720\W+MJPG 30 fps\W+YUYV 10 fps\b.*60 fps", said)]
    (small,) = says(look("camera", size="1920x1080"), Level.NOTE)
    assert re.search(r"/dev/video0.*not offer.*1920x1080.*640x480.*1280x720", small)


def test_a_camera_that_gives_more_is_fine(well, look):
    well.camera(modes=(Mode("YUYV", Sizes((3840, 2160), (3840, 2160)), (Rates(30, 30),)),))
    found = look("camera")
    assert not says(found, Level.NOTE, Level.PROBLEM)
    assert re.search(r"not offer 1280x720\b.*3840x2160.*scaled down", says(found)[-1])


def test_a_camera_whose_formats_nobody_reads_is_a_problem(well, look):
    well.camera("/dev/video4")
    well.camera(modes=(Mode("H264", Sizes((1920, 1080), (1920, 1080)), (Rates(30, 30),)),))
    (found,) = [found for found in look("camera") if found.level is Level.PROBLEM]
    assert "H264" in found.says
    assert found.fix.endswith("--source /dev/video4")


def test_raw_video_over_usb(well, look):
    hd = Sizes((1280, 720), (1280, 720))
    well.camera(modes=(Mode("YUYV", hd, (Rates(30, 30),)),))
    assert re.search(r"1280x720.*no MJPG.*slow", says(look("camera"), Level.NOTE)[0])
    well.camera(modes=(Mode("YUYV", hd, (Rates(30, 30),)),), bus_info="platform:ipu6")
    assert says(look("camera"), Level.NOTE) == []


def test_eighty_formats_are_not_listed(well, look):
    modes = tuple(Mode(f"F{n:03}", Sizes((1280, 720), (1280, 720)), (Rates(30, 30),)) for n in range(80))
    well.camera(modes=(*modes, *well.devices["/dev/video0"].modes))
    assert re.search(r"/dev/video0.*HD Webcam\W+MJPG\W+YUYV\W+F000\W+F001\W+F002\D*\b77\b\D*$", says(look("camera"))[0])


@pytest.mark.parametrize("wrong", ["missing", "virtual", "metadata"])
def test_another_camera_is_proposed(well, look, wrong):
    path = {"missing": "/dev/video7", "virtual": "/dev/video10", "metadata": "/dev/video1"}[wrong]
    if wrong == "metadata":
        well.camera(path, can_capture=False, modes=())
    (found,) = look("camera", camera=path)
    assert found.level is Level.PROBLEM
    assert re.search(r"HD Webcam.*camdaemon run --source /dev/video0$", found.fix)


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_loopback_that_another_program_feeds_is_a_camera(well, look, exclusive):
    """A phone, a DSLR, OBS, or the relay of an IPU6 camera: laptops that have no other."""
    well.add(11, "Intel MIPI Camera", exclusive=exclusive)
    well.feed(11, exclusive=exclusive)
    well.hold(90, "v4l2-relayd", "/dev/video11")
    well.controls[("/dev/video11", KEEP_FORMAT)] = 1  # as such relays leave it
    found = look("virtual", "camera", camera="/dev/video11", size="320x240", status={"pid": 50})
    assert not says(found, Level.PROBLEM, Level.NOTE)
    assert [said for said in says(found) if re.search(r"/dev/video11 .*v4l2-relayd \(pid 90\) feeds", said)]
    well.hold(91, "zoom", "/dev/video11")
    (busy,) = [f for f in look("virtual", "camera", camera="/dev/video11", size="320x240") if f.level is Level.NOTE]
    assert re.search(r"v4l2-relayd.*zoom", busy.says)
    assert "close" not in busy.fix


def test_a_feeder_that_feeds_another_camera_is_left_alone(well, look):
    well.add(11, "OBS Virtual Camera")
    well.feed(11)
    well.hold(90, "obs", "/dev/video11")
    assert not says(look("virtual", "camera"), Level.PROBLEM, Level.NOTE)


def test_a_fed_loopback_is_proposed_and_our_own_never(well, look):
    well.feed(10)  # by the running daemon
    well.drop("/dev/video0")
    del well.devices["/dev/video0"]
    (found,) = look("camera")
    assert "lsusb" in found.fix, "there is none to propose"
    well.add(11, "DroidCam")
    well.feed(11)
    (found,) = look("camera")
    assert re.search(r"DroidCam.*camdaemon run --source /dev/video11$", found.fix)
    (found,) = look("camera", camera="/dev/video10")
    assert (found.level, "own virtual camera" in found.says) == (Level.PROBLEM, True)
    assert found.fix.endswith("--source /dev/video11")


def test_a_loopback_that_nobody_feeds_is_no_camera_yet(well, look):
    well.add(11, "DroidCam")
    (found,) = look("camera", camera="/dev/video11")
    assert found.level is Level.PROBLEM
    assert "no program feeds" in found.says
    assert re.search(r"^start the program.*camdaemon run --source /dev/video0$", found.fix)


def test_a_camera_that_may_not_be_asked(well, look):
    well.forbidden.add("/dev/video0")
    (found,) = look("camera")
    assert found.level is Level.PROBLEM
    assert re.search(r"/dev/video0\b.*permission denied.*group video", found.says)
    assert "Run:" not in found.says, "the fix is for that"


def test_a_clip_is_no_camera_to_look_at(well, look):
    assert look("camera", camera="pattern")[0].level is Level.OK


def test_who_else_has_the_camera(well, look):
    well.hold(50, "camdaemon", "/dev/video0")
    well.hold(60, "zoom", "/dev/video0")
    (found,) = says(look("camera", status={"pid": 50}), Level.NOTE)
    assert re.search(r"/dev/video0\b.*open.*zoom.*60.*one program", found)
    assert "camdaemon" not in found


def test_a_camera_that_may_slow_down(well, look):
    well.controls[("/dev/video0", DIM)] = 1
    (found,) = [f for f in look("camera") if f.level is Level.NOTE]
    assert found.fix == "camdaemon camera set exposure_dynamic_framerate=0 --device /dev/video0"


def test_a_camera_that_was_left_locked(well, look, monkeypatch):
    left = lock.Leftover("HD Webcam (usb-1)", "/dev/video0", {"auto_exposure": 3, "focus_automatic_continuous": 1})
    monkeypatch.setattr(lock, "list_leftovers", lambda: [left])
    (found,) = [f for f in look("camera") if f.level is Level.NOTE]
    assert re.search(r"HD Webcam \(usb-1\).*locked.*auto_exposure\W+focus_automatic_continuous", found.says)
    assert found.fix.endswith("camdaemon camera unlock --device /dev/video0")
    assert look("camera", camera="clip.mp4")[0].says == found.says, "also where another source is configured"
    assert says(look("camera", status={"pid": 50}), Level.NOTE) == [], "a running daemon holds its camera"


@pytest.mark.parametrize(("rate", "level"), [(29.5, Level.OK), (15.0, Level.NOTE)])
def test_the_measured_rate(well, look, rate, level):
    asked = []
    found = look("camera", measure=lambda *what: asked.append(what) or (rate, 0.05), fps=30)[-1]
    assert asked == [("/dev/video0", Size(1280, 720), 30.0)]
    assert found.level is level
    assert re.search(rf"{re.escape(str(rate))} fps.*gap.*50 ms", found.says)


def test_no_measuring_while_the_daemon_has_it_or_the_camera_fails(well, look):
    reason = "cam would not open: zoom has it"

    def fails(*_: object) -> tuple[float, float]:
        raise DeviceError(f"{reason}; close that")

    found = look("camera", measure=fails, status={"pid": 1, "camera": "ok", "fps_in": 29.9})[-1]
    assert re.search(r"not measured.*daemon.*29\.9 fps", found.says)
    standing_by = {"pid": 1, "camera": "camdaemon"}
    assert "30.0 fps" in look("camera", measure=lambda *_: (30.0, 0.04), status=standing_by)[-1].says
    assert re.search(f"not measured.*{reason}$", look("camera", measure=fails)[-1].says)


def test_measuring_counts_the_camera_s_own_stamps(monkeypatch):
    class Camera:
        fmt, size = PixelFormat.BGR, Size(64, 64)
        closed = False
        t = 0.0

        def __init__(self, *_: object) -> None:
            pass

        def read(self, into: HostFrame) -> None:
            Camera.t += 0.5 if Camera.t == 1.0 else 0.1
            Camera.t = into.t = round(Camera.t, 3)

        def close(self) -> None:
            Camera.closed = True

    monkeypatch.setattr("camdaemon.capture.v4l2.V4l2Source", Camera)
    monkeypatch.setattr("camdaemon.system.doctor.cameras._MEASURE_S", 0.0)
    monkeypatch.setattr("camdaemon.system.doctor.cameras._LEAST_FRAMES", 4)
    Camera.t = 0.8
    rate, gap = measure("/dev/video0", Size(64, 64), 10)  # 0.9, 1.0, 1.5, 1.6: three frames' time in 0.7 s
    assert (round(rate, 3), round(gap, 3)) == (round(3 / 0.7, 3), 0.5)
    assert Camera.closed


def test_the_probe_knows_this_torch():
    facts = json.loads(ask([sys.executable, "-c", accelerator.PROBE]).out)
    import torch

    assert facts["version"] == torch.__version__
    assert facts["available"] is torch.cuda.is_available()
    assert facts["openvino"] is (find_spec("openvino") is not None)


def test_a_torch_that_does_not_load(well, look):
    well.answers[sys.executable] = CommandResult(
        1, "", "Traceback …\nOSError: libcudart.so.12: cannot open shared object\n"
    )
    (found,) = look("torch")
    assert found.level is Level.PROBLEM
    assert "OSError: libcudart.so.12" in found.says
    assert "pip install --force-reinstall" in found.fix
    well.answers[sys.executable] = CommandResult(-11)
    assert "exit code -11" in look("torch")[0].says


@pytest.mark.parametrize(
    ("facts", "driver", "expected"),
    [
        ({"cuda": None, "available": False}, "570.86.15", r"570\.86\.15.*without CUDA"),
        ({"cuda": "13.0", "available": False}, "570.86.15", r"driver 570\.86\.15.*too old.*13\.0"),
        (
            {"cuda": "12.8", "available": False, "why": "CUDA unknown error"},
            "570.86.15",
            r"570\.86\.15.*CUDA unknown error",
        ),
        ({"cuda": "12.8", "available": False}, "", "driver.*not loaded"),
        ({"capability": [5, 2]}, "570.86.15", r"capability 5\.2\b.*too old"),
    ],
)
def test_a_gpu_that_torch_cannot_use(well, look, facts, driver, expected):
    well.says_torch(**facts)
    if not driver:
        well.drop("/proc/driver/nvidia/version")
    (found,) = [f for f in look("torch") if f.level is Level.PROBLEM]
    assert re.search(expected, found.says)
    assert found.fix
    assert [f.level for f in look("torch", device="cpu")] == [Level.OK, Level.OK], "nobody asked for it"


def test_without_a_gpu_the_cpu_does_it(fake, look):
    fake.says_torch(available=False)
    assert look("torch")[-1].level is Level.NOTE
    assert "pip install openvino" in look("torch")[-1].fix
    fake.says_torch(available=False, openvino=True)
    assert "640x360" in look("torch")[-1].fix
    found = look("torch", device="cuda")[-1]
    assert (found.level, found.fix) == (Level.PROBLEM, "camdaemon run --device auto")


def test_a_cpu_needs_no_torch(fake, look):
    fake.says_torch(version=None, openvino=True)
    torch, gpu = look("torch")
    assert (torch.level, "not needed" in torch.says) == (Level.OK, True)
    assert gpu.level is Level.NOTE
    assert "640x360" in gpu.fix
    for settings in ({"device": "cuda"}, {"engine": "torch"}):
        (found, *_) = look("torch", **settings)
        assert found.level is Level.PROBLEM
        assert found.fix.endswith("-m pip install torch safetensors")


def test_without_torch_and_openvino_nothing_runs_the_network(fake, look):
    fake.says_torch(version=None, openvino=False)
    (found, *_) = look("torch")
    assert (found.level, "nothing runs the network" in found.says) == (Level.PROBLEM, True)
    assert found.fix.endswith("-m pip install openvino")


def test_a_gpu_of_nvidia_s_asks_for_torch(well, look):
    well.says_torch(version=None, openvino=True)
    gpu = next(found for found in look("torch") if found.about == "gpu")
    assert (gpu.level, gpu.fix.endswith("-m pip install torch safetensors")) == (Level.NOTE, True)


def test_the_probe_tells_that_there_is_no_torch():
    hidden = "import importlib.util; real = importlib.util.find_spec\n"
    hidden += "importlib.util.find_spec = lambda name: None if name == 'torch' else real(name)\n"
    facts = json.loads(ask([sys.executable, "-c", hidden + accelerator.PROBE]).out)
    assert facts == {"version": None, "openvino": find_spec("openvino") is not None}


@pytest.fixture
def laptop(fake):
    """Intel's GPU and NPU, and OpenVINO with a driver for the first."""
    fake.says_torch(available=False, openvino=True)
    fake.put("/sys/class/drm/renderD128/device/vendor", "0x1002\n")
    fake.put("/sys/class/drm/renderD129/device/vendor", "0x8086\n")
    fake.put("/sys/class/accel/accel0/device/vendor", "0x8086\n")
    listed = CommandResult(0, '{"CPU": "Intel Core", "GPU": "Intel Iris Xe"}')
    fake.answers = {INTEL: listed} | fake.answers  # the first that fits counts
    return fake


def test_intel_s_devices(laptop, look):
    gpu, npu = (found for found in look("torch") if found.about == "intel")
    assert (gpu.level, npu.level) == (Level.OK, Level.NOTE)
    assert "can use Intel Iris Xe" in gpu.says
    assert "no driver" in npu.says
    assert "linux-npu-driver" in npu.fix
    laptop.answers[INTEL] = CommandResult(0, '{"CPU": "Intel Core"}')
    gpu, _ = (found for found in look("torch") if found.about == "intel")
    assert "intel-opencl-icd" in gpu.fix
    laptop.forbidden = {"/dev/accel/accel0"}
    _, npu = (found for found in look("torch") if found.about == "intel")
    assert "may not open /dev/accel/accel0" in npu.says
    assert npu.fix == "sudo usermod -aG render alice, then log in again"


def test_a_device_that_went_wrong_can_be_tried_again(laptop, look):
    device_notes.skip("GPU", "its driver ended camdaemon")
    gpu, _ = (found for found in look("torch") if found.about == "intel")
    assert (gpu.level, "ended camdaemon" in gpu.says) == (Level.NOTE, True)
    assert gpu.fix.endswith(f"rm {device_notes.notes_file()}")


def test_a_driver_that_ends_the_question_is_no_end_of_the_doctor(laptop, look):
    laptop.answers[INTEL] = CommandResult(-6)
    (found,) = (found for found in look("torch") if found.about == "intel")
    assert "exit code -6" in found.says


@pytest.mark.parametrize("settings", [{"engine": "openvino"}, {"precision": "float32"}, {"matting": "difference"}])
def test_devices_that_nobody_asked_for_are_not_spoken_of(laptop, look, settings):
    assert "intel" not in {found.about for found in look("torch", **settings)}


@pytest.mark.parametrize(
    ("kernel_line", "version"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.256.02  Thu", "470.256.02"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build", "580.65.06"),
        ("nothing known", ""),
    ],
)
def test_the_driver_s_version(fake, kernel_line, version):
    fake.put("/proc/driver/nvidia/version", kernel_line)
    assert accelerator._driver_version(fake.machine) == version


@pytest.mark.parametrize(
    ("environ", "portal", "expected", "level"),
    [
        (
            {"WAYLAND_DISPLAY": "w", "DISPLAY": ":0"},
            CommandResult(0, "u 2"),
            "Wayland.*portal.*global shortcuts",
            Level.OK,
        ),
        ({"XDG_SESSION_TYPE": "wayland"}, CommandResult(1), "Wayland.*portal.*no global shortcuts", Level.NOTE),
        ({"WAYLAND_DISPLAY": "w"}, CommandResult(127), "Wayland.*busctl", Level.NOTE),
        ({}, None, r"WAYLAND_DISPLAY.*\bDISPLAY", Level.NOTE),
    ],
)
def test_the_way_of_the_hotkeys(fake, look, environ, portal, expected, level):
    fake.environ |= environ
    if portal:
        fake.answers["busctl"] = portal
    found = look("desktop")[0]
    assert re.search(expected, found.says)
    assert found.level is level
    (off,) = [f for f in look("desktop", hotkeys=False) if f.about == "hotkeys"]
    assert off.level is Level.OK
    assert re.search(r"\boff\b.*configuration", off.says)


@pytest.mark.parametrize("there", [True, False])
def test_x11_needs_pynput(fake, look, monkeypatch, there):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if there else None)
    fake.environ["DISPLAY"] = ":0"
    found = look("desktop")[0]
    assert found.level is (Level.OK if there else Level.NOTE)
    assert bool(re.search("pynput.*not installed", found.says)) is not there


@pytest.mark.parametrize(
    ("answer", "level", "expected"),
    [
        (CommandResult(0, "b true\n"), Level.OK, "has a tray"),
        (CommandResult(0, "b false\n"), Level.NOTE, "no icons"),
        (CommandResult(1), Level.NOTE, "no icons"),
        (CommandResult(127), Level.NOTE, "busctl"),
    ],
)
def test_whether_there_is_a_tray(fake, look, answer, level, expected):
    assert "tray" not in {found.about for found in look("desktop")}, "no desktop, no tray"
    fake.environ["WAYLAND_DISPLAY"] = "w"
    fake.answers["busctl"] = answer
    (found,) = [found for found in look("desktop") if found.about == "tray"]
    assert (found.level, expected in found.says) == (level, True)
    assert ("AppIndicator" in found.fix) is (expected == "no icons")
    (off,) = [found for found in look("desktop", tray=False) if found.about == "tray"]
    assert off.level is Level.OK
