"""Fixtures of the training tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from camdaemon.tools.train.samples.layouts import find_pictures
from camdaemon.tools.train.samples.loader import SampleGenerator
from camdaemon.tools.train.samples.packing import pack_people, pack_plates
from tests.tools.train.training_data import make_people, make_plates


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five people and seven rooms in our own layout."""
    folder = tmp_path_factory.mktemp("data")
    make_people(folder, 5)
    make_plates(folder, 7)
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One packing of `data` for all tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def generator_of(data: Path, cache: Path) -> Callable[..., SampleGenerator]:
    """Makes SampleGenerator of `data`."""
    found = find_pictures([data], [], "train")

    def make(*, soft: bool = False) -> SampleGenerator:
        people, plates = pack_people(found.people, cache), pack_plates(found.plates, cache)
        return SampleGenerator(people, plates, soft=soft)

    return make


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Pictures this small gain nothing from more, and lose much on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
