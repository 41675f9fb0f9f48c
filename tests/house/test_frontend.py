"""Rules about what people's browsers get: no inline code, colours in one place, vendored files as recorded."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "static"
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
STYLES = sorted((STATIC / "css").glob("*.css"))
SYMBOLS = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "icons" / "sprite.svg").read_text()))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_has_no_inline_code_no_long_comment_and_only_known_icons(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|hx-on|javascript:|data:[a-z]+/", text)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
    assert "mark_safe" not in text
    assert "|safe" not in text
    assert all("#}" in line for line in text.splitlines() if "{#" in line), "Django's {# #} ends on its line"
    assert set(re.findall(r'\{% icon "([^"]+)"', text)) <= SYMBOLS
    assert len(text.splitlines()) <= 150


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_colours_stand_in_one_file_and_nothing_comes_from_elsewhere(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"data:|https?://", text)
    if path.name != "tokens.css":
        assert not re.search(r"#[0-9a-fA-F]{3,8}\b|\b(?:rgb|hsl|oklch)a?\(", text)


def test_every_style_token_that_is_used_is_defined() -> None:
    text = "".join(path.read_text() for path in STYLES)
    assert set(re.findall(r"var\((--[\w-]+)", text)) <= set(re.findall(r"(--[\w-]+):", text))


def test_the_script_stays_small() -> None:
    assert len((STATIC / "js" / "app.js").read_text().splitlines()) <= 150


def test_vendored_files_are_what_their_record_says() -> None:
    for entry in tomllib.loads((STATIC / "vendor" / "VENDORED.toml").read_text())["vendored"]:
        for path, digest in (
            (entry["path"], entry["sha256"]),
            (entry["licence_file"], entry["licence_sha256"]),
        ):
            assert hashlib.sha256((STATIC / path).read_bytes()).hexdigest() == digest
