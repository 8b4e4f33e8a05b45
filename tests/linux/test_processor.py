"""What Linux says about the processor."""

import pytest

from camdaemon.linux import processor

INTEL = "model name\t: Some Processor\nflags\t\t: fpu avx2 avx512_bf16\n\nmodel name\t: Other\nflags\t\t: fpu\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd bf16\n\n"


@pytest.fixture
def says(tmp_path, monkeypatch):
    """says(text): /proc/cpuinfo; without a call it cannot be read."""
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "cpuinfo")
    processor.read_processor.cache_clear()
    yield (tmp_path / "cpuinfo").write_text
    processor.read_processor.cache_clear()


def test_the_first_processor_speaks_for_all(says):
    says(INTEL)
    assert processor.read_processor()["model name"] == "Some Processor"
    assert processor.read_flags() == {"fpu", "avx2", "avx512_bf16"}


def test_flags_are_called_features_elsewhere(says):
    says(ARM)
    assert processor.read_flags() == {"fp", "asimd", "bf16"}


def test_where_nothing_can_be_read_nothing_is_known(says):
    assert processor.read_processor() == {}
    assert processor.read_flags() == frozenset()
