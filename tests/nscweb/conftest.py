from __future__ import annotations

import pytest
from django.test import Client

from identities.models import Person
from identities.policy.principal import Role
from identities.services import people, secrets

PASSWORD = "correct horse battery staple"


@pytest.fixture
def unsealed(db: None) -> None:
    secrets.initialise()


@pytest.fixture
def alice(unsealed: None) -> Person:
    return people.add_person(username="Alice", password=PASSWORD, role=Role.ADMINISTRATOR)


@pytest.fixture
def victor(unsealed: None) -> Person:
    return people.add_person(username="victor", password=PASSWORD, role=Role.VIEWER)


@pytest.fixture
def signed_in(client: Client, alice: Person) -> Client:
    client.force_login(alice)
    return client
