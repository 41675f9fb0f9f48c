"""Where things named by public keys have their pages, as strings; cheap enough for every row of a list."""

from __future__ import annotations

from functools import cache
from urllib.parse import quote

from django.urls import get_script_prefix, reverse

_BLANK = "A" * 56


@cache
def _template(name: str, keys: int, prefix: str) -> str:
    """The route with `%s` in the place of its keys; reversing each row of a page would cost more than its query."""
    return reverse(name, args=[_BLANK] * keys).replace("%", "%%").replace(_BLANK, "%s")


def operator(key: str) -> str:
    """The operator's page."""
    return _template("operator", 1, get_script_prefix()) % key


def account(operator_key: str, key: str) -> str:
    """The account's page."""
    return _template("account", 2, get_script_prefix()) % (operator_key, key)


def user(operator_key: str, account_key: str, key: str) -> str:
    """The user's page."""
    return _template("user", 3, get_script_prefix()) % (operator_key, account_key, key)


def find(text: str) -> str:
    """The search for a key or name."""
    return f"{_template('search', 0, get_script_prefix())}?q={quote(text)}"
