"""An own preset and whom it filled, and the pages that show it."""

from __future__ import annotations

from django.urls import reverse

from identities.claims import recipes
from identities.claims.presets import Edition, Preset, PresetDraft, parameters_of
from identities.claims.presets_text import lines_of
from identities.claims.recipes import Side
from identities.models import (
    Account,
    User,
)
from identities.services import (
    allowing,
    filling,
    presets,
)
from tests import make
from tests.e2e.much import LONG


def fill(account: Account) -> None:
    """An own preset of two versions: one user has the newer, one the older, one was changed by hand since."""
    parts = {"title": "Devices of the shop", "about": "What a `device` of the shop may do."}

    def draft(*subjects: str, news: str = "") -> PresetDraft:
        lines = lines_of(subjects, Side.PUBLISH)
        made = Edition(number=1, lines=lines, parameters=parameters_of(lines), news=news)
        return PresetDraft(edition=made, **parts)

    def filled(user: User, preset: Preset, values: dict[str, str]) -> User:
        row = User.objects.select_related("account__operator").get(pk=user.pk)
        return filling.fill_user(
            principal=make.COMMAND, user=row, preset=preset, values=values, version=row.version
        )

    first = presets.create(
        principal=make.COMMAND,
        draft=draft(f"{LONG}.${{device}} # What it says", "state.${device} # How it is"),
    )
    made = make.many_users(Account.objects.get(pk=account.pk), ["till-1", "till-2", "till-3"])
    for user in made[:2]:
        filled(user, first, {"device": user.name})
    allowing.allow(
        principal=make.COMMAND,
        user=User.objects.select_related("account__operator").get(pk=made[1].pk),
        wish=recipes.Wish(task=recipes.Task.REQUEST, subject="prices"),
        version=User.objects.get(pk=made[1].pk).version,
    )
    newer = draft("state.${device} # How it is", "alarms.> # When it burns", news="Alarms.")
    second = presets.edit(principal=make.COMMAND, key=first.key, draft=newer, version=1)
    filled(made[2], second, {"device": "till-3"})


def pages() -> tuple[str, ...]:
    """The own preset, what its newer version would change, and a user that is filled from it."""
    key = presets.known()[-1].key
    user = User.objects.select_related("account__operator").get(name="till-1")
    keys = [user.account.operator.public_key, user.account.public_key, user.public_key]
    return (
        reverse("preset", args=[key]),
        reverse("preset-renew", args=[key]),
        reverse("user", args=keys),
        f"{reverse('user-preset', args=keys)}?preset={key}",
    )
