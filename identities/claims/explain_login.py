"""Why nats-server would not even let the user in, whatever its permissions say (nats-server `auth.go`)."""

from __future__ import annotations

from collections.abc import Iterator

from identities.claims import explain_rules, templates, trust
from identities.claims.explain_types import Place, Situation, Whose


def obstacles(situation: Situation) -> Iterator[tuple[str, Place]]:
    """Each thing that keeps the user out, in words, with the field; the role's template is not filled in here."""
    user, account = situation.user, situation.account
    yield from _signer(situation)
    now = situation.now
    if now and account.exp and account.exp <= now:
        yield f"The account “{account.name}” has expired: nobody logs in.", _account(situation, "exp")
    if now and user.exp and user.exp <= now:
        yield "The user's JWT has expired.", _user(situation, "exp")
    if now and user.nbf > now:
        yield "The user's JWT is not valid yet.", _user(situation, "nbf")
    revocations = account.nats.revocations
    for key, whom in ((user.sub, "this user"), ("*", "all users")):
        if key in revocations and revocations[key] >= user.iat:
            reason = f"The account has revoked JWTs of {whom} issued as early as this one."
            yield reason, _account(situation, f"nats.revocations.{key}")
    if user.nats.limits.bearer_token and account.nats.limits.disallow_bearer:
        yield "The account takes no bearer users.", _account(situation, "nats.limits.disallow_bearer")


def _signer(situation: Situation) -> Iterator[tuple[str, Place]]:
    user, account = situation.user, situation.account
    if not trust.did_sign(account, user):
        yield (
            "No key of the account stands behind the user's JWT (any more).",
            _account(situation, "nats.signing_keys"),
        )
        return
    if situation.strict and user.iss == account.sub:
        reason = "The operator requires signing keys, and the account's identity key signed the user's JWT."
        yield reason, _account(situation, "nats.signing_keys")
    scope = explain_rules.role(situation)
    if scope is None:
        return
    if trust.scoped_signer_issues(scope, user):
        reason = f"The role “{scope.role}” takes no user that has permissions or limits of its own."
        yield reason, _user(situation, "nats")


def unfit(situation: Situation, refused: templates.LoginRefused) -> tuple[str, Place]:
    """The obstacle that a role is whose template can't be filled in for the user."""
    scope = explain_rules.role(situation)
    name, path = (scope.role, explain_rules.role_path(situation, scope)) if scope is not None else ("", "")
    place = Place(whose=Whose.ROLE, key=situation.account.sub, path=f"{path}.template")
    return f"nats-server can't fill in the role “{name}”: {refused.user_message}", place


def _user(situation: Situation, path: str) -> Place:
    return Place(whose=Whose.USER, key=situation.user.sub, path=path)


def _account(situation: Situation, path: str) -> Place:
    return Place(whose=Whose.ACCOUNT, key=situation.account.sub, path=path)
