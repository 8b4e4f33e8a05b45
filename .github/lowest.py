"""Print the lowest versions that pyproject.toml allows, one constraint a line, for the CI job "lowest".

The extras are left out: torch stays at the version in constraints.txt, since older ones have not been tested.
"""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
for dependency in project["dependencies"]:
    name, version = re.fullmatch(r"([\w-]+)>=([\d.]+)", dependency).groups()
    print(f"{name}=={version}")
