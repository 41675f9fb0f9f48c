"""Whether the product is sealed."""

from __future__ import annotations

import importlib
from typing import Any


def _secrets() -> Any:
    return importlib.import_module("identities.services.secrets")


def is_sealed() -> bool:
    """True without a usable master key."""
    return bool(_secrets().is_sealed())


def sealed_reason() -> str:
    """Why, in a sentence."""
    return str(_secrets().sealed_reason())
