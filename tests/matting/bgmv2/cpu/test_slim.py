"""The slim network in bytes against the same network in torch, whatever it is told of the plate."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from camdaemon.errors import EngineError
from camdaemon.frames import pixels
from camdaemon.matting.bgmv2.cpu import base as cpu_base
from camdaemon.matting.bgmv2.cpu import told_plate
from camdaemon.matting.bgmv2.cpu.base import NetworkShape
from camdaemon.matting.bgmv2.cpu.network import CpuNetwork
from camdaemon.matting.bgmv2.cpu.slim import SlimBase
from camdaemon.matting.bgmv2.sizes import choose_base_size
from camdaemon.model.folding import fold_batch_norms
from camdaemon.model.layout import SIDE, Selection
from camdaemon.model.network import Output
from camdaemon.model.slim import SlimMatting
from tests.fakes import assert_keeps_the_contract
from tests.matting.bgmv2.cpu.test_network import FRAME, assert_near, matting, picture
from tests.matting.bgmv2.in_torch import as_tensor, as_unit, engines_of
from tests.present import present

pytestmark = pytest.mark.usefixtures("one_thread")

Pair = tuple[int, int]


def random_slim(refined: bool = True, seed: int = 5) -> SlimMatting:
    torch.manual_seed(seed)
    made = SlimMatting(refined=refined).eval()
    with torch.no_grad():
        bias = present(made.decoder.last.bias).view(5, 4)
        bias[:] = torch.tensor([0.5, 0, 0, 0, 0.5])[:, None]  # alpha and error away from the clamps
        if made.refiner is not None:
            present(made.refiner.conv4.bias)[:] = torch.tensor([0.6, 0.1, -0.1, 0.05])  # a refined patch is another one
    return made


@pytest.fixture(scope="module")
def networks() -> dict[bool, SlimMatting]:
    """By whether there is a refiner, batch norms folded."""
    made = {refined: random_slim(refined) for refined in (False, True)}
    for network in made.values():
        fold_batch_norms(network)
        network.requires_grad_(False)
    return made


def known(what: str) -> NDArray[np.float32] | None:
    """What is told of the plate, in blocks of 16 pixels and of another number."""
    draw = torch.Generator().manual_seed(4)
    match what:
        case "all":
            return None
        case "nothing":
            return np.zeros((1, 1, 6, 8), np.float32)
        case "blocks":
            return (torch.rand(1, 1, 6, 8, generator=draw) < 0.5).float().numpy()
        case "more or less":
            return torch.rand(1, 1, 5, 11, generator=draw).numpy()
    raise AssertionError(what)


def on_cpu(network: SlimMatting, base: Pair) -> CpuNetwork:
    return CpuNetwork(engines_of(network), NetworkShape(FRAME, base))


def base_of(network: CpuNetwork) -> SlimBase:
    assert isinstance(network._base, SlimBase)
    return network._base


Bytes = NDArray[np.uint8]
Known = NDArray[np.float32] | None


def wanted_of(
    network: SlimMatting, src: Bytes, plate: Bytes, confidence: Known, selection: Selection, base: Pair
) -> Output:
    network.selection = selection
    told = None if confidence is None else as_tensor(confidence)
    found: Output = network(as_unit(src), as_unit(plate), told, base=base)
    return found


def clear(network: SlimMatting, src: Bytes, plate: Bytes, confidence: Known, base: Pair) -> Selection:
    """One whose choice hangs on no rounding: the limit lies in the widest gap between two predicted errors."""
    error = wanted_of(network, src, plate, confidence, Selection(pixels=0), base).error_coarse
    error = torch.nn.functional.interpolate(error, [side // SIDE for side in src.shape[2:]], mode="bilinear")
    ranked = error.flatten().sort(descending=True).values
    gaps = (ranked[:-1] - ranked[1:])[50:-50]
    count = int(gaps.argmax()) + 51
    return Selection("thresholding", threshold=float(ranked[count - 1] + ranked[count]) / 2)


@pytest.mark.parametrize("what", ["all", "nothing", "blocks", "more or less"])
@pytest.mark.parametrize("base", [(96, 128), (48, 64), (32, 48)], ids=str)
@pytest.mark.parametrize("refined", ["no", "some", "all"])
def test_it_is_the_matte_of_the_network_in_torch(networks, what, base, refined):
    """As near as the published one: bytes are rounded where it has floats; gray is 128 of 255, not one half."""
    network, src, plate, confidence = networks[refined != "no"], picture(1), picture(2), known(what)
    selection = clear(network, src, plate, confidence, base) if refined == "some" else Selection("full")
    wanted = wanted_of(network, src, plate, confidence, selection, base)
    if refined == "some":
        assert 0.05 < float(wanted.refined.float().mean()) < 0.95
    alpha, foreground, finite = on_cpu(network, base)(src, plate, confidence, selection)
    assert finite is True
    assert_near(alpha, wanted.alpha)
    assert_near(foreground, wanted.foreground)
    assert float(pixels.unit(alpha).std()) > 0.01, "the test of the test"


def test_what_it_is_told_may_change_with_every_frame_while_the_plate_stays(networks):
    network, src, plate = networks[True], picture(1), picture(2)
    one = on_cpu(network, (48, 64))
    told = [known(what) for what in ("all", "nothing", "all", "blocks", "more or less", "blocks", "all")]
    found = [one(src, plate, each, Selection("full")) for each in told]
    fresh = [on_cpu(network, (48, 64))(src, plate, each, Selection("full")) for each in told]
    for first, second in zip(found, fresh, strict=True):
        assert np.array_equal(first[0], second[0])
        assert np.array_equal(first[1], second[1])
    assert not np.array_equal(found[0][0], found[1][0]), "the test of the test"


def test_what_is_told_is_looked_at_again_when_it_was_changed_in_place(networks):
    network, src, plate = networks[True], picture(1), picture(2)
    one, told = on_cpu(network, (48, 64)), np.ones((1, 1, 6, 8), np.float32)
    first = one(src, plate, told, Selection("full"))[0]
    told[:] = 0
    second = one(src, plate, told, Selection("full"))[0]
    assert np.array_equal(second, on_cpu(network, (48, 64))(src, plate, told, Selection("full"))[0])
    assert not np.array_equal(first, second)


def test_a_plate_of_which_nothing_is_known_does_not_matter(networks):
    one, nothing = on_cpu(networks[True], (48, 64)), np.zeros((1, 1, 6, 8), np.float32)
    first, second = (one(picture(1), picture(seed), nothing, Selection("full")) for seed in (2, 3))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


# ---- as a matting


@pytest.mark.parametrize("refined", [False, True])
def test_keeps_the_contract_in_bytes(tmp_path, refined):
    made = matting(tmp_path, random_slim(refined))
    assert made.doubts
    assert_keeps_the_contract(made, picture(1), picture(2))
    first, second = (made(picture(1), picture(2), told, 1).alpha for told in (None, np.zeros((1, 1, 6, 8), np.float32)))
    assert not np.array_equal(first, second), "it was not told"


@pytest.mark.parametrize("scale", [0.3, 0.5, 1.0])
def test_a_scale_is_rounded_to_whole_cells(tmp_path, scale):
    made = matting(tmp_path, random_slim(), scale=scale)
    assert choose_base_size(made._refine, *FRAME, sides="cells")[0] % 16 == 0
    assert made(picture(1), picture(2), None, 1).alpha.shape == (1, 1, *FRAME)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["decoder.last.bias", "decoder.hidden.bias", "decoder.d1.0.weight"])
def test_weights_that_are_no_numbers_give_an_error_and_never_a_picture(name, value, tmp_path):
    network = random_slim()
    network.state_dict()[name].view(-1)[0] = value
    with pytest.raises(EngineError, match=r"frame 9\b.*finite"):
        matting(tmp_path, network, mode="full")(picture(1), picture(2), None, 9)


def test_the_plates_parts_are_prepared_again_when_there_is_something_new_and_only_then(networks, monkeypatch):
    resize, calls = cpu_base.downscale, list[int]()
    monkeypatch.setattr(told_plate, "downscale", lambda *args: calls.append(1) or resize(*args))
    tell = base_of(on_cpu(networks[True], (48, 64)))._tell
    plate, other, told = picture(2), picture(3), np.ones((1, 1, 6, 8), np.float32)
    first = tell(plate, None)
    assert tell(plate, None) is first
    assert tell(plate, told) is tell(plate, told.copy()) is not first
    assert len(calls) == 1, "another confidence is no other plate"
    assert tell(plate, told).full is first.full, "nothing is hidden"
    told[0, 0, 2, 3] = 0
    hidden = tell(plate, told)
    assert hidden.full is not first.full
    assert hidden.padded is first.padded
    assert tell(other, None).small is not first.small
    assert len(calls) == 2
