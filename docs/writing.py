"""Writes the pages that are made from the code."""

from pathlib import Path


def write_changed(path: Path, text: str) -> None:
    """Write a page where its text has changed, so that Sphinx reads no other again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
