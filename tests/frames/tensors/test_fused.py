"""The Triton kernels give what torch gives: on the CPU in Triton's interpreter, and on a GPU where there is one."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace
from typing import cast

import pytest
import torch

from camdaemon.frames.appearance import limits_of
from camdaemon.frames.frame import PixelFormat, Size
from camdaemon.frames.tensors import color, composite, fused

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
SIZES = [(4, 8), (36, 52), (48, 64)]  # height, width
WRITTEN = [PixelFormat.RGB, PixelFormat.BGR, PixelFormat.I420]
KNOWN = (fused._is_proven, fused._compiled)
NEAR = {torch.float32: 1e-5, torch.float16: 2**-9}

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
every_dtype = pytest.mark.parametrize("dtype", list(NEAR), ids=str)
every_size = pytest.mark.parametrize("size", SIZES, ids=str)


@pytest.fixture(autouse=True)
def nothing_is_known():
    """Every test compiles and compares anew, and leaves nothing of the interpreter behind."""
    for known in KNOWN:
        known.cache_clear()
    yield
    for known in KNOWN:
        known.cache_clear()


@pytest.fixture
def triton(monkeypatch):
    """Triton as it is."""
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    return pytest.importorskip("triton", reason="Triton is not installed; it comes with torch's CUDA builds")


@pytest.fixture
def interpreter(triton, monkeypatch):
    """Triton's kernels are run by Python, on the CPU."""
    monkeypatch.setenv("TRITON_INTERPRET", "1")


def noise(fmt: PixelFormat, size: tuple[int, int]) -> torch.Tensor:
    shape = fmt.shape(cast("Size", SimpleNamespace(height=size[0], width=size[1])))
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def picture(size: tuple[int, int], dtype: torch.dtype, channels: int = 3, seed: int = 2) -> torch.Tensor:
    """Noise, also a little below 0 and above 1."""
    values = torch.rand((1, channels, *size), generator=torch.Generator().manual_seed(seed))
    return (values * 1.4 - 0.2).to(dtype)


def apart(found: torch.Tensor, right: torch.Tensor) -> float:
    assert found.shape == right.shape
    return float((found.double() - right.double()).abs().max())


@every_dtype
@every_size
@pytest.mark.parametrize("fmt", list(PixelFormat))
def test_every_format_is_read_as_torch_reads_it(interpreter, fmt, size, dtype):
    data = noise(fmt, size)
    found = fused.to_rgb(data, fmt, dtype)
    assert found.dtype == dtype
    assert found.is_contiguous()
    assert apart(found, color.to_rgb(data, fmt, dtype)) <= NEAR[dtype]
    assert 0 <= float(found.min()) < float(found.max()) <= 1


@every_dtype
@every_size
@pytest.mark.parametrize("fmt", WRITTEN)
def test_every_format_is_written_as_torch_writes_it(interpreter, fmt, size, dtype):
    rgb = picture(size, dtype)
    found = fused.from_rgb(rgb, fmt)
    assert found.dtype == torch.uint8
    assert found.is_contiguous()
    right = color.from_rgb(rgb, fmt)
    assert apart(found, right) <= 1
    if dtype == torch.float32:  # what is rounded to bytes differs only where it lay half-way between two
        assert float((found != right).double().mean()) < 0.01


@pytest.mark.parametrize("fmt", [PixelFormat.YUYV, PixelFormat.NV12])
def test_no_sink_takes_a_camera_format(fmt):
    with pytest.raises(NotImplementedError, match=str(fmt)):
        fused.from_rgb(picture((4, 8), torch.float32), fmt)


@pytest.mark.parametrize("fmt", WRITTEN)
def test_bytes_come_back_as_they_went(interpreter, fmt):
    data = noise(fmt, (36, 52))
    if fmt is PixelFormat.I420:  # of all its values, only some are colors: all grays are
        data.clamp_(16, 235)[36:] = 128
    assert torch.equal(fused.from_rgb(fused.to_rgb(data, fmt, torch.float32), fmt), data)


@every_dtype
@every_size
@pytest.mark.parametrize("edge", [-1.0, -0.3, 0.0])
def test_blending_is_the_composite(interpreter, size, dtype, edge):
    alpha, near, far = picture(size, dtype, 1, 3), picture(size, dtype, 3, 4), picture(size, dtype, 3, 5)
    found = fused.blend(alpha, near, far, *limits_of(edge))
    assert found.dtype == dtype
    right = composite.composite(alpha.float(), near.float(), far.float(), edge)
    assert apart(found, right) <= NEAR[dtype]


