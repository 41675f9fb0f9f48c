"""Generated accounts and users for asking the permission tester and nats-server the same questions.

A world is an account with users, roles, defaults, mappings and imports, and the account that it imports from. All
come from one seed; what nats-server would not load at all (blocking errors of the claims) is left out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from identities.claims import codec, validate
from identities.claims.account import AccountBody
from identities.claims.activation import ActivationBody
from identities.claims.common import Claims
from identities.claims.explain_types import Situation
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.limits import OperatorLimits
from identities.claims.mappings import WeightedMapping
from identities.claims.permissions import Permission, Permissions, ResponsePermission, UserPermissionLimits
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.claims.user import UserBody
from identities.nkeys import KeyKind, KeyPair

NOW = 1_800_000_000
CLUSTER = "east"
WORDS = ("a", "b", "c")
FAMILIES = ("", "", "", "$JS.API.STREAM.", "$JS.API.CONSUMER.MSG.NEXT.", "$KV.", "$O.", "$JS.ACK.", "_INBOX.")
QUEUES = ("q", "q.x", "work")
TAGS = ("team:a", "team:b", "env:c", "odd:a.b", "wide:>")
TEMPLATES = (
    "{{name()}}", "{{tag(team)}}", "{{tag(env)}}", "{{tag(odd)}}", "{{tag(none)}}", "{{account-name()}}",
    "{{account-tag(team)}}", "{{subject()}}", "{{tag(wide)}}", "{{account-subject()}}", "{{TAG(team)}}",
)  # fmt: skip
FUNCTIONS = (
    "{{wildcard(1)}}", "$1", "{{partition(3,1)}}", "{{splitfromleft(1,1)}}", "{{SliceFromRight(1,1)}}",
    "{{left(1,1)}}", "{{split(1,-)}}", "{{random(3)}}", "{{partition(2)}}",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Identity:
    """Claims with their JWT and key."""

    claims: Claims[object]
    jwt: str
    pair: KeyPair


@dataclass(slots=True)
class World:
    """Two accounts with an open user each, who hears everything, and the users that are tried."""

    account: Claims[AccountBody]
    exporter: Claims[AccountBody]
    account_jwt: str
    exporter_jwt: str
    spies: tuple[Identity, Identity]
    users: list[Identity]

    def situation(self, user: Identity, system_account: str) -> Situation:
        """What the tester is told about a user."""
        return Situation(
            user=user.claims,  # type: ignore[arg-type]
            account=self.account,
            others={self.exporter.sub: self.exporter},
            system_account=system_account,
            cluster=CLUSTER,
            now=NOW,
        )


class Maker:
    """Makes worlds out of one `random.Random`."""

    def __init__(self, chance: random.Random, operator: KeyPair) -> None:
        self.chance = chance
        self.operator = operator

    def world(self, users: int) -> World:
        """Two accounts and so many users."""
        pair, theirs = KeyPair.create(KeyKind.ACCOUNT), KeyPair.create(KeyKind.ACCOUNT)
        exporter = self._signed(self._exporter(theirs.public.text), self.operator)
        keys = {kind: KeyPair.create(KeyKind.ACCOUNT) for kind in ("plain", "role", "other role")}
        account = self._signed(self._account(pair, theirs, exporter.claims, keys), self.operator)
        made = [self._user(account.claims, pair, keys, f"u{number}") for number in range(users)]
        spies = (self._spy(account.claims, pair), self._spy(exporter.claims, theirs))
        return World(account.claims, exporter.claims, account.text, exporter.text, spies, made)

    # --- subjects

    def literal(self) -> str:
        """A subject that can be published to."""
        return self.chance.choice(FAMILIES) + ".".join(
            self.chance.choices(WORDS, k=self.chance.randint(1, 3))
        )

    def pattern(self) -> str:
        """A subject with or without wildcards."""
        words = self.literal().split(".")
        for place in range(len(words)):
            if self.chance.random() < 0.3:
                words[place] = "*"
        if self.chance.random() < 0.3:
            words = [*words[: self.chance.randint(0, len(words))], ">"]
        return ".".join(words)

    def near(self, patterns: Sequence[str]) -> str:
        """A literal that one of the patterns probably matches."""
        if not patterns or self.chance.random() < 0.25:
            return self.literal()
        words = []
        for word in self.chance.choice(patterns).split(" ")[0].split("."):
            if word == ">":
                words += self.chance.choices(WORDS, k=self.chance.randint(1, 2))
            else:
                words.append(self.chance.choice(WORDS) if word == "*" else word)
        return ".".join(words)

    def _entries(
        self, most: int, *, queues: bool, odd: Callable[[str], str] = lambda text: text
    ) -> tuple[str, ...]:
        found = []
        for _ in range(self.chance.randint(0, most)):
            entry = odd(self.pattern())
            if queues and self.chance.random() < 0.25:
                entry = f"{entry} {self.chance.choice((*QUEUES, 'q.*', '>'))}"
            found.append(entry)
        return tuple(found)

    def _permission(self, *, queues: bool, odd: Callable[[str], str] = lambda text: text) -> Permission:
        if self.chance.random() < 0.2:
            return Permission()
        allow = self._entries(3, queues=queues, odd=odd)
        deny = self._entries(2, queues=queues, odd=odd) if self.chance.random() < 0.4 else ()
        if self.chance.random() < 0.3:  # a hole in what is allowed
            deny = (*deny, self.near([entry for entry in allow if "{{" not in entry] or [">"]))
        return Permission(allow=allow, deny=deny)

    def _resp(self) -> ResponsePermission | None:
        if self.chance.random() < 0.75:
            return None
        return ResponsePermission(
            max=self.chance.choice((0, 1, 2, 3, -1)), ttl=self.chance.choice((0, -1, 60 * 10**9))
        )

    # --- users and roles

    def _limits(self) -> UserPermissionLimits:
        if self.chance.random() < 0.15:
            return UserPermissionLimits.unlimited()
        return replace(
            UserPermissionLimits.unlimited(),
            pub=self._permission(queues=False),
            sub=self._permission(queues=True),
            resp=self._resp(),
        )

    def _template(self) -> UserPermissionLimits:
        def odd(entry: str) -> str:
            if self.chance.random() < 0.5:
                return entry
            words = entry.split(".")
            words[self.chance.randrange(len(words))] = self.chance.choice(TEMPLATES)
            return ".".join(words)

        return replace(
            UserPermissionLimits.unlimited(),
            pub=self._permission(queues=self.chance.random() < 0.05, odd=odd),
            sub=self._permission(queues=True, odd=odd),
            resp=self._resp(),
        )

    def _user(
        self, account: Claims[AccountBody], pair: KeyPair, keys: dict[str, KeyPair], name: str
    ) -> Identity:
        by = self.chance.choice(("identity", "plain", "role", "role", "other role"))
        signer = pair if by == "identity" else keys[by]
        mine = KeyPair.create(KeyKind.USER)
        while True:
            limits = UserPermissionLimits() if "role" in by else self._limits()
            tags = tuple(sorted(self.chance.sample(TAGS, self.chance.randint(0, 3))))
            body = UserBody(limits=limits, issuer_account=account.sub, tags=tags)
            called = self.chance.choice((name, name, "a", "b.c", "two words", ">"))
            claims = Claims(nats=body, name=called, sub=mine.public.text, aud="")
            token = codec.encode(claims, signer, NOW)
            if not validate.validate(token.claims, now=NOW).blocking:
                return Identity(token.claims, token.text, mine)

    @staticmethod
    def _spy(account: Claims[AccountBody], pair: KeyPair) -> Identity:
        mine = KeyPair.create(KeyKind.USER)
        everything = Permission(allow=(">",))
        limits = replace(UserPermissionLimits.unlimited(), pub=everything, sub=everything)
        claims = Claims(
            nats=UserBody(limits=limits, issuer_account=account.sub), name="spy", sub=mine.public.text
        )
        token = codec.encode(claims, pair, NOW)
        return Identity(token.claims, token.text, mine)

    # --- accounts

    def _exporter(self, key: str) -> Claims[AccountBody]:
        def made() -> AccountBody:
            exports = tuple(self._export(kind) for kind in ("stream", "stream", "service", "service"))
            return AccountBody(
                limits=OperatorLimits.unlimited(),
                exports=tuple(sorted(exports, key=lambda each: each.subject)),
                mappings=self._mappings() if self.chance.random() < 0.3 else {},
            )

        return self._valid(made, key, "Exporter")

    def _export(self, kind: str) -> Export:
        subject = self.pattern()
        private = self.chance.random() < 0.2
        words = subject.split(".")
        stars = [place + 1 for place, word in enumerate(words) if word == "*"]
        position = self.chance.choice(stars) if stars and not private and self.chance.random() < 0.15 else 0
        return Export(subject=subject, type=kind, token_req=private, account_token_position=position)

    def _account(
        self, pair: KeyPair, theirs: KeyPair, exporter: Claims[AccountBody], keys: dict[str, KeyPair]
    ) -> Claims[AccountBody]:
        def made() -> AccountBody:
            exports = [each for each in exporter.nats.exports if each is not None]
            imports = [self._import(each, pair, theirs) for each in exports if self.chance.random() < 0.7]
            defaults = Permissions()
            if self.chance.random() < 0.6:
                defaults = Permissions(
                    pub=self._permission(queues=False), sub=self._permission(queues=True), resp=self._resp()
                )
            signing = [SigningKey(key=keys["plain"].public.text)]
            signing += [
                SigningKey(kind=USER_SCOPE, key=keys[name].public.text, role=name, template=self._template())
                for name in ("role", "other role")
            ]
            return AccountBody(
                limits=OperatorLimits.unlimited(),
                imports=tuple(imports),
                default_permissions=defaults,
                signing_keys=tuple(signing),
                mappings=self._mappings() if self.chance.random() < 0.5 else {},
                tags=tuple(sorted(self.chance.sample(TAGS, self.chance.randint(0, 2)))),
            )

        return self._valid(made, pair.public.text, self.chance.choice(("Shop", "a", "two words")))

    def _import(self, export: Export, pair: KeyPair, theirs: KeyPair) -> Import:
        subject = export.subject
        if export.account_token_position and self.chance.random() < 0.8:
            words = subject.split(".")
            words[export.account_token_position - 1] = pair.public.text
            subject = ".".join(words)
        elif self.chance.random() < 0.1:
            subject = self.pattern()
        token = ""
        if export.token_req and self.chance.random() < 0.8:
            body = ActivationBody(subject=export.subject, kind=export.type)
            claims = Claims(nats=body, name="grant", sub=pair.public.text)
            token = codec.encode(claims, theirs, NOW).text
        local = self._local(subject) if self.chance.random() < 0.6 else ""
        return Import(
            name="i",
            subject=subject,
            account=theirs.public.text,
            token=token,
            type=export.type,
            local_subject=local,
        )

    def _local(self, subject: str) -> str:
        words = subject.split(".")
        stars = [f"${number + 1}" for number in range(words.count("*"))]
        if self.chance.random() < 0.3:
            stars = ["*"] * len(stars)
        self.chance.shuffle(stars)
        made = ["l", *stars]
        self.chance.shuffle(made)
        return ".".join([*made, ">"] if words[-1] == ">" else made)

    def _mappings(self) -> dict[str, tuple[WeightedMapping, ...]]:
        found = {}
        for _ in range(self.chance.randint(1, 2)):
            source = self.pattern()
            many = self.chance.choice((1, 1, 2, 3))
            weights = {1: (0,) if self.chance.random() < 0.7 else (40,), 2: (50, 50), 3: (20, 30, 30)}[many]
            cluster = self.chance.choice(("", "", "", CLUSTER, "west"))
            found[source] = tuple(
                WeightedMapping(subject=self._target(source), weight=weight, cluster=cluster)
                for weight in weights
            )
        return found

    def _target(self, source: str) -> str:
        words = source.split(".")
        if self.chance.random() < 0.1:
            return source
        made = self.chance.choices(WORDS, k=self.chance.randint(1, 2))
        made += [f"${number + 1}" for number in range(words.count("*"))]
        if self.chance.random() < 0.3:
            made.append(self.chance.choice(FUNCTIONS))
        self.chance.shuffle(made)
        return ".".join([*made, ">"] if words[-1] == ">" else made)

    # --- signing

    def _valid(self, made: Callable[[], AccountBody], key: str, name: str) -> Claims[AccountBody]:
        while True:
            claims = Claims(nats=made(), name=name, sub=key, iss=self.operator.public.text, iat=NOW)
            if not validate.validate(claims, now=NOW).blocking:
                return claims

    def _signed(self, claims: Claims[AccountBody], signer: KeyPair) -> codec.Token:
        return codec.encode(claims, signer, NOW)
