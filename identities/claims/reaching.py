"""From where messages reach a subject of an account, and where those published on it go: across accounts.

Through mappings, service imports (from one account to the next) and stream imports (one step: nats-server's shadow
subscriptions go no further). Patterns stand for all literal subjects that they match.

Source: nats-server `accounts.go` (addServiceImport, addMappedStreamImportWithClaim), `client.go` (processServiceImport,
addShadowSubscriptions), `parser.go` (mappings come first).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from identities.claims import explain_mapping, import_cycles
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.effective import intersection
from identities.claims.explain_imports import (
    SERVICE,
    STREAM,
    export_problem,
    service_way,
    stream_local,
    stream_refusal,
)
from identities.claims.explain_types import Place, Whose
from identities.claims.imports import Import
from identities.claims.subjects import has_wildcards, is_strict_valid, is_subset, overlaps
from identities.claims.transforms import Transform, TransformRefused, tokenized, untokenized

Account = Claims[AccountBody]
MOST_WAYS = 500
_DEEPEST = 8
_MANY = frozenset({"split", "splitfromleft", "splitfromright", "slicefromleft", "slicefromright"})
"""Functions that make several tokens of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One thing on the way: a sentence, and the field that it stands in. `crosses`: a service import."""

    text: str
    place: Place
    crosses: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Whoever in `account` may use `subject` is there; `hops` lead from there, or to there, in order of the message.

    `written` is what clients publish on where a mapping of their account makes `subject` of it.
    """

    account: str
    name: str
    subject: str
    hops: tuple[Hop, ...] = ()
    written: tuple[str, ...] = ()

    @property
    def crosses(self) -> bool:
        """True when a service import is on the way: nats-server gives the request another reply subject."""
        return any(hop.crosses for hop in self.hops)


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """Accounts of one operator by key, at the time `now` (unix seconds; 0: times are not looked at)."""

    accounts: Mapping[str, Account] = field(default_factory=dict)
    now: int = 0

    def publishers(self, account: Account, subject: str) -> tuple[Way, ...]:
        """Where one must be allowed to publish for messages to arrive on `subject` in `account`; its own come first."""
        found = list(self._sources(account, subject, (), ()))
        for hop, exporter, one, local in self._imports(account, STREAM):
            for met in _back(one.subject, local, subject):
                found += self._sources(exporter, met, (hop,), ())
        return _unique(found)

    def hearers(self, account: Account, subject: str) -> tuple[Way, ...]:
        """Where one must be allowed to subscribe to hear what is published on `subject` in `account`."""
        return _unique(list(self._targets(account, subject, (), ())))

    def _sources(
        self, account: Account, wanted: str, hops: tuple[Hop, ...], been: tuple[tuple[str, str], ...]
    ) -> Iterator[Way]:
        """Who makes `wanted` appear in the account, as it is called once mappings are done."""
        if (account.sub, wanted) in been or len(been) > _DEEPEST:
            return
        been = (*been, (account.sub, wanted))
        entries = before(account, wanted)
        if not entries:
            return
        written = tuple(text for text, hop in entries if hop is not None)
        yield Way(account=account.sub, name=account.name, subject=wanted, hops=hops, written=written)
        for importer in self.accounts.values():
            for hop, exporter, one, local in self._imports(importer, SERVICE):
                if exporter.sub != account.sub:
                    continue
                for entry, mapping in entries:
                    between = (mapping, *hops) if mapping is not None else hops
                    for met in _forth(_remote(one), local, entry):
                        yield from self._sources(importer, met, (hop, *between), been)

    def _targets(
        self, account: Account, published: str, hops: tuple[Hop, ...], been: tuple[tuple[str, str], ...]
    ) -> Iterator[Way]:
        """Where a message that comes into the account as `published` is heard."""
        if (account.sub, published) in been or len(been) > _DEEPEST:
            return
        been = (*been, (account.sub, published))
        for final, mapping in after(account, published):
            passed = (*hops, mapping) if mapping is not None else hops
            yield Way(account=account.sub, name=account.name, subject=final, hops=passed)
            for importer in self.accounts.values():
                for hop, exporter, one, local in self._imports(importer, STREAM):
                    if exporter.sub == account.sub:
                        for met in _forth(one.subject, local, final):
                            yield Way(
                                account=importer.sub, name=importer.name, subject=met, hops=(*passed, hop)
                            )
            for hop, exporter, one, local in self._imports(account, SERVICE):
                for met in _served(one, local, final):
                    yield from self._targets(exporter, met, (*passed, hop), been)

    def _imports(self, importer: Account, kind: str) -> Iterator[tuple[Hop, Account, Import, str]]:
        """Imports that nats-server lets messages through, with their exporter and local subject."""
        kept: set[tuple[str, str]] = set()  # of one stream it keeps the first import
        for index, one in enumerate(importer.nats.imports):
            if one is None or one.type != kind or (exporter := self.accounts.get(one.account)) is None:
                continue
            remote = _remote(one)
            local = stream_local(one) if kind == STREAM else one.local_subject or one.subject
            if not is_strict_valid(remote) or not is_strict_valid(local):
                continue
            if import_cycles.taken_for_ring(one) or export_problem(
                exporter, importer, one, kind, remote, now=self.now
            ):
                continue
            if kind == STREAM:
                if (one.account, one.subject) in kept or stream_refusal(remote, local):
                    continue
                kept.add((one.account, one.subject))
            place = Place(
                whose=Whose.ACCOUNT, key=importer.sub, path=f"nats.imports[{index}]", entry=one.subject
            )
            named = f" as `{local}`" if local != remote else ""
            text = f"“{importer.name}” imports the {kind} `{remote}` of “{exporter.name}”{named}"
            yield Hop(text=text, place=place, crosses=kind == SERVICE), exporter, one, local


