"""Reads what is to be imported: each JWT verified and reduced to what its rows need, each seed sealed as it comes.

Nothing here asks or changes the database; what is read may be some 40,000 users, so nothing is kept twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from identities.claims import codec, names, trust
from identities.claims.common import Claims
from identities.claims.permissions import UserPermissionLimits
from identities.claims.report import Grade, Issue
from identities.claims.user import UserBody
from identities.errors import IdentityError
from identities.formats.nsc_layout import Named, Place
from identities.formats.nsc_store import Found, FoundJWT, FoundSeed, FoundStore, Reader
from identities.nkeys import KeyKind, PublicKey
from identities.services import adopting, columns, signing
from identities.services.columns import Rule
from identities.services.import_notes import Notes, Tone

KINDS = (KeyKind.OPERATOR, KeyKind.ACCOUNT, KeyKind.USER)
_TONES = {Grade.ERROR: Tone.ERROR, Grade.TIMECHECK: Tone.ERROR, Grade.WARNING: Tone.WARNING}


@dataclass(frozen=True, slots=True)
class Rights:
    """What columns and permission rows keep of a user's limits; equal ones are one object. `empty`: as a role asks."""

    rules: tuple[Rule, ...]
    pub_mode: str
    sub_mode: str
    bearer: bool
    empty: bool


NO_RIGHTS = Rights((), "", "", bearer=False, empty=True)
NO_CLAIMS: Claims[Any] = Claims(nats=None)


@dataclass(slots=True, kw_only=True)
class Incoming:
    """A verified JWT. `claims` is kept of operators and accounts, `rights` and `issuer_account` of users."""

    kind: KeyKind
    key: str
    name: str
    issuer: str
    iat: int
    exp: int
    nbf: int
    jti: str
    text: str = field(repr=False)
    path: str
    place: Place
    elsewhere: tuple[Place, ...] = ()
    issues: tuple[Issue, ...] = ()
    claims: Claims[Any] = NO_CLAIMS
    rights: Rights = NO_RIGHTS
    issuer_account: str = ""

    @property
    def belongs(self) -> str:
        """The account that a user says it is one of."""
        return self.issuer_account or self.issuer

    @property
    def payload(self) -> str:
        """The exact text of the claims."""
        return codec.payload_of(self.text)


@dataclass(slots=True)
class Collected:
    """Everything that was read, the newest JWT of each key; `seeds` are envelopes, or None while only planning."""

    operators: dict[str, Incoming] = field(default_factory=dict)
    accounts: dict[str, Incoming] = field(default_factory=dict)
    users: dict[str, Incoming] = field(default_factory=dict)
    seeds: dict[str, bytes | None] = field(default_factory=dict)
    stores: list[FoundStore] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)
    files: int = 0

    def of(self, kind: KeyKind) -> dict[str, Incoming]:
        """Those of one kind, by key."""
        return {KeyKind.OPERATOR: self.operators, KeyKind.ACCOUNT: self.accounts, KeyKind.USER: self.users}[
            kind
        ]


