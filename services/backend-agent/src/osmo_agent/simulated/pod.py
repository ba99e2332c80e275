"""One simulated pod: what it will do is decided when it is made, so its state is a function of time."""

from datetime import UTC, datetime

from msgspec import Struct

from osmo_domain.cluster import ContainerState, PodFact, PodPhase

AttemptKey = tuple[str, str, int]
"""(workflow uuid, task, attempt)."""

SIGKILLED = 137

ENDED = frozenset({PodPhase.SUCCEEDED, PodPhase.FAILED})


class Pod(Struct):
    """`due` is when the next change happens (seconds since the epoch), None when none will. `turn` counts changes of plan."""

    workflow_id: str
    workflow_uuid: str
    group: str
    task: str
    retry_id: int
    pod_name: str
    node: str
    phase: PodPhase
    since: float
    due: float | None = None
    run_s: float = 0
    exit_code: int = 0
    evicted: bool = False
    out_of_memory: bool = False
    image_missing: bool = False
    mistake: str = ""
    reason: str = ""
    message: str = ""
    turn: int = 0
    restarts: int = 0

    @property
    def key(self) -> AttemptKey:
        return (self.workflow_uuid, self.task, self.retry_id)

    @property
    def ended(self) -> bool:
        return self.phase in ENDED

    def move_on(self, at: float) -> None:
        """The change that is due at `at` happens."""
        self.since, self.due = at, None
        if self.phase is PodPhase.PENDING:
            self.phase = PodPhase.INITIALIZING
        elif self.phase is PodPhase.INITIALIZING and not self.mistake:
            self.phase, self.due = PodPhase.RUNNING, at + self.run_s
        else:
            self._end()

    def _end(self) -> None:
        clean = self.exit_code == 0 and not self.evicted and not self.out_of_memory
        self.phase = PodPhase.SUCCEEDED if clean else PodPhase.FAILED
        self.message = self.mistake
        if self.evicted:
            self.reason, self.message = "Evicted", "evicted as SIM_EVICT asks for"

    def fact(self) -> PodFact:
        return PodFact(
            workflow_id=self.workflow_id,
            workflow_uuid=self.workflow_uuid,
            group=self.group,
            task=self.task,
            retry_id=self.retry_id,
            pod_name=self.pod_name,
            phase=self.phase,
            at=datetime.fromtimestamp(self.since, UTC),
            node="" if self.phase is PodPhase.PENDING else self.node,
            reason=self.reason,
            message=self.message,
            containers=self._containers(),
        )

    def _containers(self) -> tuple[ContainerState, ...]:
        if self.ended and self.out_of_memory and not self.reason:
            return (ContainerState(self.task, "user", SIGKILLED, "OOMKilled"),)
        if self.ended and not self.reason:
            reason = "Completed" if self.exit_code == 0 else "Error"
            return (ContainerState(self.task, "user", self.exit_code, reason, self.mistake),)
        if self.image_missing and self.phase is PodPhase.INITIALIZING:
            message = "the simulated registry has no such image"
            return (ContainerState(self.task, "user", None, "ErrImagePull", message, waiting=True),)
        return ()
