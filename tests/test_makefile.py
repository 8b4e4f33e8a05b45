"""What `make run` would install, with an NVIDIA GPU and without."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")

CPU_WHEELS = "https://download.pytorch.org/whl/cpu"


def printed(tmp_path: Path, *words: str, goal: str = "run") -> list[str]:
    """The commands of `make -n run`, or of another goal, where nothing is installed yet, one a line."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "TORCH"}
    done = subprocess.run(
        ["make", "-n", goal, f"VENV={tmp_path}/.venv", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.replace("\\\n", " ").replace(str(tmp_path), "HERE").splitlines()


def installs(lines: list[str]) -> list[str]:
    return [line for line in lines if "pip install" in line]


NO_GPU = [["NVIDIA=/missing/nvidiactl"], ["NVIDIA=/missing/a /missing/b"], ["TORCH=none"]]


@pytest.mark.parametrize("words", NO_GPU)
def test_without_an_nvidia_gpu_there_is_no_torch(tmp_path: Path, words: list[str]) -> None:
    lines = installs(printed(tmp_path, *words))
    assert [line for line in lines if line.endswith("--editable '.'")]
    assert "torch" not in "".join(lines)


@pytest.mark.parametrize("words", [*NO_GPU, ["TORCH=cpu"]])
def test_the_tests_have_the_torch_of_the_cpu_there(tmp_path: Path, words: list[str]) -> None:
    first, *others = [line for line in installs(printed(tmp_path, *words, goal="lint")) if "torch" in line]
    assert f"--index-url {CPU_WHEELS} torch" in first
    assert "--constraint constraints.txt" in first
    assert "||" in first, "where that host cannot be reached, pip's own index is asked"
    assert not any(CPU_WHEELS in line for line in others), "nothing else is taken from there"


@pytest.mark.parametrize("words", [["NVIDIA={}"], ["NVIDIA=/missing/nvidiactl {}"], ["TORCH=cuda"]])
def test_with_an_nvidia_gpu_torch_is_as_pip_finds_it(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "nvidiactl").touch()
    lines = printed(tmp_path, *(word.format(tmp_path / "nvidiactl") for word in words))
    assert CPU_WHEELS not in "".join(lines)
    assert [line for line in installs(lines) if line.endswith("--editable '.[torch]'")]


def test_another_torch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"TORCH=rocm.*neither"):
        printed(tmp_path, "TORCH=rocm")


def test_the_manual_page_is_put_where_man_looks_for_it(tmp_path: Path) -> None:
    assert [
        line for line in printed(tmp_path) if line.endswith("camdaemon man > HERE/.venv/share/man/man1/camdaemon.1")
    ]


def test_the_long_downloads_show_their_progress_and_every_pin_counts(tmp_path: Path) -> None:
    lines = [line for line in installs(printed(tmp_path)) if "hotkeys" not in line]
    assert len(lines) in (1, 2)
    for line in lines:
        assert "--quiet" not in line
        assert "--constraint constraints.txt" in line
