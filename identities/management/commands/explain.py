"""`manage.py explain`: may this user publish, subscribe, request; and why something was denied."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from identities.claims import explain, explain_steps, recipes
from identities.claims.errors import ClaimsError
from identities.claims.explain_types import INBOX, Answer, Place, Question, Verb, Verdict
from identities.claims.recipes import Task, Wish
from identities.formats import mentions
from identities.management import comparing, findings, presets, who_can
from identities.models import User
from identities.nkeys import looks_like_seed
from identities.policy.principal import Principal
from identities.queries import denied, situations
from identities.services import clock

_PRINCIPAL = Principal.command("explain")


class Command(BaseCommand):
    """Exit code 1 when the answer is no, or when a text says nothing that is known."""

    help = (
        "Say whether a user may publish, subscribe or request, by which rule; why something was denied; "
        "which subjects a task needs; by “compare A B”, what one user or role may and another may not; by "
        "“presets [KEY]”, what presets there are and what one gives; by “who-can publish SUBJECT --account A”, "
        "everybody who may, also from other accounts; by “findings --account A”, what its permissions get wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """A question about a user, or a text to explain."""
        parser.add_argument(
            "user", nargs="?", metavar="USER_KEY", help="public key, or a name that one user has"
        )
        parser.add_argument("verb", nargs="?", metavar="VERB", help=", ".join(verb.value for verb in Verb))
        parser.add_argument("subject", nargs="?", metavar="SUBJECT")
        parser.add_argument("--queue", default="", help="the queue group of a subscription")
        parser.add_argument("--inbox", default=INBOX, help="the inbox prefix of a client that sets one")
        parser.add_argument("--cluster", help="the server's cluster, for mappings that are for one only")
        parser.add_argument("--log", metavar="TEXT", help="a log line or error; - for standard input")
        parser.add_argument(
            "--task",
            choices=[task.value for task in Task],
            help="which subjects a task needs, each with its reason",
        )
        parser.add_argument("--about", default="", metavar="SUBJECT", help="of a task: the subject")
        parser.add_argument("--name", default="", help="of a task: the stream, bucket or store")
        parser.add_argument("--consumer", default="", help="of a task: the consumer")
        parser.add_argument(
            "--indirect", action="store_true", help="of a task: the bucket does not answer directly"
        )
        parser.add_argument(
            "--account", metavar="ACCOUNT", help="of who-can and findings: the account, by key or name"
        )
        parser.add_argument(
            "--with", dest="given", action="append", metavar="NAME=VALUE", help="of a preset: a parameter"
        )
        parser.add_argument("--json", action="store_true", help="one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        """Answer, or explain."""
        if options["log"] is not None:
            self._explain(options)
            return
        if options["task"] is not None:
            self._needed(options)
            return
        if options["user"] == comparing.WORD:
            self._compare(options)
            return
        if options["user"] == who_can.WORD:
            self._who_can(options)
            return
        if options["user"] == findings.WORD:
            self._findings(options)
            return
        if options["user"] == presets.WORD:
            self._presets(options)
            return
        if not (options["user"] and options["verb"] in set(Verb) and options["subject"]):
            raise CommandError(
                "Give USER_KEY, publish, subscribe or request, and SUBJECT; or compare and two users or roles; or "
                "who-can; or findings; or --log TEXT; or --task."
            )
        user = _user(options["user"])
        question = Question(
            verb=Verb(options["verb"]),
            subject=options["subject"],
            queue=options["queue"],
            inbox=options["inbox"],
        )
        situation = situations.of(_PRINCIPAL, user, now=clock.unix(), cluster=options["cluster"])
        try:
            answer = explain.ask(situation, question)
        except ClaimsError as refused:
            raise CommandError(refused.user_message) from None
        if options["json"]:
            said = {"user": user.public_key, "name": user.name, **explain_steps.as_json(answer)}
            self.stdout.write(json.dumps(said, ensure_ascii=False, indent=2))
        else:
            self._say(_told(answer, user))
        if answer.verdict is Verdict.NO:
            sys.exit(1)

    def _compare(self, options: dict[str, Any]) -> None:
        found = comparing.of(_PRINCIPAL, options["verb"], options["subject"])
        if options["json"]:
            said = json.dumps(comparing.document(found), ensure_ascii=False, indent=2)
            self.stdout.write(said)
        else:
            self._say(comparing.told(found))

    def _who_can(self, options: dict[str, Any]) -> None:
        now = clock.unix()
        found = who_can.of(_PRINCIPAL, options["verb"], options["subject"], options["account"], now=now)
        if options["json"]:
            said = who_can.document(_PRINCIPAL, found, now=now)
            self.stdout.write(json.dumps(said, ensure_ascii=False, indent=2))
        else:
            self._say(who_can.told(_PRINCIPAL, found, now=now))

    def _findings(self, options: dict[str, Any]) -> None:
        found = findings.of(_PRINCIPAL, options["account"])
        if options["json"]:
            self.stdout.write(json.dumps(findings.document(found), ensure_ascii=False, indent=2))
        else:
            self._say(findings.told(found))

    def _presets(self, options: dict[str, Any]) -> None:
        lines, document = presets.said(options["verb"], options["given"] or [])
        if options["json"]:
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=2))
        else:
            self._say(iter(lines))

    def _needed(self, options: dict[str, Any]) -> None:
        wish = Wish(
            task=Task(options["task"]),
            subject=options["about"],
            name=options["name"],
            consumer=options["consumer"],
            queue=options["queue"],
            direct=not options["indirect"],
            inbox=options["inbox"],
        )
        try:
            lines = recipes.lines(wish)
        except ClaimsError as refused:
            raise CommandError(refused.user_message) from None
        if options["json"]:
            said = [{"side": line.side.value, "subject": line.subject, "why": line.why} for line in lines]
            self.stdout.write(json.dumps(said, ensure_ascii=False, indent=2))
            return
        width = max(len(line.subject) for line in lines)
        self._say(iter(f"{line.side:4}  {line.subject:{width}}  {line.why}" for line in lines))

    def _explain(self, options: dict[str, Any]) -> None:
        text = sys.stdin.read() if options["log"] == "-" else options["log"]
        if looks_like_seed(mentions.without_jwts(text)):
            raise CommandError("There is a seed (a private key) in this text, which is secret: take it out.")
        chosen = _user(options["user"]) if options["user"] else None
        found = denied.explained(_PRINCIPAL, text, chosen, now=clock.unix())
        if options["json"]:
            self.stdout.write(json.dumps([_document(one) for one in found], ensure_ascii=False, indent=2))
        elif not found:
            self.stdout.write(
                "Nothing in this text is known as a denial of nats-server or of a client of it."
            )
        else:
            for one in found:
                self._say(_explanation(one))
        if not found:
            sys.exit(1)

    def _say(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.stdout.write(line)


def _user(text: str) -> User:
    matching = situations.users(_PRINCIPAL, text)
    if not matching:
        raise CommandError("No user of this key or name is known here.")
    if len(matching) > 1:
        listed = "\n".join(f"  {user.public_key}  {user.name} of {user.account.name}" for user in matching)
        raise CommandError(f"Several users are called so; give the key of one:\n{listed}")
    return matching[0]


def _told(answer: Answer, user: User) -> Iterator[str]:
    yield explain_steps.headline(answer, user.name)
    yield f"  {answer.reason}"
    yield from _rule(answer.place)
    for step in explain_steps.steps(answer):
        yield f"  - {step.text}"
    for hint in answer.hints:
        yield f"  * {hint}"


def _rule(place: Place | None) -> Iterator[str]:
    if place is not None and place.path:
        entry = f" {place.entry}" if place.entry else ""
        yield f"  decided by {place.whose} {place.key}: {place.path}{entry}"


def _explanation(one: denied.Explained) -> Iterator[str]:
    yield f"{one.meaning.title}: {one.denial.said}"
    yield f"  {one.meaning.text}"
    if one.meaning.advice:
        yield f"  {one.meaning.advice}"
    if one.answer is not None and one.user is not None:
        yield from (f"  {line}" for line in _told(one.answer, one.user))
    for text, place in one.obstacles:
        yield f"  - {text}"
        yield from (f"  {line}" for line in _rule(place))
    for note in one.notes:
        yield f"  * {note}"


def _document(one: denied.Explained) -> dict[str, Any]:
    return {
        "kind": one.denial.kind.value,
        "said": one.denial.said,
        "subject": one.denial.subject or None,
        "queue": one.denial.queue or None,
        "user": one.user.public_key if one.user is not None else one.denial.user or None,
        "known": one.user is not None,
        "meaning": one.meaning.text,
        "answer": explain_steps.as_json(one.answer) if one.answer is not None else None,
        "obstacles": [text for text, _ in one.obstacles],
        "notes": list(one.notes),
    }
