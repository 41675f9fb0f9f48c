"""The presets that come with nscweb; each was tried on a real server, with all its subjects and with each taken away.

An edition is never edited: a better one is added behind it, with the next number and its `news`.
"""

from __future__ import annotations

from collections.abc import Mapping

from identities.claims.presets import INBOX_PARAMETER, Edition, Kind, Line, Parameter, Preset
from identities.claims.recipes import Side, Task, Wish

_INBOX = "${inbox}"
_BUCKET = Parameter(name="bucket", label="Bucket", kind=Kind.NAME, help="Its name, without KV_ before it.")
_STREAM = Parameter(name="stream", label="Stream", kind=Kind.NAME, help="As it was created, such as ORDERS.")


def _subject(help_text: str) -> Parameter:
    return Parameter(name="subject", label="Subject", help=help_text)


def _publish(subject: str, why: str) -> Line:
    return Line(side=Side.PUBLISH, subject=subject, why=why)


def _subscribe(subject: str, why: str) -> Line:
    return Line(side=Side.SUBSCRIBE, subject=subject, why=why)


_DEVICE = (
    "Publishes to topics and subscribes to others, with the quality of service 0 and 1. It logs in with its JWT as "
    "password, so the JWT alone is a secret. The account needs JetStream, where MQTT keeps sessions."
)


def _device(*more: Line, number: int) -> Edition:
    return Edition(
        number=number,
        parameters=(
            Parameter(
                name="outgoing",
                label="Publishes to",
                help="As a subject: the topic sensors/7/state is sensors.7.state",
            ),
            Parameter(
                name="incoming",
                label="Subscribes to",
                help="As a subject: sensors/7/# is sensors.7.>, sensors/+/set is sensors.*.set",
            ),
        ),
        lines=(
            _publish("${outgoing}", "What the device publishes."),
            _subscribe("${incoming}", "What the device subscribes to."),
            Line(
                side=Side.SUBSCRIBE,
                subject="${incoming}",
                why="A topic filter with # takes in the level above it too.",
                above=True,
            ),
            *more,
        ),
        connection_types=("MQTT", "MQTT_WS"),
        bearer=True,
    )


_ALL = (
    Preset(
        key="observer",
        title="Read-only observer",
        about="Sees every message of some subjects and publishes nothing: for monitoring and debugging.",
        editions=(
            Edition(
                number=1,
                parameters=(
                    Parameter(
                        name="subject",
                        label="What it sees",
                        help="Such as orders.> Empty: everything, answers to others' requests among it.",
                        default=">",
                        required=False,
                    ),
                ),
                lines=(_subscribe("${subject}", "What it sees."),),
            ),
        ),
    ),
    Preset(
        key="service",
        title="Service that answers requests",
        about="Listens on a subject and answers each request once; it can't publish anything else.",
        editions=(
            Edition(
                number=1,
                parameters=(
                    _subject("That requests are sent to, such as orders.get or orders.get.*"),
                    Parameter(
                        name="queue",
                        label="Queue group",
                        kind=Kind.NAME,
                        help="Of a service whose instances share the requests. Empty: none.",
                        required=False,
                    ),
                ),
                wishes=(Wish(task=Task.ANSWER, subject="${subject}", queue="${queue}"),),
            ),
        ),
    ),
    Preset(
        key="requester",
        title="Requester",
        about="Makes requests on a subject and gets the answers.",
        editions=(
            Edition(
                number=1,
                parameters=(_subject("That requests are sent to, such as orders.get"), INBOX_PARAMETER),
                wishes=(Wish(task=Task.REQUEST, subject="${subject}", inbox=_INBOX),),
            ),
        ),
    ),
    Preset(
        key="stream-publisher",
        title="Stream publisher",
        about="Publishes to a JetStream stream and is told that a message is stored.",
        editions=(
            Edition(
                number=1,
                parameters=(_subject("Of the stream, such as orders.new or orders.>"), INBOX_PARAMETER),
                wishes=(Wish(task=Task.STREAM_PUBLISH, subject="${subject}", inbox=_INBOX),),
            ),
        ),
    ),
    Preset(
        key="durable-consumer",
        title="Durable consumer",
        about="Fetches and acknowledges messages of a stream by a consumer that somebody else has made.",
        editions=(
            Edition(
                number=1,
                parameters=(
                    _STREAM,
                    Parameter(name="consumer", label="Consumer", kind=Kind.NAME, help="Its durable name."),
                    INBOX_PARAMETER,
                ),
                wishes=(
                    Wish(task=Task.STREAM_CONSUME, name="${stream}", consumer="${consumer}", inbox=_INBOX),
                ),
            ),
        ),
    ),
    Preset(
        key="kv-reader",
        title="KV reader",
        about="Reads and watches a key-value bucket that answers directly, as nats.go and the nats command make it.",
        editions=(
            Edition(
                number=1,
                parameters=(_BUCKET, INBOX_PARAMETER),
                wishes=(Wish(task=Task.KV_READ, name="${bucket}", inbox=_INBOX),),
            ),
        ),
    ),
    Preset(
        key="kv-reader-indirect",
        title="KV reader, bucket without direct reads",
        about="Reads and watches a key-value bucket that does not answer directly, as nats-py makes it.",
        editions=(
            Edition(
                number=1,
                parameters=(_BUCKET, INBOX_PARAMETER),
                wishes=(Wish(task=Task.KV_READ, name="${bucket}", direct=False, inbox=_INBOX),),
            ),
        ),
    ),
    Preset(
        key="kv-writer",
        title="KV writer",
        about="Puts and deletes keys of a key-value bucket, without reading them.",
        editions=(
            Edition(
                number=1,
                parameters=(_BUCKET, INBOX_PARAMETER),
                wishes=(Wish(task=Task.KV_WRITE, name="${bucket}", inbox=_INBOX),),
            ),
        ),
    ),
    Preset(
        key="leaf-node",
        title="Leaf node",
        about="Another NATS server that connects as a leaf: what crosses between its clients and the servers here.",
        editions=(
            Edition(
                number=1,
                parameters=(
                    Parameter(
                        name="outgoing",
                        label="From the leaf",
                        help="Subjects that its clients publish and that are heard here, such as site.berlin.>",
                    ),
                    Parameter(
                        name="incoming",
                        label="To the leaf",
                        help="Subjects that are published here and that its clients hear, such as orders.>",
                    ),
                ),
                lines=(
                    _publish("${outgoing}", "What clients of the leaf publish, for those here."),
                    _subscribe("${incoming}", "What is published here, for clients of the leaf."),
                ),
                connection_types=("LEAFNODE", "LEAFNODE_WS"),
            ),
        ),
    ),
    Preset(key="mqtt-device", title="MQTT device", about=_DEVICE, editions=(_device(number=1),)),
    Preset(
        key="mqtt-device-older",
        title="MQTT device, servers before 2.12",
        about=f"{_DEVICE} For older servers: these deliver with the quality of service 1 where a device could "
        "listen to what others of the account get.",
        editions=(
            _device(
                _subscribe("$MQTT.sub.>", "Where it is delivered to with the quality of service 1."), number=1
            ),
        ),
    ),
)
BUILT_IN: Mapping[str, Preset] = {preset.key: preset for preset in _ALL}
