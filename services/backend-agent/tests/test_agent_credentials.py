"""The agent and credentials: asked for when a group is made, handed to the runtime and to nobody else."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from osmo_agent.simulated import SimulatedRuntime
from osmo_domain.cluster import GroupRefused
from osmo_domain.command import CreateGroup
from osmo_domain.credential_requests import AttemptProof, CredentialsFetched, FetchCredentials
from osmo_domain.plan import CheckpointPlan, GroupPlan, InputPlan, OutputPlan, TaskPlan
from osmo_domain.pod_making import PodMaking
from osmo_domain.requests import DataAnswer, Done, Refused
from osmo_eventlog.subjects import agent_questions
from osmo_runtime.pod_secrets import NO_SECRETS, PodSecrets, SecretFile

Run = Callable[..., Any]

TOKEN = "correct-horse-battery"
PAYLOADS = {"git": {"token": TOKEN}, "ssh": {"key": "x\n", "pub": "y"}}


class Keeps(SimulatedRuntime):
    """Remembers what it was handed."""

    def __init__(self, world: Any) -> None:
        super().__init__(world.cluster, world.clock)
        self.handed: list[Mapping[str, PodSecrets]] = []

    async def apply_group(self, command: CreateGroup, secrets: Mapping[str, PodSecrets] | None = None) -> None:
        self.handed.append(secrets or {})
        await super().apply_group(command, secrets)


class Data:
    """The data service as it is told to be; the last answer stays."""

    def __init__(self, *answers: DataAnswer) -> None:
        self.answers = list(answers)
        self.asked: list[FetchCredentials] = []

    async def __call__(self, data: bytes) -> bytes:
        self.asked.append(msgspec.json.decode(data, type=FetchCredentials))
        return msgspec.json.encode(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


def group(world: Any, *tasks: TaskPlan, retry_ids: dict[str, int] | None = None) -> CreateGroup:
    names = [task.name for task in tasks]
    return msgspec.structs.replace(
        world.create("a"),
        group_name="g",
        retry_ids=retry_ids if retry_ids is not None else dict.fromkeys(names, 0),
        nodes=dict.fromkeys(names, "sim-0001"),
        group=GroupPlan("g", tasks),
        tokens={name: f"token of {name}" for name in names},
    )


def using(name: str, uses: dict[str, str | dict[str, str]]) -> TaskPlan:
    return TaskPlan(name, "i", ("true",), credentials=uses)


def one_life(run_world: Run, data: Data | None, command: Callable[[Any], CreateGroup]) -> tuple[Keeps, Any]:
    """The runtime after the command was carried out, and the refusal, if any."""
    found: list[Any] = []

    async def main(world: Any) -> None:
        runtime = Keeps(world)
        found.append(runtime)
        await world.start(runtime)
        if data is None:
            await world.tell(command(world))
            await world.until(lambda: carried_out(world))
        else:
            async with world.server.connect("data").requests.serve("data", agent_questions("sim"), data):
                await world.tell(command(world))
                await world.until(lambda: carried_out(world))
        found.extend(await world.facts("refused"))

    run_world(main)
    return found[0], found[1] if len(found) > 1 else None


async def carried_out(world: Any) -> bool:
    return await world.commands_left() == 0


def test_each_task_is_handed_what_it_uses_in_the_form_that_it_asks_for(run_world: Run) -> None:
    data = Data(CredentialsFetched(PAYLOADS))
    tasks = (
        using("t", {"git": {"GIT": "token"}, "ssh": "secrets/"}),
        using("u", {}),
        using("v", {"git": {"X": "token"}}),
    )
    runtime, refused = one_life(run_world, data, lambda world: group(world, *tasks))
    assert refused is None
    assert runtime.handed == [
        {
            "t": PodSecrets({"GIT": TOKEN}, (SecretFile("/secrets/key", "x\n"), SecretFile("/secrets/pub", "y"))),
            "v": PodSecrets({"X": TOKEN}),
        }
    ]
    proofs = (AttemptProof("t", 0, "token of t"), AttemptProof("v", 0, "token of v"))
    assert data.asked == [FetchCredentials("a-1", proofs)]


def test_only_attempts_that_are_made_are_asked_for(run_world: Run) -> None:
    data = Data(CredentialsFetched(PAYLOADS))
    tasks = (using("t", {"git": {"GIT": "token"}}), using("u", {"ssh": "/s"}))
    runtime, _ = one_life(run_world, data, lambda world: group(world, *tasks, retry_ids={"u": 3}))
    assert data.asked == [FetchCredentials("a-1", (AttemptProof("u", 3, "token of u"),))]
    assert list(runtime.handed[0]) == ["u"]


def test_groups_without_credentials_ask_nobody(run_world: Run) -> None:
    runtime, refused = one_life(run_world, None, lambda world: group(world, using("t", {})))
    assert (runtime.handed, refused) == ([{}], None)


def test_a_huge_group_is_asked_for_in_parts(run_world: Run) -> None:
    data = Data(
        CredentialsFetched({"git": {"token": TOKEN}}),
        CredentialsFetched({"git": {"other": "o"}, "ssh": {"key": "k"}}),
    )
    tasks = [using(f"t{number}", {"git": {"A": "token"}}) for number in range(500)]
    tasks += [using("last", {"git": {"B": "other"}, "ssh": "/s"})]
    runtime, _ = one_life(run_world, data, lambda world: group(world, *tasks))
    assert [len(asked.attempts) for asked in data.asked] == [500, 1]
    assert runtime.handed[0]["t0"] == PodSecrets({"A": TOKEN})
    assert runtime.handed[0]["last"] == PodSecrets({"B": "o"}, (SecretFile("/s/key", "k"),))


def test_what_data_refuses_becomes_a_fact_in_its_words(run_world: Run) -> None:
    data = Data(Refused("credential.gone", "The credential git of u does not exist any more.", "CREDENTIAL"))
    runtime, refused = one_life(run_world, data, lambda world: group(world, using("t", {"git": "/s"})))
    assert runtime.handed == []
    assert isinstance(refused, GroupRefused)
    assert (refused.group, refused.message) == ("g", "The credential git of u does not exist any more.")


def test_a_payload_key_that_is_no_file_name_is_refused_without_its_value(run_world: Run) -> None:
    data = Data(CredentialsFetched({"git": {"../../etc/passwd": TOKEN}}))
    runtime, refused = one_life(run_world, data, lambda world: group(world, using("t", {"git": "/s"})))
    assert runtime.handed == []
    assert "cannot be the name of a file" in refused.message
    assert TOKEN not in refused.message


def test_data_that_is_away_is_asked_again(run_world: Run) -> None:
    unavailable = Refused("data.unavailable", "not now", "SERVER", 503)
    data = Data(unavailable, unavailable, Done(), CredentialsFetched(PAYLOADS))
    runtime, refused = one_life(run_world, data, lambda world: group(world, using("t", {"git": {"A": "token"}})))
    assert refused is None
    assert len(data.asked) == 4
    assert runtime.handed == [{"t": PodSecrets({"A": TOKEN})}]


STORAGE = {"s3://mine": {"access_key_id": "mine", "access_key": "m"}}
OWN = {"s3://own": {"access_key_id": "own", "access_key": "o"}}
LOGINS = (
    {"registry": "docker.io", "username": "u", "auth": "h"},
    {"registry": "nvcr.io", "username": "n", "auth": "v"},
)
AROUND = CredentialsFetched(PAYLOADS, STORAGE, OWN, LOGINS)


def test_a_process_is_given_keys_of_storage_where_a_url_of_its_task_needs_them(run_world: Run) -> None:
    data = Data(AROUND)
    tasks = (
        TaskPlan("reads", "i", ("true",), inputs=(InputPlan("s3://mine/x"),)),
        TaskPlan("hands", "nvcr.io/i", ("true",), outputs=(OutputPlan("s3://own/wf/hands", intermediate=True),)),
        TaskPlan("saves", "i", ("true",), checkpoints=(CheckpointPlan("/x", "s3://mine/c", 1),)),
        TaskPlan("local", "i", ("true",), outputs=(OutputPlan("file:///own/wf/local", intermediate=True),)),
        using("plain", {"git": {"GIT": "token"}}),
    )
    runtime, _ = one_life(run_world, data, lambda world: group(world, *tasks))
    asked = [([each.task for each in question.attempts], question.pod_access) for question in data.asked]
    assert asked == [(["reads", "hands", "saves"], True), (["plain"], False)]
    given = runtime.handed[0]
    assert {name: (each.storage, each.own_storage) for name, each in given.items()} == {
        "reads": (STORAGE, {}),
        "hands": (STORAGE, OWN),
        "saves": (STORAGE, {}),
        "plain": (STORAGE, {}),
    }
    assert (given["reads"].registries, given["hands"].registries) == (LOGINS[:1], LOGINS[1:])
    assert not [secret for secret in ("'m'", "'o'", "'h'", "'v'") if secret in repr(given) + repr(AROUND)]


def test_pods_are_always_given_what_a_cluster_needs_around_them(run_world: Run) -> None:
    data = Data(AROUND)

    def command(world: Any) -> CreateGroup:
        made = group(world, TaskPlan("t", "i", ("true",)), using("u", {"git": {"GIT": "token"}}))
        return msgspec.structs.replace(made, pods=PodMaking())

    runtime, _ = one_life(run_world, data, command)
    assert [(len(question.attempts), question.pod_access) for question in data.asked] == [(2, True)]
    assert runtime.handed[0]["t"] == PodSecrets(storage=STORAGE, registries=LOGINS[:1])
    assert runtime.handed[0]["u"].environment == {"GIT": TOKEN}


def test_no_secrets_are_none() -> None:
    assert PodSecrets() == NO_SECRETS
