"""What `bench/pages.py` fills a database with: one account with all users, in raw bulk rows, and accounts without."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from typing import Any

GROUPS = 50
HOUR = 3600


def seed(users: int) -> int:
    """Fill the database of this process: one account with all users, and more accounts without, at least 60."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "nscweb.settings"
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import transaction

    from identities.claims.account import AccountBody
    from identities.claims.drafts import AccountDraft, OperatorDraft
    from identities.claims.permissions import Permission as Allowed
    from identities.claims.permissions import Permissions
    from identities.models import Account
    from identities.policy.principal import Principal, Role
    from identities.services import accounts, operators, people, secrets

    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    secrets.initialise()
    principal = Principal.command("bench")
    operator = operators.create(principal=principal, draft=OperatorDraft(name="Bench"))
    for number in range(max(60, users // 100)):
        accounts.create(principal=principal, operator=operator, draft=AccountDraft(name=f"team-{number:05}"))
    news = Allowed(allow=("public.>",))
    body = AccountBody(default_permissions=Permissions(pub=news, sub=news))
    with transaction.atomic():
        big = accounts.create_unaudited(
            principal=principal, operator=operator, draft=AccountDraft(name="big"), body=body
        )
    people.add_person(username="bench", password="correct horse battery staple", role=Role.ADMINISTRATOR)
    insert(operator, big, users)
    Account.objects.filter(pk=big.pk).update(user_count=users)
    return 0


def insert(operator: Any, account: Any, users: int) -> None:
    """Users, keys, tokens and permissions by raw rows; the JWTs are as long as real ones, but nobody signed them."""
    from django.db import transaction

    from identities.models import IssuedToken, Key, Permission, SubjectPattern, User
    from identities.services import bulk, clock

    now = clock.unix()
    moment = bulk.moment(clock.now())
    chance = random.Random(7)
    made = [Made.number(number, now, chance) for number in range(users)]
    # Keys and rows come in no order that the names have.
    chance.shuffle(made)
    texts = list(dict.fromkeys(text for one in made for *_, text in one.rules))
    with transaction.atomic():
        tokens = bulk.Table(IssuedToken, *TOKEN).insert(
            [
                (operator.pk, "user", one.key, one.name, account.public_key, one.jti, now, one.expires)
                + (one.jwt, None, "signed", None, "command:bench", "bench", "Created user", moment)
                for one in made
            ]
        )
        rows = bulk.Table(User, *USER).insert(
            [
                (
                    one.key,
                    one.name,
                    one.claims(account, now),
                    token,
                    account.public_key,
                    now,
                    one.expires,
                    0,
                    1,
                )
                + (moment, moment, "bench", None, operator.pk, account.pk, True, False, one.mode, one.mode)
                + (None, 0)
                for one, token in zip(made, tokens, strict=True)
            ]
        )
        bulk.Table(Key, *KEY).insert(
            [
                (operator.pk, account.pk, row, one.key, "user", "identity", "", b"sealed", moment, None)
                for one, row in zip(made, rows, strict=True)
            ]
        )
        patterns = dict(
            zip(
                texts,
                bulk.Table(SubjectPattern, "text", "first_token").insert(
                    [(text, text.partition(".")[0]) for text in texts]
                ),
                strict=True,
            )
        )
        bulk.Table(Permission, *PERMISSION).insert(
            [
                (operator.pk, account.pk, row, None, direction, "allow", patterns[text], "")
                for one, row in zip(made, rows, strict=True)
                for direction, text in one.rules
            ]
        )


TOKEN = (
    *("operator_id", "kind", "subject", "name", "issuer", "jti", "iat", "exp"),
    *("text", "sealed", "origin", "replaces_id", "by", "by_name", "reason", "created_at"),
)
USER = (
    *("public_key", "name", "claims", "token_id", "issuer", "last_iat", "expires", "not_before", "version"),
    *(
        "created_at",
        "updated_at",
        "updated_by",
        "deleted_at",
        "operator_id",
        "account_id",
        "has_seed",
        "bearer",
    ),
    *("pub_mode", "sub_mode", "suspended_at", "revoked_before"),
)
KEY = (
    *("operator_id", "account_id", "user_id", "public_key", "kind", "purpose", "role", "sealed"),
    *("created_at", "deleted_at"),
)
PERMISSION = (
    *("operator_id", "account_id", "user_id", "key_id", "direction", "effect", "pattern_id", "queue"),
)


@dataclass(frozen=True, slots=True)
class Made:
    """One user to insert. Every second has no rules of its own, every second expires some day."""

    name: str
    key: str
    jti: str
    expires: int
    mode: str
    rules: tuple[tuple[str, str], ...]

    @classmethod
    def number(cls, number: int, now: int, chance: random.Random) -> Made:
        from identities.nkeys import KeyKind
        from identities.nkeys.encoding import encode_public

        name = f"user-{number:06}"
        ruled = number % 2 != 0
        return cls(
            name=name,
            key=encode_public(KeyKind.USER, chance.randbytes(32)),
            jti="".join(chance.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=52)),
            expires=now + (number % 4000) * HOUR - 40 * HOUR if number % 4 < 2 else 0,
            mode="rules" if ruled else "default",
            rules=(
                ("pub", f"orders.{number % GROUPS}.{name}"),
                ("pub", "_INBOX.>"),
                ("sub", f"orders.{number % GROUPS}.>"),
                ("sub", f"_INBOX.{name}.>"),
            )
            if ruled
            else (),
        )

    @property
    def jwt(self) -> str:
        return f"eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.{self.jti * 10}.{self.jti * 2}"

    def claims(self, account: Any, now: int) -> str:
        def lists(direction: str) -> str:
            allowed = ",".join(f'"{text}"' for where, text in self.rules if where == direction)
            return f'{{"allow":[{allowed}]}}' if allowed else "{}"

        times = f'"exp":{self.expires},' if self.expires else ""
        return (
            f'{{{times}"jti":"{self.jti}","iat":{now},"iss":"{account.public_key}","name":"{self.name}",'
            f'"sub":"{self.key}","nats":{{"pub":{lists("pub")},"sub":{lists("sub")},"subs":-1,"data":-1,'
            f'"payload":-1,"type":"user","version":2}}}}'
        )
