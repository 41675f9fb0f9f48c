"""Sealed and unsealed: the master key fits the database, or nothing is signed or written."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from identities.errors import IdentityError
from identities.models import Installation, Key, User
from identities.policy.principal import Principal
from identities.services import audit, creds, rotation, secrets
from tests import make
from tests.together import at_once

pytestmark = pytest.mark.django_db

OTHER = "other:" + base64.b64encode(b"o" * 32).decode()


@pytest.fixture
def user() -> User:
    make.installation()
    return make.user(make.account(make.operator()))


def key_of(settings: Any) -> str:
    return str(settings.NSCWEB_MASTER_KEY)


def test_an_installation_that_was_never_started_is_sealed() -> None:
    secrets.forget()
    assert secrets.is_sealed()
    assert "first_admin" in secrets.sealed_reason()


def test_another_master_key_leaves_it_sealed_and_nothing_is_written(user: User, settings: Any) -> None:
    before = Key.objects.count()
    settings.NSCWEB_MASTER_KEY = OTHER
    secrets.forget()
    assert secrets.is_sealed()
    assert "does not fit" in secrets.sealed_reason()
    with pytest.raises(secrets.SealedInstallation):
        make.operator(name="Second")
    assert Key.objects.count() == before


def test_no_new_key_file_is_made_over_an_existing_database(user: User, settings: Any, tmp_path: Path) -> None:
    settings.NSCWEB_MASTER_KEY = ""
    settings.NSCWEB_MASTER_KEY_FILE = ""
    settings.NSCWEB_DATA_DIR = tmp_path
    with pytest.raises(secrets.SealedInstallation):
        secrets.initialise()
    assert not list(tmp_path.iterdir())


def test_a_database_with_identities_but_no_canary_stays_sealed(user: User) -> None:
    Installation.objects.all().delete()
    with pytest.raises(secrets.SealedInstallation):
        secrets.initialise()
    assert not Installation.objects.exists()


def test_a_rotated_ring_opens_everything_and_the_old_key_can_go(user: User, settings: Any) -> None:
    admin = Principal.command("test")
    before = creds.creds_file(principal=admin, user=user).text
    old = key_of(settings)
    settings.NSCWEB_MASTER_KEY = f"{OTHER},{old}"
    secrets.forget()
    assert rotation.reseal_all(principal=admin) == Key.objects.filter(sealed__isnull=False).count()
    assert rotation.reseal_all(principal=admin) == 0
    settings.NSCWEB_MASTER_KEY = OTHER
    secrets.forget()
    assert not secrets.is_sealed()
    assert creds.creds_file(principal=admin, user=user).text == before
    assert audit.first_broken() is None
    settings.NSCWEB_MASTER_KEY = old
    secrets.forget()
    assert secrets.is_sealed()


def test_a_flipped_byte_in_a_sealed_seed_is_found(user: User) -> None:
    key = Key.objects.get(user=user)
    changed = bytearray(bytes(key.sealed or b""))
    changed[-1] ^= 1
    Key.objects.filter(pk=key.pk).update(sealed=bytes(changed))
    with pytest.raises(IdentityError):
        creds.creds_file(principal=Principal.command("test"), user=user)


@pytest.mark.django_db(transaction=True)
def test_two_first_starts_at_once_make_one_installation() -> None:
    secrets.forget()
    assert at_once(secrets.initialise, secrets.initialise) == []
    assert Installation.objects.count() == 1
    assert not secrets.is_sealed()


def test_starting_with_another_key_is_refused(user: User, settings: Any) -> None:
    settings.NSCWEB_MASTER_KEY = OTHER
    with pytest.raises(secrets.SealedInstallation, match="does not fit"):
        secrets.initialise()
