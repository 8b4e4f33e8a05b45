"""The baseline computes what camdaemon computes: otherwise a ratio of their speeds would compare different things."""

from pathlib import Path

import numpy as np
import pytest
import torch

from camdaemon.config.schema import Config, RefineConfig
from camdaemon.daemon.build import matting_settings
from camdaemon.frames.composite import Matte, composite
from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size
from camdaemon.matting.bgmv2.engines.torch_engine import has_bfloat16
from camdaemon.matting.bgmv2.floats import FloatMatting
from camdaemon.matting.bgmv2.weights import find_weights
from camdaemon.model.checkpoint import load_network
from camdaemon.model.layout import Selection
from camdaemon.tools.bench.footage import load_footage
from camdaemon.tools.bench.runs import make_processor
from tests.benchmarks import network
from tests.benchmarks.baseline import BaselineNetwork, composite_baseline
from tests.benchmarks.processor import BaselineMatting, make_baseline
from tests.benchmarks.settings import Settings, write_random_weights
from tests.kinds import floats

pytestmark = pytest.mark.usefixtures("one_thread")
SIZE = Size(192, 128)
LEVEL = 1 / 255


def _pair(size: Size = SIZE) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(4)
    shape = (1, 3, size.height, size.width)
    return torch.rand(shape, generator=generator), torch.rand(shape, generator=generator)


def _clear_count(weights: Path, src: torch.Tensor, plate: torch.Tensor) -> int:
    """How many patches to refine, about 200, so that the last one's predicted error is clearly above the next one's:
    two ways of computing, and two processors, round differently."""
    with torch.inference_mode():
        error = load_network(weights)(src, plate).error_coarse
    patches = torch.nn.functional.interpolate(error, (SIZE.height // 4, SIZE.width // 4), mode="bilinear")
    ranked = patches.flatten().sort(descending=True).values
    return 150 + int((ranked[149:249] - ranked[150:250]).argmax())


@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("mode", ["sampling", "thresholding", "full"])
def test_equals_the_daemons_matting_on_write_random_weights(mode, kernel_size, tmp_path):
    weights = write_random_weights("mobilenetv2", tmp_path, kernel_size)
    src, plate = _pair()
    count = _clear_count(weights, src, plate)
    config = Config(weights=str(weights), refine=RefineConfig(mode=mode, pixels=16 * count, threshold=0.5, scale=0.25))
    daemon = FloatMatting(config.weights, matting_settings(config).refinement, "cpu")(src, plate, None, 0)
    alpha, foreground, refined = BaselineMatting(config, SIZE, "cpu", torch.float32)(src, plate)
    assert (alpha - floats(daemon.alpha)).abs().max() < LEVEL
    assert (foreground - floats(daemon.foreground)).abs().max() < LEVEL
    assert alpha.std() > LEVEL, "a constant would prove nothing"
    patches = SIZE.width * SIZE.height // 16
    wanted = {"sampling": refined.sum() == count, "thresholding": 0 < refined.sum() < patches, "full": refined.all()}
    assert wanted[mode]


@pytest.mark.parametrize("backbone", ["resnet50"])
def test_equals_the_daemons_matting_with_another_backbone(backbone, tmp_path):
    config = Settings(backbone=backbone, scale=0.25).config(write_random_weights(backbone, tmp_path))
    src, plate = _pair()
    daemon = FloatMatting(config.weights, matting_settings(config).refinement, "cpu")(src, plate, None, 0)
    alpha, _, _ = BaselineMatting(config, SIZE, "cpu", torch.float32)(src, plate)
    assert (alpha - floats(daemon.alpha)).abs().max() < LEVEL


def test_equals_the_network_before_it_is_prepared_for_running():
    network_ = load_network(find_weights("published"), selection=Selection(pixels=4000))
    src, plate = _pair()
    half = (SIZE.height // 2, SIZE.width // 2)
    with torch.inference_mode():
        daemon = network_(src, plate, base=half)
        baseline = BaselineNetwork(network_)(src, plate, half, Selection(pixels=4000))
    torch.testing.assert_close(baseline.alpha, daemon.alpha, atol=1e-5, rtol=0)
    torch.testing.assert_close(baseline.foreground, daemon.foreground, atol=1e-5, rtol=0)
    assert torch.equal(baseline.refined, daemon.refined)


def test_random_weights_are_the_same_every_time_and_refine_everywhere(tmp_path):
    paths = [write_random_weights("mobilenetv2", folder) for folder in (tmp_path, Path(str(tmp_path)))]
    assert paths[0] == paths[1]
    other = tmp_path / "other"
    other.mkdir()
    assert write_random_weights("mobilenetv2", other).read_bytes() == paths[0].read_bytes()
    with torch.inference_mode():
        found = load_network(paths[0])(*_pair())
    assert found.error_coarse.min() > 0
    assert 0.2 < found.alpha.mean() < 0.8


def test_published_weights_on_the_pattern_by_both_sides(tmp_path):
    """Frame to frame through both processors: the same matte and the same picture nearly everywhere.

    Not everywhere: of patches with nearly the same predicted error, bytes and floats may refine different ones.
    """
    config = Settings(size=Size(320, 180), engine="torch", precision="float32").config(find_weights("published"))
    footage = load_footage(config, 2)
    daemon = make_processor(config, footage)
    baseline = make_baseline(config, footage, daemon, paced=False)
    matting = network.make_baseline_matting(config, footage, daemon)
    apart = network.compare_alphas(daemon, matting, network.upload_pairs(footage, daemon))
    assert apart.mean < 0.1
    assert apart.p999 < 2
    assert apart.mean <= apart.p999 <= apart.most
    outs = []
    for side in (daemon, baseline):
        pool = side.processor.engine.transfer.pool(footage.frames[0].fmt, footage.size)
        frame = pool.acquire()
        frame.data[:], frame.seq = footage.frames[0].data, 3
        out = HostFrame.empty(PixelFormat.I420, footage.size)
        with side.processor.engine.transfer.computing():
            side.processor.run(frame, pool, side.scene, out)
        assert (out.content, out.matte_seq, out.seq) == (Content.COMPOSITE, 3, 3)
        assert {"upload", "plate", "matte", "composite", "download"} <= set(side.stopwatch.take()[0])
        outs.append(out.data.astype(int))
        assert len([pool.acquire(0.1) for _ in range(3)]) == 3, "the camera's frame went back to its pool"
    assert outs[0].std() > 5
    assert np.quantile(abs(outs[0] - outs[1]), 0.999) <= 2


@pytest.mark.skipif(not has_bfloat16(), reason="this processor has no bfloat16")
@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_in_bfloat16_the_matte_is_still_the_published_one(engine):
    """The bar of the project: within 1/255 in the mean, 8/255 at the 99.9th percentile."""
    if engine == "openvino":
        pytest.importorskip("openvino")
    config = Settings(size=Size(320, 180), engine=engine, precision="bfloat16").config(find_weights("published"))
    footage = load_footage(config, 3)
    daemon = make_processor(config, footage)
    matting = network.make_baseline_matting(config, footage, daemon)
    apart = network.compare_alphas(daemon, matting, network.upload_pairs(footage, daemon))
    assert apart.mean < 1
    assert apart.p999 < 8


def test_composite_equals_the_real_one():
    src, backdrop = _pair()
    alpha = src[:, :1]
    daemon = floats(composite(Matte(alpha, src, 0), backdrop))
    torch.testing.assert_close(composite_baseline(alpha, src, backdrop), daemon, atol=1e-5, rtol=0)
