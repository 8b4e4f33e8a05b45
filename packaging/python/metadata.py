"""Metadata that depends on the project's address: the links, and a README whose links work outside the repository.

An index shows the README alone, where `docs/demo.webp` leads nowhere. Once `packaging/address` holds an address, such
links point to the files of this version there; until then pictures become their captions, and links their texts.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_PLACEHOLDER = "URL-OF-THIS-REPOSITORY"
_RELATIVE_LINK = re.compile(r"(?P<sign>!?)\[(?P<text>[^\]]*)\]\((?!\w+:|#)(?P<path>[^)]+)\)")


class CustomMetadataHook(MetadataHookInterface):
    """Fills in `readme` and `urls`; hatchling looks for a class of this name."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add both fields to the `project` table."""
        root = Path(self.root)
        address, version = read_address(root), metadata["version"]
        readme = (root / "README.md").read_text("utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": rewrite_links(readme, address, f"v{version}")}
        metadata["urls"] = make_urls(address, f"v{version}")


def read_address(root: Path) -> str | None:
    """Return the project's address without a slash at its end; None where only the placeholder stands."""
    address = (root / "packaging" / "address").read_text("utf-8").strip().rstrip("/")
    return None if address == _PLACEHOLDER else address


def rewrite_links(markdown: str, address: str | None, tag: str) -> str:
    """Return the text with links to files of the repository made absolute.

    Args:
        markdown: A text in which links are relative to the repository's root.
        address: The repository's; `blob` and `raw` below it are what GitHub and GitLab understand.
        tag: Of the version that the text describes.
    """

    def rewrite(link: re.Match[str]) -> str:
        sign, text, path = link.group("sign", "text", "path")
        if address is None:
            return f"*{text}*" if sign else text
        return f"{sign}[{text}]({address}/{'raw' if sign else 'blob'}/{tag}/{path})"

    return _RELATIVE_LINK.sub(rewrite, markdown)


def make_urls(address: str | None, tag: str) -> dict[str, str]:
    """Return the links that an index shows beside the description; none without an address."""
    if address is None:
        return {}
    return {
        "Homepage": address,
        "Documentation": f"{address}/blob/{tag}/docs/README.md",
        "Changelog": f"{address}/blob/{tag}/CHANGELOG.md",
        "Issues": f"{address}/issues",
    }
