"""For mkdocs: links from a page to files of the repository that are no pages become the file's path in plain type."""

from __future__ import annotations

import re
from typing import Any

OUTSIDE = re.compile(r"(?<!!)\[([^\]]+)\]\(((?:\.\./)+[^)#\s]+)(?:#[^)]*)?\)")


def on_page_markdown(markdown: str, page: Any, files: Any, **_: Any) -> str:
    """Links that leave docs/ cannot be followed on the site; those within it stay."""
    depth = page.file.src_uri.count("/")

    def replace(found: re.Match[str]) -> str:
        text, target = found[1], found[2]
        ups = target.count("../")
        if ups <= depth:
            return found[0]
        return f"{text} (`{target.replace('../', '')}`)"

    return OUTSIDE.sub(replace, markdown)
