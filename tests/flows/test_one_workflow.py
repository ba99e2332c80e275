"""docs/walkthrough.md, step by step: which subject carries it, which event it is, who wrote it."""

import asyncio
import json
import re
import sysconfig
from pathlib import Path

import aiohttp
import msgspec
import pytest
from tests.flows.house import HeardCommit, House, open_house

from osmo_domain.cluster import ClusterFact, PodPhase, PodsSeen
from osmo_domain.command import Command, CreateGroup, DeleteGroup
from osmo_domain.commit import CommitCodec
from osmo_domain.logs import LineSource, LogBatch
from osmo_domain.report import TaskPhase, TaskReported
from osmo_domain.requests import SubmitRequest
from osmo_domain.workflow.events import (
    GroupFinished,
    GroupPlaced,
    GroupQueued,
    TaskDownloaded,
    TaskDownloading,
    TaskFinished,
    TaskInitializing,
    TaskRunning,
    TaskUploading,
    WorkflowFinished,
    WorkflowSubmitted,
)
from osmo_domain.workflow.evolve import fold
from osmo_domain.workflow.status import TaskStatus, WorkflowStatus

ROOT = Path(__file__).parents[2]
OSMO = str(Path(sysconfig.get_path("scripts")) / "osmo")
WORKFLOW = "osmo.workflow.0.pipeline-1"
OVER_WITHIN_S = 60