class Collector:
    """Takes files and texts, one after the other. `seal`: whether seeds are kept, sealed, or only counted."""

    def __init__(self, *, seal: bool) -> None:
        self.collected = Collected()
        self.seal = seal
        self.reader = Reader(self.tell)
        self._rights: dict[Rights, Rights] = {}
        self._verified: dict[int, str] = {}
        self._folders: dict[str, int] = {}

    def tell(self, path: str, message: str) -> None:
        """Note what is odd about a file."""
        self.collected.notes.add(Tone.WARNING, message, path)

    def file(self, path: str, data: bytes) -> None:
        """Take one file of a store or keystore."""
        self.collected.files += 1
        self._take(self.reader.file(path, data))

    def text(self, label: str, data: bytes) -> None:
        """Take a text of any kind."""
        self.collected.files += 1
        self._take(self.reader.text(label, data))

    def absorb(self, other: Collector) -> None:
        """Take over what another collector has read."""
        mine, theirs = self.collected, other.collected
        for kind in KINDS:
            for one in theirs.of(kind).values():
                one.rights = self._rights.setdefault(one.rights, one.rights)
                self._add(one)
        mine.seeds.update(theirs.seeds)
        mine.stores += theirs.stores
        mine.notes.absorb(theirs.notes)
        mine.files += theirs.files
        self.reader.absorb(other.reader)
        self._verified.update(other._verified)
        for folder, users in other._folders.items():
            self._folders[folder] = self._folders.get(folder, 0) + users

    def __getstate__(self) -> dict[str, object]:
        """What goes to another process; sealed seeds do, open ones are not held."""
        return {name: value for name, value in self.__dict__.items() if name != "reader"} | {
            "known": self.reader.known
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        known = state.pop("known")
        self.__dict__.update(state)
        self.reader = Reader(self.tell)
        self.reader.known.update(known)

    def finished(self) -> Collected:
        """All of it, once there is no more."""
        there = {place.account for one in self.collected.accounts.values() for place in _places(one)}
        for folder, users in sorted(self._folders.items()):
            if folder not in there:
                self.collected.notes.add(
                    Tone.WARNING, "holds users, but not the JWT of their account", f"{folder} ({users})"
                )
        return self.collected

    def _take(self, found: Iterable[Found]) -> None:
        for one in found:
            if isinstance(one, FoundJWT):
                self._jwt(one)
            elif isinstance(one, FoundSeed):
                self._seed(one)
            else:
                self.collected.stores.append(one)

    def _seed(self, found: FoundSeed) -> None:
        with found.seed as seed:
            sealed = signing.seal_seed(seed, found.public_key) if self.seal else None
        self.collected.seeds[found.public_key] = sealed

    def _jwt(self, found: FoundJWT) -> None:
        if found.place.named is Named.USER and found.place.account and found.path.lower().endswith(".jwt"):
            self._folders[found.place.account] = self._folders.get(found.place.account, 0) + 1
        mark = hash(found.text)  # only to find it again: the texts are compared
        known = self._verified.get(mark)
        if known is None or not self._is_known(known, found):
            token = self._read(found)
            if token is None:
                return
            known = token.claims.sub
            self._verified[mark] = known
            self._keep(token, found)
        if found.beside and found.beside != known:
            self.tell(found.path, f"puts the JWT of {known} beside the key {found.beside}")

    def _is_known(self, key: str, found: FoundJWT) -> bool:
        """Whether this very text was verified before; where it lies this time is noted."""
        for kind in KINDS:
            one = self.collected.of(kind).get(key)
            if one is not None and one.text == found.text:
                if kind is not KeyKind.USER and found.place.operator not in ("", one.place.operator):
                    one.elsewhere = (*one.elsewhere, found.place)
                self._named(found, one.name, key)
                return True
        return False

    def _read(self, found: FoundJWT) -> codec.Token | None:
        """The token, or None when it is left out, which is noted."""
        try:
            token = codec.decode(found.text)
            if token.type not in KINDS:
                self._left(found, f"a JWT of type “{token.type}” is neither operator, account nor user")
                return None
            PublicKey.parse(token.claims.sub, KeyKind(token.type))
        except IdentityError as refused:
            self._left(found, refused.user_message)
            return None
        if len(token.claims.name) > names.MAX_NAME:
            self._left(found, f"its name is longer than the {names.MAX_NAME} characters that can be kept")
            return None
        return token

    def _left(self, found: FoundJWT, why: str) -> None:
        self.collected.notes.add(Tone.LEFT, why, found.path)

    def _keep(self, token: codec.Token, found: FoundJWT) -> None:
        fresh = self._incoming(KeyKind(token.type), token, found)
        self._named(found, fresh.name, fresh.key)
        self._add(fresh)

    def _add(self, fresh: Incoming) -> None:
        """Take a JWT, or of two of one key the newer one."""
        kind, held = fresh.kind, self.collected.of(fresh.kind)
        before = held.get(fresh.key)
        if before is None or before.iat < fresh.iat:
            held[fresh.key] = fresh
        if before is not None and before.text == fresh.text:
            before.elsewhere = (*before.elsewhere, fresh.place, *fresh.elsewhere)
        elif before is not None:
            older = before if before.iat < fresh.iat else fresh
            same = "has two JWTs of one second: the first one is taken" if before.iat == fresh.iat else ""
            message = same or "an older JWT is passed over for the newer one that came along"
            self.collected.notes.add(Tone.WARNING, message, f"{kind} “{fresh.name}” ({older.path})")

    def _incoming(self, kind: KeyKind, token: codec.Token, found: FoundJWT) -> Incoming:
        claims = token.claims
        user = kind is KeyKind.USER
        return Incoming(
            kind=kind,
            key=claims.sub,
            name=columns.name_of(claims),
            issuer=claims.iss,
            iat=claims.iat,
            exp=claims.exp,
            nbf=claims.nbf,
            jti=claims.jti,
            text=token.text,
            path=found.path,
            place=found.place,
            issues=tuple(adopting.findings(claims)),
            claims=NO_CLAIMS if user else claims,
            rights=self._rights_of(claims) if user else NO_RIGHTS,
            issuer_account=claims.nats.issuer_account if user else "",
        )

    def _rights_of(self, claims: Claims[UserBody]) -> Rights:
        limits: UserPermissionLimits = claims.nats.limits
        rules = tuple(dict.fromkeys(columns.rules_of(limits)))
        pub, sub = columns.user_modes(limits, scoped=False)
        empty = trust.has_empty_permissions(claims)
        rights = Rights(rules, pub, sub, limits.bearer_token, empty)
        return self._rights.setdefault(rights, rights)

    def _named(self, found: FoundJWT, name: str, key: str) -> None:
        """Say so when a file is named after somebody else."""
        place = found.place
        if place.named is Named.NOTHING or place.name in (name.strip(), key):
            return
        meant = name if place.named is not Named.KEY else key
        self.tell(found.path, f"is named “{place.name}”, but what is in it is “{meant}”, which counts")


def told(notes: Notes, one: Incoming, what: str) -> None:
    """Add what validation says about a JWT that comes in; `what` is what people call it."""
    for issue in one.issues:
        notes.add(_TONES[issue.grade], issue.message, what)


def _places(one: Incoming) -> tuple[Place, ...]:
    return (one.place, *one.elsewhere)
