"""The use-cases of the gateway, put together. The HTTP edge calls them; so does the simulation, without HTTP."""

import random
from dataclasses import dataclass
from importlib.metadata import version

from osmo_eventlog.ports import Blobs, Clients, Connection
from osmo_eventlog.window import Window
from osmo_gateway.agent_manifest import Addresses
from osmo_gateway.app_reads import AppReads
from osmo_gateway.apps import AppRegistry
from osmo_gateway.arrivals import Watchers
from osmo_gateway.backends.backends import Backends
from osmo_gateway.backends.registrations import Registrations
from osmo_gateway.backends.tokens import BackendTokens
from osmo_gateway.configs.keeper import ConfigKeeper
from osmo_gateway.configs.reading import ConfigReads
from osmo_gateway.configs.writing import ConfigWrites
from osmo_gateway.credentials import Credentials
from osmo_gateway.estate import Estate
from osmo_gateway.event_lines import EventStream
from osmo_gateway.front_door import FrontDoor
from osmo_gateway.links import Links
from osmo_gateway.log_stream import LogStream
from osmo_gateway.own_writes import OwnWrites
from osmo_gateway.pending_reads import PendingReads
from osmo_gateway.pod_event_projection import PodEventProjection
from osmo_gateway.pools import Pools, Usage
from osmo_gateway.profiles import Profiles
from osmo_gateway.projection import Projection
from osmo_gateway.resources import Resources
from osmo_gateway.shared import Rounds
from osmo_gateway.submissions import Submissions
from osmo_gateway.task_reads import TaskReads
from osmo_gateway.workflow_reads import WorkflowReads
from osmo_service.clock import Clock
from osmo_views.ports import WorkflowViews


@dataclass(frozen=True, slots=True)
class Gateway:
    views: WorkflowViews
    blobs: Blobs
    links: Links
    projection: Projection
    pod_events: PodEventProjection
    own_writes: OwnWrites
    estate: Estate
    profiles: Profiles
    credentials: Credentials
    front_door: FrontDoor
    submissions: Submissions
    workflows: WorkflowReads
    tasks: TaskReads
    pools: Pools
    resources: Resources
    logs: LogStream
    events: EventStream
    configs: ConfigKeeper
    config_reads: ConfigReads
    config_writes: ConfigWrites
    backends: Backends
    backend_tokens: BackendTokens
    agent_window: Window
    apps: AppRegistry
    app_reads: AppReads

    @classmethod
    def compose(
        cls,
        connection: Connection,
        views: WorkflowViews,
        clock: Clock,
        rng: random.Random,
        *,
        base_url: str,
        clients: Clients | None,
        agent_addresses: Addresses,
    ) -> "Gateway":
        log, links = connection.log, Links(base_url)
        watchers = Watchers()
        projection = Projection(log, connection.blobs, views, watchers)
        own_writes = OwnWrites(projection, log)
        estate = Estate(log)
        pod_events = PodEventProjection(
            log, views.pod_events, watchers, keep=lambda: estate.catalogue.workflow.max_event_log_lines
        )
        usage = Usage(views, clock)
        edition = Rounds(views.edition)
        keeper = ConfigKeeper(log, estate, clock, rng)
        writes = ConfigWrites(keeper, estate, views)
        backend_tokens = BackendTokens(log, clock, rng)
        ours = version("osmo-gateway")
        apps = AppRegistry(log, connection.blobs, clock, rng)
        app_reads = AppReads(apps, views)
        front_door = FrontDoor(connection.requests, connection.blobs, estate, own_writes, links)
        return cls(
            views=views,
            blobs=connection.blobs,
            links=links,
            projection=projection,
            pod_events=pod_events,
            own_writes=own_writes,
            estate=estate,
            profiles=Profiles(log, estate, clock, rng),
            credentials=Credentials(connection.requests),
            front_door=front_door,
            submissions=Submissions(front_door, app_reads, estate, views, own_writes),
            workflows=WorkflowReads(
                views, own_writes, clock, links, PendingReads(connection.requests), app_reads, estate, edition
            ),
            tasks=TaskReads(views, clock, links, edition),
            pools=Pools(estate, usage, clock),
            resources=Resources(estate, usage, clock),
            logs=LogStream(log, views, watchers, clock),
            events=EventStream(log, views.pod_events, pod_events, watchers),
            configs=keeper,
            config_reads=ConfigReads(keeper.book, estate, clock),
            config_writes=writes,
            backends=Backends(
                log,
                estate,
                keeper,
                writes,
                backend_tokens,
                views,
                clients,
                clock,
                rng,
                addresses=agent_addresses,
                version=ours,
            ),
            backend_tokens=backend_tokens,
            agent_window=Window(log, connection.snapshots, connection.blobs, Registrations(log, ours).check),
            apps=apps,
            app_reads=app_reads,
        )
