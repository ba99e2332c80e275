"""Kubernetes: a connection, list-then-watch, writes that may be repeated, errors in our words. The only member that imports its client."""

from osmo_kube.access import Right, missing_rights
from osmo_kube.api import Json, KubeApi
from osmo_kube.connection import connect
from osmo_kube.errors import AlreadyThere, Expired, NotAllowed, NotFound, Unauthorized
from osmo_kube.kinds import Kinds
from osmo_kube.listwatch import Batch, ListWatch, Seen, Sighting, Timing
from osmo_kube.paths import CONFIG_MAPS, EVENTS, NAMESPACES, NODES, PODS, SECRETS, SERVICES, Resource
from osmo_kube.rate import Rate

__all__ = [
    "CONFIG_MAPS",
    "EVENTS",
    "NAMESPACES",
    "NODES",
    "PODS",
    "SECRETS",
    "SERVICES",
    "AlreadyThere",
    "Batch",
    "Expired",
    "Json",
    "Kinds",
    "KubeApi",
    "ListWatch",
    "NotAllowed",
    "NotFound",
    "Rate",
    "Resource",
    "Right",
    "Seen",
    "Sighting",
    "Timing",
    "Unauthorized",
    "connect",
    "missing_rights",
]
