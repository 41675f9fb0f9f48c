"""Where an account's imports lead: services to the exporter's subject, streams from there to the importer's.

Source: nats-server `accounts.go` (addServiceImport, addMappedStreamImportWithClaim, checkExportApproved),
`client.go` (processServiceImport, addShadowSubscriptions).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from identities.claims import codec, import_cycles, trust
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.explain_mapping import mapped
from identities.claims.explain_types import Landing, Outcome, Place, Situation, Whose
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.report import Report
from identities.claims.subjects import has_wildcards, is_strict_valid, is_subset, matches
from identities.claims.transforms import Transform, TransformRefused, tokenized, untokenized
from identities.claims.validate_findings import Findings
from identities.claims.validate_imports import validate_imports
from identities.errors import IdentityError

_DEEPEST = 8
SERVICE, STREAM = "service", "stream"
UNKNOWN = "the exporting account is not known here"
Account = Claims[AccountBody]


def services(situation: Situation, subject: str) -> tuple[Landing, ...]:
    """Every service import that a message on `subject` goes through, and those that it then meets in the exporter."""
    return tuple(_services(situation, situation.account, subject, ()))


def _services(
    situation: Situation, account: Account, subject: str, been: tuple[tuple[str, str], ...]
) -> Iterator[Landing]:
    for index, one in enumerate(account.nats.imports):
        if one is None or one.type != SERVICE:
            continue
        landing, remote = _service(situation, account, index, one, subject)
        if landing is None or (one.account, one.subject) in been:
            continue
        exporter = situation.others.get(one.account)
        outcomes: tuple[tuple[Outcome, ...], ...] = ()
        if exporter is not None and not landing.problem:
            outcomes = mapped(exporter, remote, cluster=situation.cluster, whose=Whose.OTHER)
        reached = [outcome.subject for each in outcomes for outcome in each] or [remote]
        for final in dict.fromkeys(filter(None, reached)):
            yield Landing(
                account=landing.account, name=landing.name, subject=final, local=subject, place=landing.place,
                problem=landing.problem, from_account=account.sub,
            )  # fmt: skip
            if exporter is not None and not landing.problem and len(been) < _DEEPEST:
                yield from _services(situation, exporter, final, (*been, (one.account, one.subject)))


def _service(
    situation: Situation, account: Account, index: int, one: Import, subject: str
) -> tuple[Landing | None, str]:
    """The import as it takes `subject`, and the exporter's subject; None when it does not take it."""
    local, remote = (
        (one.local_subject, one.subject) if one.local_subject else (one.subject, one.to or one.subject)
    )
    place = _place(account, index, one)
    name = _name(situation, one.account)
    try:
        pattern, way = service_way(local, remote)
    except TransformRefused as refused:
        if not matches(subject, untokenized(local)[0]):
            return None, ""
        problem = f"nats-server drops the import: {refused.user_message}"
        return Landing(
            account=one.account, name=name, subject=remote, local=subject, place=place, problem=problem
        ), remote
    if not matches(subject, pattern):
        return None, ""
    reached = way.apply(subject.split("."))[0] if way else subject if has_wildcards(remote) else remote
    problem = _problem(situation, account, one, SERVICE, remote, local)
    landing = Landing(
        account=one.account, name=name, subject=reached, local=subject, place=place, problem=problem
    )
    return landing, reached


@lru_cache(4096)
def service_way(local: str, remote: str) -> tuple[str, Transform | None]:
    """The pattern that the importer's side listens to, and the way to the exporter's subject (None: it stays)."""
    if not has_wildcards(remote) or remote == local:
        return local, None
    there = Transform.of(untokenized(remote)[0], tokenized(local), strict=True)
    return untokenized(local)[0], there.reverse()


def streams(situation: Situation, subject: str) -> tuple[Landing, ...]:
    """What reaches a subscription to `subject` through stream imports: `subject` of a landing is the exporter's.

    Of imports of one stream nats-server keeps the first that it accepts, whatever their local subjects are
    (isStreamImportDuplicate).
    """
    found = []
    earlier: dict[tuple[str, str], list[Import]] = {}
    for index, one in enumerate(situation.account.nats.imports):
        if one is None or one.type != STREAM:
            continue
        alike = earlier.setdefault((one.account, one.subject), [])
        before = tuple(alike)
        alike.append(one)
        local = stream_local(one)
        problem = stream_refusal(one.subject, local)
        pattern = listened = ""
        if not problem:
            pattern, listened = stream_way(one.subject, local, subject)
            if not listened:
                continue
        problem = problem or _stream_problem(situation, one) or _kept_instead(situation, before)
        found.append(
            Landing(
                account=one.account,
                name=_name(situation, one.account),
                subject=listened or one.subject,
                local=pattern or local,
                place=_place(situation.account, index, one),
                problem=problem,
                from_account=situation.account.sub,
            )
        )
    return tuple(found)


def _stream_problem(situation: Situation, one: Import) -> str:
    local = stream_local(one)
    return stream_refusal(one.subject, local) or _problem(
        situation, situation.account, one, STREAM, one.subject, local
    )


def _kept_instead(situation: Situation, before: Sequence[Import]) -> str:
    """What is wrong with an import where one of those `before`, of the same stream, is accepted; "" where none is."""
    kept = next((one for one in before if not _stream_problem(situation, one)), None)
    if kept is None:
        return ""
    return f"nats-server keeps only the first import of a stream, here that as `{stream_local(kept)}`"


