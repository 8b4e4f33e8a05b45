"""A record that was damaged is told, or gone on with as far as it is whole; nothing else happens."""

import contextlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdaemon.errors import ConfigError
from camdaemon.tools.films.record import FOLDER, JobRecord
from tests.hostile import damaged, few

FACTS = {"source": "film.mp4", "size": [64, 36], "span": [0.0, "inf"]}


def record(work: Path) -> Path:
    """Write the record of two whole parts, of three frames each."""
    kept = JobRecord(work, FACTS)
    kept.start()
    for part in range(2):
        numbers = range(3 * part, 3 * part + 3)
        kept.add_part([number / 10 for number in numbers], [f"{n:06d}" for n in numbers], {"gain": np.arange(9.0)})
    return work / FOLDER


def test_what_was_recorded_is_read(tmp_path: Path) -> None:
    assert sorted(path.name for path in record(tmp_path).iterdir()) == [
        "00000.npz", "00001.npz", "00001.state.npz", "job.json"
    ]  # fmt: skip
    found = JobRecord(tmp_path, FACTS)
    found.resume()
    assert (found.parts, found.times) == (2, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert found.names == [f"{number:06d}" for number in range(6)]
    assert (found.state["gain"] == np.arange(9.0)).all()


class Refused(Exception):
    pass


def resume(record: JobRecord) -> None:
    try:
        record.resume()
    except ConfigError as exc:
        if "cannot go on with" in str(exc) and str(exc).endswith("--force"):
            raise Refused from None
        raise


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("kept")).parent


@pytest.mark.parametrize("name", ["job.json", "00000.npz", "00001.npz", "00001.state.npz"])
def test_damage_is_told_or_costs_frames(name: str, kept: Path, tmp_path: Path) -> None:
    whole = (kept / FOLDER / name).read_bytes()

    @few
    @given(damaged(whole) | st.sampled_from([b"", b"null", b"[]", b"3", b"\xff", b"PK\x03\x04"]))
    def check(data: bytes) -> None:
        shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
        (tmp_path / FOLDER / name).write_bytes(data)
        found = JobRecord(tmp_path, FACTS)
        assert isinstance(found.find_fact("engine"), str)
        with contextlib.suppress(Refused):
            resume(found)
            assert len(found.times) == len(found.names) == 3 * found.parts

    check()


def test_a_record_without_what_was_learned_is_not_gone_on_with(tmp_path: Path) -> None:
    (record(tmp_path) / "00001.state.npz").unlink()
    with pytest.raises(ConfigError, match=r"its record is damaged\. Begin again with: --force$"):
        JobRecord(tmp_path, FACTS).resume()