def before(account: Account, wanted: str) -> tuple[tuple[str, Hop | None], ...]:
    """What becomes `wanted` by the account's mappings: itself, unless they take it all elsewhere, and their sources."""
    found: list[tuple[str, Hop | None]] = []
    taken = False
    for source, targets in account.nats.mappings.items():
        for way in explain_mapping.ways(source, targets):
            taken = taken or is_subset(wanted, source)
            reached = image(way, source)
            if overlaps(reached, wanted):
                hop = None if _stays(way) else _mapping(account, source, way)
                found.append((_preimage(way, intersection(reached, wanted)), hop))
    return tuple(dict.fromkeys(found if taken else [(wanted, None), *found]))


def after(account: Account, published: str) -> tuple[tuple[str, Hop | None], ...]:
    """What the account's mappings make of `published`; itself, where none of them takes all of it."""
    if not has_wildcards(published):
        outcomes = explain_mapping.mapped(account, published, cluster=None)
        if not outcomes:
            return ((published, None),)
        return tuple(
            (one.subject, _hop(account, one.place, published, one.subject))
            if one.subject != published
            else (published, None)
            for each in outcomes
            for one in each
            if one.subject
        )
    found: list[tuple[str, Hop | None]] = []
    taken = False
    for source, targets in account.nats.mappings.items():
        for way in explain_mapping.ways(source, targets):
            taken = taken or is_subset(published, source)
            if overlaps(source, published):
                hop = None if _stays(way) else _mapping(account, source, way)
                found.append((image(way, intersection(source, published)), hop))
    return tuple(dict.fromkeys(found if taken else [(published, None), *found]))


def image(way: Transform, subject: str) -> str:
    """The pattern of what `way` makes of `subject`, which may have wildcards; what a function makes is any token."""
    tokens = subject.split(".")
    words: list[str] = []
    for part in way.parts:
        if part.text == ">":
            words += tokens[way.source.count(".") :]
        elif not part.name:
            words.append(part.text)
        elif part.name == "wildcard":
            words.append(tokens[part.places[0]])
        elif part.name in _MANY:
            return ".".join([*words, ">"])
        else:
            words.append("*")
    return ".".join(words)


def _preimage(way: Transform, met: str) -> str:
    """The part of the source of `way` that may become `met`, a part of its image."""
    words, tokens = way.source.split("."), met.split(".")
    for at, part in enumerate(way.parts):
        if part.text == ">":
            return ".".join([*words[:-1], *tokens[at:]])
        if part.name in _MANY:
            break
        if part.name == "wildcard" and words[part.places[0]] == "*":
            words[part.places[0]] = tokens[at]
    return ".".join(words)


def _stays(way: Transform) -> bool:
    return image(way, way.source) == way.source and way.destination == tokenized(way.source)


def _mapping(account: Account, source: str, way: Transform) -> Hop:
    place = Place(whose=Whose.ACCOUNT, key=account.sub, path=f"nats.mappings.{source}", entry=source)
    return _hop(account, place, source, way.destination)


def _hop(account: Account, place: Place, source: str, target: str) -> Hop:
    return Hop(text=f"a mapping of “{account.name}” makes `{target}` of `{source}`", place=place)


def _remote(one: Import) -> str:
    if one.type == SERVICE and one.to and not one.local_subject:
        return one.to
    return one.subject


def _forth(remote: str, local: str, subject: str) -> Iterator[str]:
    """The importer's name for what `remote` and `subject`, both the exporter's, share."""
    if not overlaps(remote, subject):
        return
    if not has_wildcards(remote):
        yield local
    elif local == remote:
        yield intersection(remote, subject)
    else:
        try:
            way = Transform.of(untokenized(remote)[0], tokenized(local), strict=True)
        except TransformRefused:  # nats-server drops the import
            return
        yield image(way, intersection(way.source, subject))


def _back(remote: str, local: str, subject: str) -> Iterator[str]:
    """The exporter's name for what a stream import and `subject`, the importer's, share."""
    if not has_wildcards(remote) or local == remote:
        if overlaps(local, subject):
            yield remote if not has_wildcards(remote) else intersection(local, subject)
        return
    way = Transform.of(remote, tokenized(local), strict=True)
    reached = image(way, remote)
    if overlaps(reached, subject):
        yield _preimage(way, intersection(reached, subject))


def _served(one: Import, local: str, subject: str) -> Iterator[str]:
    """The exporter's subjects to which a service import takes `subject`, as nats-server finds them."""
    remote = _remote(one)
    try:
        pattern, way = service_way(local, remote)
    except TransformRefused:  # nats-server drops the import
        return
    if overlaps(pattern, subject):
        met = intersection(pattern, subject)
        yield image(way, met) if way is not None else met if has_wildcards(remote) else remote


def _unique(ways: list[Way]) -> tuple[Way, ...]:
    """The first way of each account and subject."""
    found: dict[tuple[str, str], Way] = {}
    for way in ways:
        found.setdefault((way.account, way.subject), way)
    return tuple(found.values())[:MOST_WAYS]
