"""The recipes: nothing in them is invented or written twice, and the scripts are sound. They are tried by hand."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import camdaemon
from camdaemon.control.hotkeys.portal import APP_ID

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"
FILES = sorted(path for path in PACKAGING.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
RECIPES = [path for path in FILES if path.suffix == ".in"]
SCRIPTS = [path for path in FILES if path.suffix == ".sh" or path.name in ("postinst", "prerm")]
PLACEHOLDER = "URL-OF-THIS-REPOSITORY"
READS_IT = {"packaging/common.sh", "packaging/python/metadata.py"}  # to know that there is no address yet


def fill_in(recipe: Path, tmp_path: Path, *arguments: str) -> Path:
    """Run recipes.sh for a stand-in of an sdist, without tools that check; the filled-in file."""
    sdist = tmp_path / "camdaemon.tar.gz"
    sdist.write_bytes(b"")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sed", "dirname", "mkdir", "realpath", "sha256sum", "date", "git", "rm", "bash"):
        (tools / name).symlink_to(shutil.which(name) or pytest.skip(f"{name} is not installed"))
    subprocess.run(
        [str(tools / "bash"), str(PACKAGING / "recipes.sh"), str(sdist), "--output", str(tmp_path / "out"), *arguments],
        env={"PATH": str(tools), "HOME": str(tmp_path)},
        check=True,
        capture_output=True,
    )
    names = {"camdaemon.yml.in": f"{APP_ID}.yml", "metainfo.xml.in": f"{APP_ID}.metainfo.xml"}
    return tmp_path / "out" / recipe.parent.name / names.get(recipe.name, recipe.name.removesuffix(".in"))


def fields(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w-]+): (.*)$", text, re.M))


def test_the_placeholder_stands_in_one_file():
    texts = {path: path.read_text("utf-8") for path in [*FILES, ROOT / "README.md", ROOT / "pyproject.toml"]}
    found = {path.relative_to(ROOT).as_posix() for path, text in texts.items() if PLACEHOLDER in text}
    assert found - READS_IT == {"packaging/address"}
    assert (PACKAGING / "address").read_text("utf-8").count("\n") == 1


@pytest.mark.parametrize("recipe", [path for path in RECIPES if path.parent.name != "deb"], ids=lambda path: path.name)
@pytest.mark.parametrize("address", [None, "https://example.org/camdaemon"])
def test_a_recipe_is_filled_in_whole(recipe, address, tmp_path):
    filled = fill_in(recipe, tmp_path, *(["--address", address] if address else [])).read_text("utf-8")
    assert not re.search(r"@[A-Z_\d]+@", filled)
    assert "Not built here" in filled or recipe.suffixes == [".xml", ".in"]
    assert camdaemon.__version__ in filled
    is_named = "@ADDRESS@" in recipe.read_text("utf-8")
    assert ("https://example.org/camdaemon" in filled) == (is_named and address is not None)
    assert not re.search(r"https?://(?!example\.org)", filled)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_the_version_is_written_nowhere_else(recipe):
    assert "@VERSION@" in recipe.read_text("utf-8")
    assert not re.search(rf"(?<![\d.]){re.escape(camdaemon.__version__)}(?![\d.])", recipe.read_text("utf-8"))


def test_the_deb_belongs_to_one_python():
    control = fields((PACKAGING / "deb" / "control.in").read_text("utf-8"))
    assert control["Depends"].startswith("python3 (>= @PYTHON@), python3 (<< @NEXT_PYTHON@), ")
    assert "v4l2loopback-dkms" in control["Recommends"].split(", ")
    assert "v4l2loopback-dkms" not in control["Depends"]
    replaced = set(re.findall(r"s\|(@[A-Z_]+@)\|", (PACKAGING / "deb" / "assemble.sh").read_text("utf-8")))
    assert replaced == set(re.findall(r"@[A-Z_]+@", (PACKAGING / "deb" / "control.in").read_text("utf-8")))


def test_the_unit_of_the_deb_calls_the_program_of_the_deb():
    unit = (ROOT / "systemd" / "camdaemon.service").read_text("utf-8")
    assert "\nExecStart=%h/.local/bin/camdaemon run\n" in unit, "what assemble.sh replaces"
    assert re.search(r"^# `camdaemon service install`", unit, re.M), "the comment that assemble.sh leaves out"


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_read_by_the_shell(script):
    subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_pass_shellcheck(script):
    command = ["shellcheck", "--external-sources", "--source-path=SCRIPTDIR", f"--source-path={ROOT}", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "script", [path for path in SCRIPTS if path.read_text("utf-8").startswith("#!")], ids=lambda path: path.name
)
def test_scripts_can_be_started(script):
    assert script.stat().st_mode & 0o111