@pytest.mark.parametrize("edge", [0.4, 1.0])
def test_blending_with_an_alpha_that_was_moved(interpreter, edge):
    low, high = limits_of(edge)
    alpha, near, far = (picture((36, 52), torch.float32, channels, channels) for channels in (1, 3, 3))
    right = torch.lerp(far, near, ((alpha - low) / (high - low)).clamp(0, 1))
    assert apart(fused.blend(alpha, near, far, low, high), right) <= 1e-5


STRIDED = {
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "mirrored": lambda x: x.contiguous(memory_format=torch.channels_last).flip(3),
    "a crop": lambda x: torch.nn.functional.pad(x, (3, 1, 2, 5))[..., 2:-5, 3:-1],
    "transposed": lambda x: x.mT.contiguous().mT,
    "of other channels": lambda x: torch.cat((x, x, x), 1)[:, x.shape[1] : 2 * x.shape[1]],
    "one color": lambda x: x[..., :1, :1].expand(x.shape),
}


@pytest.mark.parametrize("laid", list(STRIDED.values()), ids=list(STRIDED))
@pytest.mark.parametrize("which", [0, 1, 2], ids=["alpha", "foreground", "backdrop"])
def test_blending_takes_any_strides(interpreter, laid, which):
    parts = [picture((36, 52), torch.float32, channels, seed) for seed, channels in enumerate((1, 3, 3))]
    parts[which] = laid(parts[which])
    alpha, near, far = parts
    found = fused.blend(alpha, near, far, 0.1, 0.9)
    assert found.is_contiguous()
    alpha, near, far = (part.contiguous() for part in parts)
    assert torch.equal(found, fused.blend(alpha, near, far, 0.1, 0.9))
    assert apart(found, torch.lerp(parts[2], parts[1], ((parts[0] - 0.1) / 0.8).clamp(0, 1))) <= 1e-5


@pytest.mark.parametrize("laid", list(STRIDED.values()), ids=list(STRIDED))
@pytest.mark.parametrize("fmt", WRITTEN)
def test_any_strides_are_written(interpreter, laid, fmt):
    rgb = laid(picture((36, 52), torch.float32))
    assert torch.equal(fused.from_rgb(rgb, fmt), fused.from_rgb(rgb.contiguous(), fmt))
    assert apart(fused.from_rgb(rgb, fmt), color.from_rgb(rgb, fmt)) <= 1


@pytest.mark.parametrize("fmt", list(PixelFormat))
def test_any_strides_are_read(interpreter, fmt):
    data = noise(fmt, (36, 52)).transpose(0, 1).contiguous().transpose(0, 1)
    assert not data.is_contiguous()
    right = color.to_rgb(data.contiguous(), fmt, torch.float32)
    assert apart(fused.to_rgb(data, fmt, torch.float32), right) <= 1e-5


def test_blending_takes_each_part_in_its_own_dtype(interpreter):
    alpha, near, far = (picture((4, 8), dtype, n) for dtype, n in zip((torch.float32, *NEAR), (1, 3, 3), strict=True))
    found = fused.blend(alpha, near, far, 0, 1)
    assert found.dtype == torch.float16
    assert apart(found, torch.lerp(far.float(), near, alpha.clamp(0, 1))) <= 2**-9


@pytest.mark.parametrize("which", [0, 1, 2], ids=["alpha", "foreground", "backdrop"])
def test_nan_is_not_covered_up(interpreter, which):
    """The check before publishing looks for it: fail closed."""
    parts = [picture((4, 8), torch.float32, channels) for channels in (1, 3, 3)]
    parts[which][0, 0, 1, 2] = torch.nan
    alpha, near, far = parts
    found = fused.blend(alpha, near, far, 0.02, 0.98)
    assert found[0, 0, 1, 2].isnan()
    assert int(found[0, 0].isnan().sum()) == 1


def test_all_is_proven_in_the_interpreter(interpreter, caplog):
    with caplog.at_level(logging.INFO):
        assert fused._is_proven(CPU)
    assert not caplog.records


@pytest.mark.parametrize("name", ["to_rgb", "from_rgb", "blend"])
def test_what_gives_something_else_is_not_used(interpreter, monkeypatch, caplog, name):
    plain = getattr(fused, name)

    def wrong(*given):
        found = plain(*given)
        found.view(-1)[7] += 2 if found.dtype == torch.uint8 else 0.02
        return found

    monkeypatch.setattr(fused, name, wrong)
    with caplog.at_level(logging.INFO):
        assert not fused._is_proven(CPU)
    assert "from what torch computes" in caplog.text


