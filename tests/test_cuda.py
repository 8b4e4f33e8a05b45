"""The journey on a GPU agrees with the CPU's. On a machine that has one: .venv/bin/pytest tests/test_cuda.py"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from camdaemon.frames import color, pixels
from camdaemon.frames.composite import composite
from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size
from camdaemon.frames.transfer import Device, HostTransfer, open_transfer
from camdaemon.matting import MattingSettings, make_matting
from camdaemon.matting.bgmv2.floats import FloatMatting
from tests.fakes import FakeSource, PerfectMatting, RecordingSink, Rig
from tests.kinds import floats

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
SIZE = Size(1280, 720)


def frame(fmt: PixelFormat, size: Size = SIZE) -> HostFrame:
    smooth = np.linspace(40, 200, size.width, dtype=np.float32)[None, :, None] * np.array([1.0, 0.8, 0.6])
    rgb = np.broadcast_to(smooth, (size.height, size.width, 3)).astype(np.uint8)
    made = HostFrame.empty(fmt, size)
    if fmt is PixelFormat.YUYV:
        made.data[:] = 128
        made.data[..., 0] = rgb[..., 1]
    else:
        color.rgb_to_host(np.ascontiguousarray(rgb), fmt, made.data)
    return made


@pytest.mark.parametrize("fmt", [PixelFormat.RGB, PixelFormat.BGR, PixelFormat.YUYV, PixelFormat.I420])
@pytest.mark.parametrize("size", [SIZE, Size(640, 480)])
def test_upload_agrees_with_the_cpu(fmt, size):
    given = frame(fmt, size)
    there = floats(open_transfer("cuda", SIZE).upload(given)).float().cpu()
    here = floats(HostTransfer(SIZE).upload(given))
    assert there.shape == here.shape
    assert float((there - here).abs().max()) < 0.03


def test_download_agrees_with_the_cpu():
    picture = torch.rand(1, 3, SIZE.height // 8, SIZE.width // 8).repeat_interleave(8, 2).repeat_interleave(8, 3)
    outs = []
    devices: tuple[Device, ...] = ("cuda", "cpu")
    for device in devices:
        transfer = open_transfer(device, SIZE)
        out = transfer.pool(PixelFormat.I420, SIZE).acquire()
        model = transfer.upload(frame(PixelFormat.RGB))
        transfer.download(pixels.like(pixels.to_kind_of(model, picture.numpy()), model), out)
        outs.append(out.data.astype(int))
    assert np.abs(outs[0] - outs[1]).max() <= 2


def test_the_default_network_agrees_with_the_cpu():
    torch.manual_seed(0)
    plate = torch.rand(1, 3, 45, 80).repeat_interleave(16, 2).repeat_interleave(16, 3)
    src = plate.clone()
    src[:, :, 200:, 400:800] = 0.3
    pictures, settings = [], MattingSettings()
    for device, dtype in (("cuda", torch.float16), ("cpu", torch.float32)):
        matting: Any
        if device == "cuda":
            matting = make_matting("bgmv2", settings, "cuda")
        else:  # in floats, as for files: neither rounded to bytes nor quantized
            matting = FloatMatting(settings.weights, settings.refinement, "cpu", None, settings.purpose)
        matting.warm_up(SIZE)
        with torch.inference_mode():
            matte = matting(src.to(device, dtype), plate.to(device, dtype), None, 0)
            pictures.append(floats(composite(matte, torch.zeros_like(src).to(device, dtype))).float().cpu())
    assert float((pictures[0] - pictures[1]).abs().mean()) < 2e-3


def test_the_network_is_captured_and_replays_what_it_computes(caplog):
    matting: Any = make_matting("bgmv2", MattingSettings(), "cuda")
    matting.warm_up(SIZE)
    assert len(matting._graphs) == 1
    assert "no CUDA graph" not in caplog.text
    plate = torch.rand(1, 3, 45, 80).repeat_interleave(16, 2).repeat_interleave(16, 3).to("cuda", torch.float16)
    with torch.inference_mode():
        for n in range(4):
            src = plate.clone()
            src[:, :, 200:, 200 + 100 * n : 600 + 100 * n] = 0.3
            replayed = matting(src, plate, None, n).alpha.clone()
            alpha, _, sane = matting._run_network(
                src, plate, matting._fix_shape(None, src), *matting.choose_sizes(SIZE.height, SIZE.width)
            )
            assert bool(sane)
            assert float((replayed - alpha).float().abs().mean()) < 1e-3


def test_a_whole_run_on_the_gpu_leaks_nothing_and_tracks_nothing():
    tracks = []

    def note(n, matte):
        tracks.append(not torch.is_inference_mode_enabled() or matte.alpha.requires_grad)
        return matte

    rig = Rig(source=FakeSource(size=SIZE), sink=RecordingSink(SIZE), matting=PerfectMatting(note), device="cuda")
    rig.pipeline.start()
    rig.run_until(rig.published(Content.COMPOSITE, 20), 30)
    rig.pipeline.stop()
    rig.assert_no_room()
    assert not any(tracks)