def stream_local(one: Import) -> str:
    """The importer's subject of a stream import, as it is written."""
    return one.local_subject or (f"{one.to.removesuffix('.')}.{one.subject}" if one.to else one.subject)


@lru_cache(4096)
def stream_refusal(subject: str, local: str) -> str:
    """Why nats-server takes no such renaming of a stream, "" when it does."""
    if has_wildcards(subject) and local != subject:
        try:
            Transform.of(subject, tokenized(local), strict=True)
        except TransformRefused as refused:
            return f"nats-server drops the import: {refused.user_message}"
    return ""


def arrives_as(landing_import: Import, subject: str) -> str:
    """The subject under which a message of the exporter's literal `subject` comes in through a stream import."""
    one = landing_import
    local = stream_local(one)
    if not has_wildcards(one.subject):
        return local
    if local == one.subject:
        return subject
    return Transform.of(one.subject, tokenized(local), strict=True).apply(subject.split("."))[0]


@lru_cache(4096)
def stream_way(remote: str, local: str, subject: str) -> tuple[str, str]:
    """The importer's pattern, and what is listened to at the exporter's for a subscription; "" when they never meet.

    Raises: TransformRefused.
    """
    way = None
    pattern = local
    if has_wildcards(remote) and local != remote:
        way = Transform.of(remote, tokenized(local), strict=True)
        pattern = untokenized(local)[0]
    met = _met(subject, pattern)
    if met is None or met == pattern:
        return pattern, remote if met else ""
    if way is None:
        return pattern, met
    return pattern, way.reverse().apply(met.split("."))[0]


def _met(subject: str, pattern: str) -> str | None:
    """What a subscription and an import have in common, as nats-server finds it: `pattern` for all of the import."""
    if subject == pattern:
        return pattern
    if is_subset(subject, pattern):
        return subject
    if not has_wildcards(subject):
        return None
    if is_subset(pattern, subject):
        return pattern
    ours, theirs = subject.split("."), pattern.split(".")
    common = [
        their if our == "*" and their != ">" else our for our, their in zip(ours, theirs, strict=False)
    ] + ours[len(theirs) :]
    if common[-1] == ">" and len(theirs) >= len(ours):
        common[-1:] = theirs[len(ours) - 1 :]
    found = ".".join(common)
    return found if is_subset(found, pattern) else None


def _problem(situation: Situation, account: Account, one: Import, kind: str, remote: str, local: str) -> str:
    """Why nats-server lets nothing through, "" when it does."""
    if not is_strict_valid(remote) or not is_strict_valid(local):
        return "nats-server takes no such subject"
    if situation.system_account and import_cycles.taken_for_ring(one):
        return import_cycles.TAKEN_FOR_RING
    exporter = situation.others.get(one.account)
    if exporter is None:
        return "" if one.account == situation.system_account else UNKNOWN
    return export_problem(exporter, account, one, kind, remote, now=situation.now)


def export_problem(
    exporter: Account, importer: Account, one: Import, kind: str, subject: str, *, now: int
) -> str:
    """Why the exporter does not let the importer have `subject`, "" when it does."""
    exports = [each for each in exporter.nats.exports if each is not None and each.type == kind]
    exact = next((each for each in exports if each.subject == subject), None)
    export = exact or next((each for each in exports if is_subset(subject, each.subject)), None)
    if export is None:
        return f"“{exporter.name}” exports no {kind} `{subject}`"
    if export.account_token_position > 0:
        words = subject.split(".")
        place = export.account_token_position
        if exact is None and place <= len(words) and words[place - 1] == importer.sub:
            return ""
        return (
            f"token {place} of the subject must be this account's own key: “{exporter.name}” exports "
            f"`{export.subject}` so that each account gets its own part"
        )
    if export.token_req:
        return _activation_problem(exporter, importer, one, export, now=now)
    return ""


def _activation_problem(
    exporter: Account, importer: Account, one: Import, export: Export, *, now: int
) -> str:
    if not one.token:
        return (
            f"“{exporter.name}” exports `{export.subject}` privately, and the import has no activation token"
        )
    found = Findings()
    validate_imports(found, [one], importer.sub)
    if Report.of(found.issues).blocking:
        return "its activation token is not for this import"
    try:
        token = codec.decode(one.token).claims
    except IdentityError:
        return "its activation token can't be read"
    issuer = token.nats.issuer_account
    if issuer and not trust.did_sign(exporter, token):
        return f"its activation token is not signed by a key of “{exporter.name}” (any more)"
    if now and ((token.exp and token.exp <= now) or token.nbf > now):
        return "its activation token is not valid at this time"
    revoked_at = max((export.revocations.get(key, -1) for key in (token.sub, "*")), default=-1)
    if revoked_at >= token.iat:
        return f"“{exporter.name}” has revoked its activation token"
    return ""


def _place(account: Account, index: int, one: Import) -> Place:
    entry = one.local_subject or one.subject
    return Place(whose=Whose.ACCOUNT, key=account.sub, path=f"nats.imports[{index}]", entry=entry)


def _name(situation: Situation, key: str) -> str:
    known = situation.others.get(key)
    return known.name if known is not None else ""
