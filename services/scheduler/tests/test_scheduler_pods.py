"""What a scheduler tells the agents of Kubernetes clusters beside the plan."""

from typing import Any

import msgspec
from libs.domain.tests.life import plan, single
from services.scheduler.tests.world import BACKEND, World, in_a_world

from osmo_domain.cluster import KUBERNETES, BackendRegistered
from osmo_domain.command import CreateGroup
from osmo_domain.config import ConfigRevised
from osmo_domain.pod_making import PodMaking
from osmo_eventlog import subjects


async def created(world: World, runtime: str, description: str = "") -> CreateGroup:
    """The command that makes the pod of a lone task in a pool with a template."""
    template = {"spec": {"priorityClassName": "tasks"}, "metadata": {"annotations": {"about": description}}}
    pool = {"backend": BACKEND, "default_platform": "x", "common_pod_template": ["t"], "platforms": {"x": {}}}
    await configure(world, "POD_TEMPLATE", {"t": template})
    await configure(world, "POOL", {"default": pool})
    await world.cluster.say("registered", BackendRegistered(BACKEND, "uid", "1", runtime, world.clock.now()))
    await (await world.start()).ready()
    await world.submit("wf-1", plan(single("a")))
    await world.until_task("wf-1", "a", "SCHEDULING")
    await world.cluster.take_commands()
    (command,) = world.cluster.created
    return command


async def configure(world: World, config_type: str, objects: dict[str, Any]) -> None:
    raw = {name: msgspec.Raw(msgspec.json.encode(each)) for name, each in objects.items()}
    event = ConfigRevised(config_type=config_type, objects=raw)
    await world.publish(subjects.config_revision(config_type), [event])


def test_templates_go_along_to_kubernetes() -> None:
    async def story(world: World) -> None:
        command = await created(world, KUBERNETES)
        assert command.pods is not None
        assert command.pods.platforms["x"].template["spec"] == {"priorityClassName": "tasks"}

    in_a_world(story)


def test_large_templates_go_along_as_a_blob() -> None:
    async def story(world: World) -> None:
        command = await created(world, KUBERNETES, "word " * 10_000)
        assert command.pods is None
        pods = msgspec.json.decode(await world.connection.blobs.get(command.pods_blob), type=PodMaking)
        assert len(pods.platforms["x"].template["metadata"]["annotations"]["about"]) == 50_000

    in_a_world(story)


def test_other_runtimes_are_told_nothing_of_pods() -> None:
    async def story(world: World) -> None:
        command = await created(world, "process")
        assert (command.pods, command.pods_blob) == (None, "")

    in_a_world(story)
