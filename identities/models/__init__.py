"""Rows, constraints and QuerySets."""

from identities.models.access import ApiToken, Grant, ServiceAccount, Team, TeamMember
from identities.models.accounts import Account
from identities.models.audit import AuditEvent, AuditHead, AuditTarget
from identities.models.base import LIVE_FIRST, LIVE_LAST
from identities.models.clusters import Cluster, ClusterState, ResolverKind, Server
from identities.models.delivery import Delivery, DeliveryState, Holding, HoldingState, Wish
from identities.models.events import EventKind, ServerEvent
from identities.models.installation import Installation
from identities.models.jobs import Job, JobState, WorkerBeat
from identities.models.keys import Key, Purpose
from identities.models.live import Snapshot
from identities.models.operators import Operator
from identities.models.people import FirstAdminLink, Person, SignInFailure
from identities.models.permissions import Mode, Permission, SubjectPattern
from identities.models.presets import Filling, OwnPreset, OwnPresetVersion
from identities.models.pushes import Offer, PushDoor
from identities.models.tokens import IssuedToken
from identities.models.unsigned import Unsigned
from identities.models.users import User

__all__ = [
    "LIVE_FIRST",
    "LIVE_LAST",
    "Account",
    "ApiToken",
    "AuditEvent",
    "AuditHead",
    "AuditTarget",
    "Cluster",
    "ClusterState",
    "Delivery",
    "DeliveryState",
    "EventKind",
    "Filling",
    "FirstAdminLink",
    "Grant",
    "Holding",
    "HoldingState",
    "Installation",
    "IssuedToken",
    "Job",
    "JobState",
    "Key",
    "Mode",
    "Offer",
    "Operator",
    "OwnPreset",
    "OwnPresetVersion",
    "Permission",
    "Person",
    "Purpose",
    "PushDoor",
    "ResolverKind",
    "Server",
    "ServerEvent",
    "ServiceAccount",
    "SignInFailure",
    "Snapshot",
    "SubjectPattern",
    "Team",
    "TeamMember",
    "Unsigned",
    "User",
    "Wish",
    "WorkerBeat",
]
