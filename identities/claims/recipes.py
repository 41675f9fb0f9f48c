"""Which subjects a task needs: publish to or consume from a stream, use a bucket, request or answer; and no more.

Found by watching what clients send (nats-py 2.16, nats.go and the `nats` command 2.10 to 2.15) and tried against a real
JetStream server, with all of the subjects and with each one taken away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from identities.claims.errors import ClaimsError
from identities.claims.explain_types import INBOX
from identities.claims.permissions import Permission, ResponsePermission, UserPermissionLimits
from identities.claims.subjects import has_wildcards, is_strict_valid, is_subset

_API = "$JS.API"


class Task(StrEnum):
    """What somebody should be able to do."""

    REQUEST = "request"
    ANSWER = "answer"
    STREAM_PUBLISH = "stream-publish"
    STREAM_CONSUME = "stream-consume"
    STREAM_CONSUMERS = "stream-consumers"
    STREAM_MANAGE = "stream-manage"
    KV_READ = "kv-read"
    KV_WRITE = "kv-write"
    KV_MANAGE = "kv-manage"
    OBJECT_READ = "object-read"
    OBJECT_WRITE = "object-write"
    OBJECT_MANAGE = "object-manage"


class Side(StrEnum):
    """Where a line goes: the lists to allow, or the response permission."""

    PUBLISH = "pub"
    SUBSCRIBE = "sub"
    ANSWER = "resp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A task and what it is about: a `subject`, or the `name` of a stream or bucket, and a `consumer` of it.

    `direct`: the bucket answers reads directly, as nats.go and the `nats` command make it. `inbox` is the client's
    inbox prefix.
    """

    task: Task
    subject: str = ""
    name: str = ""
    consumer: str = ""
    queue: str = ""
    direct: bool = True
    inbox: str = INBOX


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One subject, and what it is for."""

    side: Side
    subject: str
    why: str


class BadWish(ClaimsError):
    """What was asked for has no such name or subject."""

    code = "bad-wish"


def lines(wish: Wish) -> tuple[Line, ...]:
    """The subjects that the task needs, each with its reason.

    Raises: BadWish.
    """
    _check(wish)
    found = list(_RECIPES[wish.task](wish))
    if wish.task is not Task.ANSWER:
        inbox = f"{wish.inbox}.>"
        found.append(
            Line(
                side=Side.SUBSCRIBE,
                subject=inbox,
                why="Answers and messages that were asked for arrive here.",
            )
        )
    return tuple(found)


def added(limits: UserPermissionLimits, wanted: tuple[Line, ...]) -> UserPermissionLimits:
    """The rules with what is missing of `wanted`; what a listed subject takes in already is left out."""
    resp = limits.resp
    if any(line.side is Side.ANSWER for line in wanted) and resp is None:
        resp = ResponsePermission(max=1)
    return replace(
        limits,
        pub=_with(limits.pub, [line.subject for line in wanted if line.side is Side.PUBLISH]),
        sub=_with(limits.sub, [line.subject for line in wanted if line.side is Side.SUBSCRIBE]),
        resp=resp,
    )


def _with(permission: Permission, subjects: list[str]) -> Permission:
    missing = [each for each in subjects if not any(_takes_in(held, each) for held in permission.allow)]
    return replace(permission, allow=(*permission.allow, *missing))


def _takes_in(held: str, subject: str) -> bool:
    wanted, _, queue = subject.partition(" ")
    pattern, _, group = held.partition(" ")
    return (not group or group == queue) and is_subset(wanted, pattern)


def _check(wish: Wish) -> None:
    if wish.task in (Task.REQUEST, Task.ANSWER, Task.STREAM_PUBLISH):
        if not is_strict_valid(wish.subject):
            raise BadWish("Which subject? Tokens between dots; * and > may stand for some.", field="subject")
    elif not _is_name(wish.name):
        raise BadWish("What is it called? One word without dots, blanks and wildcards.", field="name")
    if wish.task is Task.STREAM_CONSUME and not _is_name(wish.consumer):
        raise BadWish("Which consumer? One word without dots, blanks and wildcards.", field="consumer")
    if wish.queue and not is_strict_valid(wish.queue):
        raise BadWish(f"“{wish.queue}” is no name of a queue group.", field="queue")
    if not is_strict_valid(wish.inbox) or has_wildcards(wish.inbox):
        raise BadWish(f"“{wish.inbox}” is no beginning of an inbox.", field="inbox")


def _is_name(name: str) -> bool:
    return is_strict_valid(name) and not set(name) & set(".*>")


def _publish(subject: str, why: str) -> Line:
    return Line(side=Side.PUBLISH, subject=subject, why=why)


def _api(subject: str, why: str) -> Line:
    return _publish(f"{_API}.{subject}", why)


def _request(wish: Wish) -> Iterator[Line]:
    yield _publish(wish.subject, "Requests go here.")


def _answer(wish: Wish) -> Iterator[Line]:
    listened = f"{wish.subject} {wish.queue}" if wish.queue else wish.subject
    yield Line(side=Side.SUBSCRIBE, subject=listened, why="Requests arrive here.")
    yield Line(
        side=Side.ANSWER, subject="", why="One answer to each request received, wherever it asks for it."
    )


def _stream_publish(wish: Wish) -> Iterator[Line]:
    yield _publish(wish.subject, "Messages for the stream; it says at the inbox that it has stored them.")


def _stream_consume(wish: Wish) -> Iterator[Line]:
    where = f"{wish.name}.{wish.consumer}"
    yield _api(f"CONSUMER.INFO.{where}", "Clients look at the consumer before they use it.")
    yield _api(f"CONSUMER.MSG.NEXT.{where}", "Asks for the next messages.")
    yield _publish(f"$JS.ACK.{where}.>", "Says what became of each message: done, not done, still at it.")


def _stream_consumers(wish: Wish) -> Iterator[Line]:
    name = wish.name
    yield _api(f"CONSUMER.CREATE.{name}.>", "Makes a consumer, or changes one.")
    yield _api(f"CONSUMER.DURABLE.CREATE.{name}.*", "The older way to make one, which some clients still go.")
    yield _api(f"CONSUMER.INFO.{name}.*", "Looks at a consumer.")
    yield _api(f"CONSUMER.LIST.{name}", "Lists the consumers.")
    yield _api(f"CONSUMER.NAMES.{name}", "Lists their names.")
    yield _api(f"CONSUMER.DELETE.{name}.*", "Deletes one.")
    yield _api(f"CONSUMER.MSG.NEXT.{name}.*", "Asks a consumer for the next messages.")
    yield _publish(f"$JS.ACK.{name}.>", "Says what became of each message.")


def _stream_manage(wish: Wish) -> Iterator[Line]:
    yield from _own_stream(wish.name, "stream")
    yield _api(f"STREAM.UPDATE.{wish.name}", "Changes its settings.")
    yield _api(f"STREAM.PURGE.{wish.name}", "Empties it, or a subject of it.")
    yield _api(f"STREAM.MSG.GET.{wish.name}", "Reads a message by its number.")
    yield _api(f"STREAM.MSG.DELETE.{wish.name}", "Deletes a message by its number.")


def _own_stream(name: str, what: str) -> Iterator[Line]:
    yield _api(f"STREAM.CREATE.{name}", f"Makes the {what}.")
    yield _api(f"STREAM.INFO.{name}", f"Looks at the {what}.")
    yield _api(f"STREAM.DELETE.{name}", f"Deletes the {what} with all that is in it.")


def _kv_read(wish: Wish) -> Iterator[Line]:
    yield from _bucket_read(f"KV_{wish.name}", direct=wish.direct)
    yield _api(f"CONSUMER.INFO.KV_{wish.name}.*", "nats-py looks at what a watch has still to come.")


def _bucket_read(stream: str, *, direct: bool) -> Iterator[Line]:
    yield _api(f"STREAM.INFO.{stream}", "Opens the bucket.")
    if direct:
        yield _api(f"DIRECT.GET.{stream}.>", "Reads a value.")
    else:
        yield _api(f"STREAM.MSG.GET.{stream}", "Reads a value.")
    yield _api(f"CONSUMER.CREATE.{stream}", "Watches, and lists keys: how nats-py does it.")
    yield _api(
        f"CONSUMER.CREATE.{stream}.>", "Watches, and lists keys: how nats.go and the nats command do it."
    )
    yield _api(f"CONSUMER.DELETE.{stream}.*", "Ends a watch.")


def _kv_write(wish: Wish) -> Iterator[Line]:
    yield _api(f"STREAM.INFO.KV_{wish.name}", "Opens the bucket.")
    yield _publish(f"$KV.{wish.name}.>", "Puts and deletes keys; name some instead of > to allow only these.")


def _kv_manage(wish: Wish) -> Iterator[Line]:
    yield from _own_stream(f"KV_{wish.name}", "bucket")


def _object_read(wish: Wish) -> Iterator[Line]:
    stream = f"OBJ_{wish.name}"
    yield _api(f"STREAM.INFO.{stream}", "Opens the store.")
    yield from _object_meta(stream, direct=wish.direct)
    yield _api(
        "STREAM.NAMES", "nats-py looks for the stream of a subject; it shows the names of all streams."
    )
    yield _api(
        f"CONSUMER.CREATE.{stream}", "Reads the pieces of an object, and lists objects: how nats-py does it."
    )
    yield _api(f"CONSUMER.CREATE.{stream}.>", "The same, how nats.go and the nats command do it.")
    yield _api(f"CONSUMER.DELETE.{stream}.*", "Ends reading.")
    yield _publish(f"$JS.FC.{stream}.>", "Keeps pace: without it a large object stops midway.")


def _object_meta(stream: str, *, direct: bool) -> Iterator[Line]:
    if direct:
        yield _api(f"DIRECT.GET.{stream}.>", "Reads what an object is.")
    else:
        yield _api(f"STREAM.MSG.GET.{stream}", "Reads what an object is.")


def _object_write(wish: Wish) -> Iterator[Line]:
    stream = f"OBJ_{wish.name}"
    yield _api(f"STREAM.INFO.{stream}", "Opens the store.")
    yield from _object_meta(stream, direct=wish.direct)
    yield _publish(f"$O.{wish.name}.>", "Writes the pieces of an object and what it is.")
    yield _api(f"STREAM.PURGE.{stream}", "Removes the pieces of an object that is replaced or deleted.")


def _object_manage(wish: Wish) -> Iterator[Line]:
    yield from _own_stream(f"OBJ_{wish.name}", "store")


_RECIPES: dict[Task, Callable[[Wish], Iterator[Line]]] = {
    Task.REQUEST: _request,
    Task.ANSWER: _answer,
    Task.STREAM_PUBLISH: _stream_publish,
    Task.STREAM_CONSUME: _stream_consume,
    Task.STREAM_CONSUMERS: _stream_consumers,
    Task.STREAM_MANAGE: _stream_manage,
    Task.KV_READ: _kv_read,
    Task.KV_WRITE: _kv_write,
    Task.KV_MANAGE: _kv_manage,
    Task.OBJECT_READ: _object_read,
    Task.OBJECT_WRITE: _object_write,
    Task.OBJECT_MANAGE: _object_manage,
}
