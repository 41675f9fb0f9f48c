"""Rows, constraints and QuerySets."""

from identities.models.access import ApiToken, Grant, ServiceAccount, Team, TeamMember
from identities.models.accounts import Account
from identities.models.activation_requests import ActivationRequest, RequestState
from identities.models.api_calls import ApiCall
from identities.models.audit import AuditEvent, AuditHead, AuditTarget
from identities.models.base import LIVE_FIRST, LIVE_LAST
from identities.models.clusters import Cluster, ClusterState, ResolverKind, Server
from identities.models.delivery import Delivery, DeliveryState, Holding, HoldingState, Wish
from identities.models.events import EventKind, ServerEvent
from identities.models.handovers import Handover, HandoverLink, IssuingTerms
from identities.models.installation import Installation
from identities.models.invitations import Invitation, InvitationGrant
from identities.models.jobs import Job, JobState, WorkerBeat
from identities.models.keys import Key, Purpose
from identities.models.live import Snapshot
from identities.models.operators import Operator
from identities.models.people import FirstAdminLink, Person, SignInFailure
from identities.models.permissions import Mode, Permission, SubjectPattern
from identities.models.presets import Filling, OwnPreset, OwnPresetVersion
from identities.models.proposals import Proposal, ProposalComment, ProposalState
from identities.models.pushes import Offer, PushDoor
from identities.models.sign_on import SignOnGroup, SignOnIdentity, SignOnProvider
from identities.models.tokens import IssuedToken
from identities.models.unsigned import Unsigned
from identities.models.users import User
from identities.models.webhooks import MessageState, Warned, Webhook, WebhookMessage
from identities.models.workload import WorkloadRule, WorkloadToken

__all__ = [
    "LIVE_FIRST",
    "LIVE_LAST",
    "Account",
    "ActivationRequest",
    "ApiCall",
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
    "Handover",
    "HandoverLink",
    "Holding",
    "HoldingState",
    "Installation",
    "Invitation",
    "InvitationGrant",
    "IssuedToken",
    "IssuingTerms",
    "Job",
    "JobState",
    "Key",
    "MessageState",
    "Mode",
    "Offer",
    "Operator",
    "OwnPreset",
    "OwnPresetVersion",
    "Permission",
    "Person",
    "Proposal",
    "ProposalComment",
    "ProposalState",
    "Purpose",
    "PushDoor",
    "RequestState",
    "ResolverKind",
    "Server",
    "ServerEvent",
    "ServiceAccount",
    "SignInFailure",
    "SignOnGroup",
    "SignOnIdentity",
    "SignOnProvider",
    "Snapshot",
    "SubjectPattern",
    "Team",
    "TeamMember",
    "Unsigned",
    "User",
    "Warned",
    "Webhook",
    "WebhookMessage",
    "Wish",
    "WorkerBeat",
    "WorkloadRule",
    "WorkloadToken",
]