async def test_one_workflow(
    nats_url: str, database_url: str, tmp_path: Path, subtests: pytest.Subtests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSMO_CONFIG_FILE_DIR", str(tmp_path / "config"))
    async with open_house(nats_url, database_url, tmp_path) as house:
        await osmo("login", house.url, "--method", "dev", "--username", "ada")
        said = await osmo("workflow", "submit", "examples/pipeline.yaml")
        await until_over(house)
        story = Story(house, said)
        for title in titles():
            with subtests.test(title):
                await getattr(story, re.sub(r"\W+", "_", title.lower()))()


def titles() -> list[str]:
    text = (ROOT / "docs/walkthrough.md").read_text(encoding="utf-8")
    return re.findall(r"^## \d+\. (.*)$", text, re.MULTILINE)


class Story:
    """One method per step, named after its title in the walkthrough."""

    def __init__(self, house: House, said: str) -> None:
        self.house = house
        self.tap = house.tap
        self.said = said
        self.commits = self.tap.commits(WORKFLOW)

    async def the_command_line_sends_the_text(self) -> None:
        assert "pipeline-1" in self.said

    async def the_gateway_lets_it_in(self) -> None:
        asked = self.tap.on("osmo.rpc.submit")
        (question,) = (msgspec.json.decode(one.data, type=SubmitRequest) for one in asked)
        assert (question.user, question.pool, question.dry_run) == ("ada", "default", False)
        assert question.file is not None
        assert "name: pipeline" in question.file
        assert question.idempotency_key

    async def submit_renders_checks_and_plans(self) -> None:
        plan = self.submitted().plan
        assert plan is not None
        assert [(group.name, tuple(sorted(group.upstreams))) for group in plan.groups] == [
            ("measure-group", ()),
            ("add-up-group", ("measure-group",)),
            ("report-group", ("add-up-group", "measure-group")),
        ]

    async def the_submission_is_recorded(self) -> None:
        first = self.commits[0]
        assert first.commit.actor == "ada"
        assert [type(event) for event in first.commit.events] == [WorkflowSubmitted]
        assert self.submitted().workflow_id == "pipeline-1"
        assert self.tap.on("osmo.name.pipeline")[0].data == b"1"

    async def the_scheduler_hears_of_it_and_queues_what_can_start(self) -> None:
        second = self.commits[1]
        assert second.commit.actor == "scheduler"
        assert [event.group for event in second.commit.events if isinstance(event, GroupQueued)] == ["measure-group"]
        state = fold([heard.commit for heard in self.commits[:2]])
        assert state is not None
        assert [task.status for task in state.tasks.values()][1:] == [TaskStatus.WAITING, TaskStatus.WAITING]

    async def the_group_gets_a_place(self) -> None:
        (placed,) = self.commits[1].events(GroupPlaced)
        assert isinstance(placed, GroupPlaced)
        assert (placed.group, placed.backend, placed.retry_ids) == ("measure-group", "default", {"measure": 0})
        assert list(placed.nodes) == ["measure"]

    async def the_command_goes_to_the_agent(self) -> None:
        heard = self.tap.on("osmo.command.default")
        first = msgspec.json.decode(heard[0].data, type=Command)
        assert isinstance(first, CreateGroup)
        assert (first.workflow_id, first.group_name, first.retry_ids) == ("pipeline-1", "measure-group", {"measure": 0})
        assert heard[0].number > self.commits[1].number, "an effect follows what was decided"
        commands = [msgspec.json.decode(one.data, type=Command) for one in heard]
        created = [command.group_name for command in commands if isinstance(command, CreateGroup)]
        assert list(dict.fromkeys(created)) == ["measure-group", "add-up-group", "report-group"]

    async def the_agent_makes_the_pod(self) -> None:
        uuid = self.submitted().uuid
        deleted = [one for one in self.commands() if isinstance(one, DeleteGroup)]
        assert {command.workflow_uuid for command in deleted} == {uuid}
        ended = self.house.directory / "pods/ended"
        async with asyncio.timeout(OVER_WITHIN_S):
            while len(list(ended.iterdir())) < 3 or list((self.house.directory / "pods/pods").iterdir()):
                await asyncio.sleep(0.01)

    async def the_agent_says_what_it_sees(self) -> None:
        seen = self.tap.commits("osmo.cluster.default.pods._", CommitCodec(ClusterFact))
        assert {one.commit.actor for one in seen} == {"agent:default"}
        phases = [
            pod.phase
            for one in seen
            for event in one.commit.events
            if isinstance(event, PodsSeen)
            for pod in event.pods
            if pod.task == "measure"
        ]
        assert phases[-1] is PodPhase.SUCCEEDED, phases
        assert [phase for phase in dict.fromkeys(phases) if phase is not PodPhase.PENDING][-2:] == [
            PodPhase.RUNNING,
            PodPhase.SUCCEEDED,
        ]

    async def in_the_pod(self) -> None:
        phases = [report.phase for report in self.reports("add-up")]
        assert TaskPhase.CONNECTED in phases
        assert [phase for phase in dict.fromkeys(phases) if phase is not TaskPhase.CONNECTED] == [
            TaskPhase.DOWNLOADING,
            TaskPhase.DOWNLOADED,
            TaskPhase.EXECUTING,
            TaskPhase.EXECUTED,
            TaskPhase.UPLOADING,
            TaskPhase.UPLOADED,
        ]
        assert (self.house.directory / "storage/pipeline-1/add-up/sum.txt").read_text() == "55\n"

    async def lines_and_reports(self) -> None:
        batches = [msgspec.json.decode(one.data, type=LogBatch) for one in self.tap.on("osmo.log.pipeline-1.measure.0")]
        said = [line.text for batch in batches for line in batch.lines if line.source is LineSource.STDOUT]
        assert said == ["wrote 5 measurements"]
        assert batches[-1].end
        assert {one.commit.actor for one in self.reported("measure")} == {"task:pipeline-1/measure"}
        (executed,) = [report for report in self.reports("measure") if report.phase is TaskPhase.EXECUTED]
        assert executed.exit_code == 0

    async def the_scheduler_decides_on_every_fact(self) -> None:
        assert {heard.commit.actor for heard in self.commits[1:]} == {"scheduler"}
        told = [event for heard in self.commits for event in heard.commit.events]
        life = [type(event) for event in told if getattr(event, "task", "") == "add-up"]
        assert [kind for kind in life if kind not in {TaskDownloading, TaskDownloaded, TaskUploading}] == [
            TaskInitializing,
            TaskRunning,
            TaskFinished,
        ]
        assert TaskDownloaded in life
        (end,) = [event for event in told if isinstance(event, TaskFinished) and event.task == "measure"]
        assert (end.status, end.exit_code, end.retry_id) == (TaskStatus.COMPLETED, 0, 0)
        uploaded = [one.number for one in self.reported("measure")][-1]
        assert self.commit_of(TaskFinished, task="measure").number > uploaded, "completed only with its data"

    async def downstream(self) -> None:
        order = [
            (type(event).__name__, event.group)
            for heard in self.commits
            for event in heard.commit.events
            if isinstance(event, GroupQueued | GroupFinished)
        ]
        assert order == [
            (kind, group)
            for group in ("measure-group", "add-up-group", "report-group")
            for kind in ("GroupQueued", "GroupFinished")
        ]
        last = self.commits[-1].commit.events[-1]
        assert isinstance(last, WorkflowFinished)
        assert last.status is WorkflowStatus.COMPLETED

    async def what_people_see(self) -> None:
        async with aiohttp.ClientSession(self.house.url, headers={"x-osmo-user": "ada"}) as http:
            async with http.get("/api/workflow/pipeline-1") as answer:
                shown = json.loads(await answer.read())
            async with http.get("/api/workflow/pipeline-1/logs") as answer:
                logs = await answer.text()
        assert (shown["status"], shown["submitted_by"], shown["pool"]) == ("COMPLETED", "ada", "default")
        assert [(task["name"], task["exit_code"]) for group in shown["groups"] for task in group["tasks"]] == [
            ("measure", 0),
            ("add-up", 0),
            ("report", 0),
        ]
        assert "[add-up] the sum is 55" in logs

    # -- looking ------------------------------------------------------------------------------------------------------

    def submitted(self) -> WorkflowSubmitted:
        first = self.commits[0].commit.events[0]
        assert isinstance(first, WorkflowSubmitted)
        return first

    def commands(self) -> list[Command]:
        return [msgspec.json.decode(one.data, type=Command) for one in self.tap.on("osmo.command.default")]

    def reported(self, task: str) -> list[HeardCommit]:
        return self.tap.commits(f"osmo.report.0.pipeline-1.{task}", CommitCodec(TaskReported))

    def reports(self, task: str) -> list[TaskReported]:
        return [one for heard in self.reported(task) for one in heard.commit.events if isinstance(one, TaskReported)]

    def commit_of(self, kind: type[msgspec.Struct], **fields: object) -> HeardCommit:
        for heard in self.commits:
            for event in heard.events(kind):
                if all(getattr(event, name) == value for name, value in fields.items()):
                    return heard
        raise AssertionError(f"no {kind.__name__} with {fields}")


async def osmo(*arguments: str) -> str:
    """What the command said; it must succeed."""
    process = await asyncio.create_subprocess_exec(OSMO, *arguments, cwd=ROOT, stdout=-1, stderr=-1)
    out, err = await process.communicate()
    assert process.returncode == 0, (arguments, out, err)
    return out.decode()


async def until_over(house: House) -> None:
    async with asyncio.timeout(OVER_WITHIN_S):
        while not any(
            isinstance(event, WorkflowFinished)
            for heard in house.tap.commits(WORKFLOW)
            for event in heard.commit.events
        ):
            await asyncio.sleep(0.02)
