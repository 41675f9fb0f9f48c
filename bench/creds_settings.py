"""The product's own settings with one route more."""

from __future__ import annotations

from nscweb.settings import *  # noqa: F403

ROOT_URLCONF = "creds_urls"
