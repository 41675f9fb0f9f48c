from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.django_db(transaction=True)


def test_nobody_sees_the_sign_in_page(page: Page, live_server: Any) -> None:
    from identities.services import secrets

    secrets.initialise()
    response = page.goto("/")
    assert response is not None
    assert response.status == 200
    assert page.url.startswith(f"{live_server.url}/account/login/")