def test_nan_from_a_kernel_is_not_trusted(interpreter, monkeypatch):
    monkeypatch.setattr(fused, "blend", lambda alpha, near, far, low, high: far * torch.nan)
    assert not fused._is_proven(CPU)


def test_the_cpu_is_not_asked(monkeypatch, caplog):
    monkeypatch.setattr(fused, "_is_proven", lambda device: pytest.fail("it was tried"))
    with caplog.at_level(logging.INFO):
        assert not fused.is_usable(CPU)
    assert not caplog.records


def test_a_tensors_device_is_the_one_that_was_asked_for(monkeypatch):
    """Else the first frame would wait for what was known at the start."""
    asked = []
    monkeypatch.setattr(fused, "_is_proven", lambda device: bool(asked.append(device)))
    for name in ("cuda", "cuda:0", "cuda:1"):
        fused.is_usable(torch.device(name))
    assert asked == [torch.device("cuda:0"), torch.device("cuda:0"), torch.device("cuda:1")]


def test_without_triton_the_log_says_so_once(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "triton", None)
    with caplog.at_level(logging.INFO):
        assert [fused._is_proven(CPU) for _ in range(3)] == [False] * 3
    assert [(record.levelno, record.name) for record in caplog.records] == [
        (logging.INFO, "camdaemon.frames.tensors.fused")
    ]
    assert "triton" in caplog.text


@pytest.mark.parametrize("error", [RuntimeError("no C compiler"), OSError("libcuda"), AssertionError(), KeyError("x")])
def test_whatever_goes_wrong_means_no(monkeypatch, caplog, error):
    def broken(kernel):
        raise error

    monkeypatch.setattr(fused, "_compiled", broken)
    with caplog.at_level(logging.INFO):
        assert not fused._is_proven(CPU)
    assert type(error).__name__ in caplog.text


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_is_not_usable():
    assert not fused.is_usable(CUDA)


def test_a_kernel_that_cannot_run_means_no(triton):
    """Triton itself, and memory that no GPU reaches."""
    assert not fused._is_proven(CPU)


POINTERS = {
    fused._read: {"data": "*u8", "out": "*fp16", "matrix": "*fp32"},
    fused._write_packed: {"rgb": "*fp16", "out": "*u8"},
    fused._write_planar: {"rgb": "*fp16", "out": "*u8", "matrix": "*fp32"},
    fused._blend: dict.fromkeys(("alpha", "near", "far", "out"), "*fp16") | {"low": "fp32", "scale": "fp32"},
}


@pytest.mark.parametrize("kernel", list(POINTERS), ids=lambda kernel: kernel.__name__)
def test_a_kernel_compiles_for_a_gpu(triton, monkeypatch, tmp_path, kernel):
    """The interpreter takes more of Python than the compiler does."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    compiled = fused._compiled(kernel)
    types = {name: POINTERS[kernel].get(name, "i32") for name in compiled.arg_names} | {"block": "constexpr"}
    source = ASTSource(compiled, types, {"block": fused._BLOCK})
    made = triton.compile(source, target=GPUTarget("cuda", 75, 32), options={"enable_fp_fusion": True})
    assert "st.global" in made.asm["ptx"]


@on_gpu
def test_on_a_gpu_it_is_usable(triton):
    assert fused.is_usable(CUDA)


@on_gpu
@pytest.mark.parametrize("fmt", list(PixelFormat))
def test_a_gpu_reads_large_pictures(triton, fmt):
    data = noise(fmt, (1080, 1920)).to(CUDA)
    found = fused.to_rgb(data, fmt, torch.float16)
    assert apart(found, color.to_rgb(data, fmt, torch.float16)) <= 2**-9


@on_gpu
def test_one_compilation_serves_every_size(triton, monkeypatch, tmp_path):
    """No frame waits for a compiler once `is_usable` has answered."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    assert fused.is_usable(CUDA)
    compiled = sorted(tmp_path.iterdir())
    assert compiled, "the test of the test"
    for size in ((1080, 1920), (484, 644)):
        rgb = picture(size, torch.float16).to(CUDA)
        for fmt in WRITTEN:
            fused.to_rgb(fused.from_rgb(rgb, fmt), fmt, torch.float16)
        fused.blend(rgb[:, :1], rgb.contiguous(memory_format=torch.channels_last), rgb[:, 1:2].expand(rgb.shape), 0, 1)
    assert sorted(tmp_path.iterdir()) == compiled
