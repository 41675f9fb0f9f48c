"""Rules about the code base that no linter holds."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path
    for folder in ("identities", "nscweb")
    for path in (ROOT / folder).rglob("*.py")
    if "migrations" not in path.parts
)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
PURE = ("errors.py", "nkeys", "claims", "policy", "vault", "formats", "resolver")
MOST_LINES = 350
INLINE = re.compile(
    r"""style=["']|<style|\son[a-z]+=["']|hx-on|<script(?![^>]*\ssrc=)|javascript:|\bjs:""", re.IGNORECASE
)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def pure_sources() -> list[Path]:
    house = ROOT / "identities"
    return [
        path for path in SOURCES if path.is_relative_to(house) and path.relative_to(house).parts[0] in PURE
    ]


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_module_is_short_enough_to_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text))


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    drawers = {"utils", "util", "helpers", "helper", "misc", "common_utils"}
    assert not [relative(path) for path in SOURCES if path.stem in drawers]


def test_nothing_is_marked_safe_or_wired_by_signals() -> None:
    forbidden = re.compile(r"mark_safe|format_html_join|post_save|pre_save|m2m_changed")
    assert not [relative(path) for path in SOURCES if forbidden.search(path.read_text())]


@pytest.mark.parametrize("path", pure_sources(), ids=relative)
def test_a_pure_floor_knows_no_django_and_no_clock(path: Path) -> None:
    tree = ast.parse(path.read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert "django" not in imported
    if "resolver" not in path.parts:
        assert not imported & {"time", "socket", "asyncio", "urllib.request"}
        assert "datetime.now" not in path.read_text()


def test_only_the_codec_signs_and_only_secrets_opens_the_vault() -> None:
    outside_vault = [
        p for p in SOURCES if "vault" not in p.parts and relative(p) != "identities/services/secrets.py"
    ]
    assert not [
        relative(path)
        for path in outside_vault
        if re.search(r"identities\.vault\b", path.read_text())
        and "from identities.vault.errors" not in path.read_text()
    ]


@pytest.mark.parametrize("path", TEMPLATES, ids=relative)
def test_a_template_has_no_inline_style_or_script(path: Path) -> None:
    assert not INLINE.search(path.read_text())


@pytest.mark.parametrize("path", TEMPLATES, ids=relative)
def test_a_template_is_short_enough_to_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 150


def test_every_named_dependency_of_the_user_is_there() -> None:
    names = (ROOT / "requirements.txt").read_text()
    assert all(package in names for package in ("django>=", "pynacl>=", "django-htmx>=", "whitenoise"))


def test_the_admin_of_django_is_not_installed() -> None:
    from django.conf import settings

    assert "django.contrib.admin" not in settings.INSTALLED_APPS
