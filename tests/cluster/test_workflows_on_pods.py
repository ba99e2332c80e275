"""Workflows as real pods: a real kubelet and containerd, the runtime image, S3 between the tasks, and everything of `osmo up` around them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from images.cached import cached_runtime
from images.oci import write_runtime_image
from tests.cluster.house import House, Worker, house, latest
from tests.cluster.images import BUSYBOX_IMAGE, MISSING_IMAGE
from tests.cluster.kubernetes import KubernetesCluster
from tests.cluster.node import RealNode
from tests.flows.person import ends, spec
from tests.object_storage import FIRST, ObjectServer
from tests.tcp_proxy import tcp_proxy

pytestmark = [
    pytest.mark.containers,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="session"),
]

POOL = "real"
RUNTIME_IMAGE = "docker.io/library/osmo-runtime:dev"
BUCKET = "tasks"
OVER_WITHIN_S = 120.0


def task(name: str, script: str, *, image: str = BUSYBOX_IMAGE, **more: Any) -> dict[str, Any]:
    return {"name": name, "image": image, "command": ["sh", "-c"], "args": [script], **more}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(kubernetes: KubernetesCluster, node: RealNode, tmp_path_factory: Any) -> AsyncIterator["Place"]:
    archive: Path = tmp_path_factory.mktemp("images") / "runtime.tar"
    await asyncio.to_thread(lambda: write_runtime_image(archive, cached_runtime()))
    await node.add_archive(archive)
    storage = ObjectServer()
    storage.start()
    try:
        storage.client().create_bucket(Bucket=BUCKET)
        async with house() as made, tcp_proxy(storage.port, host=node.host_address) as s3:
            keys = {**FIRST, "override_url": f"http://{s3.host}:{s3.port}", "region": "us-east-1"}
            settings = {"OSMO_RUNTIME_IMAGE": RUNTIME_IMAGE, "OSMO_SERVICE_URL": ""}
            await made.store_in_s3(f"s3://{BUCKET}/osmo", keys)
            selector = {"kubernetes.io/hostname": node.name}
            template = {"spec": {"nodeSelector": selector, "terminationGracePeriodSeconds": 1}}
            worker = await made.add(POOL, kubernetes, host=node.host_address, template=template, **settings)
            yield Place(made, worker, node.name, storage, keys)
    finally:
        storage.kill()


class Place:
    """What the tests of this file share."""

    def __init__(self, made: House, worker: Worker, node: str, storage: ObjectServer, keys: dict[str, str]) -> None:
        self.house = made
        self.node = node
        self.worker = worker
        self.storage = storage
        self.keys = keys

    async def submit(
        self, name: str, *bodies: Mapping[str, Any], pool: str = POOL, priority: str = "NORMAL", **more: Any
    ) -> str:
        return await self.house.ada.submit(spec(name, *bodies, **more), pool=pool, priority=priority)

    async def running(self, name: str) -> Any:
        return await self.house.until(name, lambda one: latest(one)["t"].status == "RUNNING", within_s=OVER_WITHIN_S)

    async def over(self, workflow: str) -> Any:
        return await self.house.over(workflow, within_s=OVER_WITHIN_S)

    async def run(self, name: str, *bodies: Mapping[str, Any], **more: Any) -> Any:
        return await self.over(await self.submit(name, *bodies, **more))

    async def pods(self) -> list[Any]:
        async with self.worker.cluster.api() as api:
            listed = await api.get(f"/api/v1/namespaces/{self.worker.namespace}/pods")
        return list(listed["items"])

    async def nothing_left(self) -> None:
        await self.worker.nothing_left()


async def test_hello_world(place: Place) -> None:
    workflow = await place.run(
        "hello", task("say", "echo hello from $(hostname); echo $WORD", environment={"WORD": "a b"})
    )
    assert workflow.status == "COMPLETED"
    assert ends(workflow) == {"say": ("COMPLETED", 0)}
    lines = await place.house.lines(workflow.name)
    assert any("[say] hello from " in line for line in lines)
    assert any("[say] a b" in line for line in lines)
    await place.nothing_left()


async def test_data_passes_from_task_to_task_through_s3(place: Place) -> None:
    first = task("first", "mkdir -p /osmo/output/deep; echo 42 > {{output}}/deep/answer")
    second = task(
        "second",
        "cat {{input:first}}/deep/answer /osmo/input/0/deep/answer; cp -r {{input:0}}/deep {{output}}",
        inputs=[{"task": "first"}],
        outputs=[{"url": f"s3://{BUCKET}/results"}],
    )
    await place.house.data_credential("work", f"s3://{BUCKET}", place.keys)
    workflow = await place.run("serial", first, second)
    assert workflow.status == "COMPLETED", (ends(workflow), await place.house.lines(workflow.name))
    assert [line for line in await place.house.lines(workflow.name) if line.endswith("[second] 42")]
    stored = place.storage.client().get_object(Bucket=BUCKET, Key="results/deep/answer")["Body"].read()
    assert stored == b"42\n"


async def test_a_group_meets_at_its_barrier_and_talks_by_name(place: Place) -> None:
    server = task(
        "server", "httpd -f -p 8080 -h /www & sleep 600", files=[{"path": "/www/word", "contents": "by name"}]
    )
    client = task(
        "client",
        "until wget -qO- http://{{host:server}}:8080/word; do sleep 0.2; done; hostname -f",
        lead=True,
    )
    group = {"name": "pair", "tasks": [server, client]}
    text = "workflow: " + json.dumps({"name": "gang", "groups": [group]})
    workflow = await place.over(await place.house.ada.submit(text, pool=POOL))
    assert workflow.status == "COMPLETED", (ends(workflow), await place.house.lines(workflow.name))
    assert any("[client] by name" in line for line in await place.house.lines(workflow.name))
    await place.nothing_left()


@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        ("exit 7", "FAILED", 7),
        ("kill -9 $$", "FAILED", 137),
        ("exec /no/such/program", "FAILED", 127),
    ],
)
async def test_exit_codes(place: Place, script: str, status: str, code: int) -> None:
    workflow = await place.run("codes", task("t", script))
    assert ends(workflow) == {"t": (status, code)}


async def test_a_command_that_is_not_there(place: Place) -> None:
    workflow = await place.run("missing", {"name": "t", "image": BUSYBOX_IMAGE, "command": ["/no/such/program"]})
    assert ends(workflow) == {"t": ("FAILED", 127)}


async def test_a_failed_task_stops_what_is_behind_it(place: Place) -> None:
    workflow = await place.run("upstream", task("a", "exit 3"), task("b", "true", inputs=[{"task": "a"}]))
    assert ends(workflow) == {"a": ("FAILED", 3), "b": ("FAILED_UPSTREAM", 3000)}


async def test_an_image_that_cannot_be_pulled(place: Place) -> None:
    workflow = await place.run("no-image", task("t", "true", image=MISSING_IMAGE))
    status, code = ends(workflow)["t"]
    assert status == "FAILED_IMAGE_PULL"
    assert code in (301, 302)
    assert workflow.status == "FAILED", "as the reference has it: groups know no such status"
    await place.nothing_left()


async def test_too_much_memory(place: Place) -> None:
    resources = {"default": {"cpu": 1, "memory": "32Mi"}}
    workflow = await place.run("oom", task("t", "head -c 200m /dev/zero | tail"), resources=resources)
    assert ends(workflow) == {"t": ("FAILED_EVICTED", 3004)}


async def test_too_much_memory_is_tried_again_where_the_spec_says_so(place: Place) -> None:
    resources = {"default": {"cpu": 1, "memory": "32Mi"}}
    script = "head -c 200m /dev/zero | tail"
    body = task("t", script, exitActions={"RESCHEDULE": "137"})
    name = await place.submit("again", body, resources=resources)
    workflow = await place.house.until(name, lambda one: latest(one)["t"].retry_id >= 1, within_s=OVER_WITHIN_S)
    first = min(workflow.groups[0].tasks, key=lambda entry: entry.retry_id)
    assert (first.status, first.exit_code) == ("RESCHEDULED", 3004)
    await place.house.cancel(name)
    assert (await place.over(name)).status == "FAILED_CANCELED"
    await place.nothing_left()


async def test_a_pod_that_fills_its_disk_is_evicted(place: Place) -> None:
    """By the kubelet itself, which looks every ten seconds or so."""
    resources = {"default": {"cpu": 1, "memory": "64Mi", "storage": "128Mi"}}
    body = task("t", "dd if=/dev/zero of=/big bs=1M count=256; sleep 600")
    workflow = await place.run("evicted", body, resources=resources)
    assert ends(workflow) == {"t": ("FAILED_EVICTED", 3004)}
    assert "ephemeral" in str(latest(workflow)["t"].failure_message)
    await place.nothing_left()


async def test_low_work_gives_way_to_what_has_a_right_to_its_gpus(place: Place) -> None:
    """The node says that it has eight; no task of this test looks for one."""
    all_of_them = {"default": {"gpu": 8, "memory": "64Mi"}}
    low = await place.submit("low", task("t", "echo up; sleep 600"), priority="LOW", resources=all_of_them)
    await place.running(low)
    normal = await place.run("normal", task("t", "echo mine"), resources=all_of_them)
    assert ends(normal) == {"t": ("COMPLETED", 0)}, await place.house.lines(normal.name)
    assert ends(await place.over(low)) == {"t": ("FAILED_PREEMPTED", 3006)}
    await place.nothing_left()


async def test_a_pod_that_cannot_start_ends_by_the_start_timeout(place: Place) -> None:
    """Its kubelet waits for a ConfigMap that nobody makes."""
    volume = {"name": "absent", "configMap": {"name": "nobody-makes-this"}}
    mount = {"name": "{{USER_CONTAINER_NAME}}", "volumeMounts": [{"name": "absent", "mountPath": "/absent"}]}
    template = {
        "spec": {"nodeSelector": {"kubernetes.io/hostname": place.node}, "volumes": [volume], "containers": [mount]}
    }
    await place.house.pool("waits", POOL, template)
    before = (await place.house.say("GET", "/api/configs/workflow", None))["default_schedule_timeout"]
    await place.house.say("PATCH", "/api/configs/workflow", {"configs_dict": {"default_schedule_timeout": 0.1}})
    try:
        name = await place.submit("never", task("t", "true"), pool="waits")
        assert "nobody-makes-this" in await place.house.until_event(name, "FailedMount", within_s=OVER_WITHIN_S)
        assert ends(await place.over(name)) == {"t": ("FAILED_START_TIMEOUT", 3005)}
    finally:
        await place.house.say("PATCH", "/api/configs/workflow", {"configs_dict": {"default_schedule_timeout": before}})
    await place.nothing_left()


async def test_a_pod_that_somebody_deletes(place: Place) -> None:
    name = await place.submit("deleted", task("t", "echo here; sleep 600"))
    await place.running(name)
    (pod,) = await place.pods()
    async with place.worker.cluster.api() as api:
        await api.delete(f"/api/v1/namespaces/{place.worker.namespace}/pods/{pod['metadata']['name']}")
    workflow = await place.over(name)
    assert workflow.status in ("FAILED", "FAILED_BACKEND_ERROR"), ends(workflow)
    await place.nothing_left()


async def test_a_bucket_that_is_not_there_is_refused_before_anything_runs(place: Place) -> None:
    body = task("t", "echo x > {{output}}/x", outputs=[{"url": "s3://nobodys-bucket/here"}])
    text = spec("upload", body)
    async with place.house.ada.http.post(f"/api/pool/{POOL}/workflow", json={"file": text}) as answer:
        assert answer.status == 400
        assert "nobodys-bucket" in await answer.text()


async def test_an_upload_that_fails_fails_the_task_whatever_its_command_said(place: Place) -> None:
    """Its command ends well, when its bucket is no more."""
    place.storage.make_bucket("vanishing")
    await place.house.data_credential("vanishing", "s3://vanishing", place.keys)
    there = f"wget -qO /dev/null {place.keys['override_url']}/vanishing"
    script = f"echo out > {{{{output}}}}/o; {there} || exit 7; echo begun; while {there}; do sleep 0.2; done"
    name = await place.submit("vanish", task("t", script, outputs=[{"url": "s3://vanishing/x"}]))
    await place.house.until_line(name, "begun", within_s=OVER_WITHIN_S)
    place.storage.client().delete_bucket(Bucket="vanishing")
    workflow = await place.over(name)
    said = await place.house.lines(name)
    assert ends(workflow) == {"t": ("FAILED", 2012)}, said
    assert any("there is no such bucket" in line for line in said)
    await place.nothing_left()


async def test_cancelling_a_running_task(place: Place) -> None:
    name = await place.submit("cancelled", task("t", "trap 'exit 0' TERM; echo up; sleep 600 & wait"))
    await place.running(name)
    await place.house.cancel(name)
    workflow = await place.over(name)
    assert workflow.status == "FAILED_CANCELED"
    await place.nothing_left()


async def test_credentials_reach_the_task_and_nothing_else(place: Place) -> None:
    await place.house.generic_credential("pass", {"word": "open-sesame-42"})
    body = task("t", 'test "$WORD" = open-sesame-42 && echo "it is $WORD"', credentials={"pass": {"WORD": "word"}})
    as_file = task("f", "test $(cat /secret/word) = open-sesame-42", credentials={"pass": "/secret"})
    workflow = await place.run("secrets", body, as_file)
    assert workflow.status == "COMPLETED", (ends(workflow), await place.house.lines(workflow.name))
    said = "\n".join(await place.house.lines(workflow.name))
    assert "open-sesame-42" not in said
    assert "it is " in said


async def test_files_of_the_spec_are_in_the_container(place: Place) -> None:
    files = [{"path": "/etc/told", "contents": "told\n"}, {"path": "/opt/b", "contents": "AAEC", "base64": True}]
    workflow = await place.run("files", task("t", "cat /etc/told; wc -c < /opt/b", files=files))
    assert workflow.status == "COMPLETED", (ends(workflow), await place.house.lines(workflow.name))
    lines = await place.house.lines(workflow.name)
    assert [line for line in lines if line.endswith(("[t] told", "[t] 3"))] != []


async def test_a_gang_begins_again_in_place_when_its_lead_is_rescheduled(place: Place) -> None:
    """The lead gets a new pod; its peer keeps its pod and its files, and its command runs again."""
    counts = "cd /osmo/run/workspace; n=$(cat n 2>/dev/null || echo 0); echo $((n+1)) > n; httpd -f -p 8080 -h ."
    asks = "until n=$(wget -qO- http://{{host:peer}}:8080/n); do sleep 0.2; done; echo start $n; [ $n -ge 2 ] || exit 5"
    lead = task("lead", asks, lead=True, exitActions={"RESCHEDULE": "5"})
    group = {"name": "pair", "tasks": [lead, task("peer", counts)]}
    text = "workflow: " + json.dumps({"name": "again", "groups": [group]})
    workflow = await place.over(await place.house.ada.submit(text, pool=POOL))
    lines = await place.house.lines(workflow.name)
    assert workflow.status == "COMPLETED", (ends(workflow), lines)
    assert any("start 1" in line for line in lines)
    assert any("start 2" in line for line in lines)
    found = {
        entry.name: entry.retry_id for group in workflow.groups for entry in group.tasks if entry.status == "COMPLETED"
    }
    assert (found["lead"], found["peer"]) == (1, 0)
    await place.nothing_left()
