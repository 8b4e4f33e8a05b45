"""Every test of the plate runs in floats and in bytes, unless it needs neither."""

import pytest

from camdaemon.frames import pixels
from tests.kinds import floats
from tests.plate import rooms


@pytest.fixture(params=[floats, pixels.as_bytes], ids=["floats", "bytes"])
def kind(request, monkeypatch):
    monkeypatch.setattr(rooms, "convert", request.param)
