"""The objects that a group becomes in a cluster."""

import base64
from typing import Any

import msgspec
import pytest

from osmo_agent.kubernetes.cluster_settings import ClusterSettings
from osmo_agent.kubernetes.manifests import GroupObjects, group_objects
from osmo_domain.command import CreateGroup
from osmo_domain.errors import Rejected
from osmo_domain.ids import group_uuid, pod_name, task_uuid
from osmo_domain.plan import CheckpointPlan, FilePlan, GroupPlan, Resources, TaskPlan
from osmo_domain.pod_making import PlatformPods, PodMaking
from osmo_domain.pool import Priority, Toleration
from osmo_runtime.pod import PodSpec
from osmo_runtime.pod_secrets import PodSecrets, SecretFile

UUID = "ab" * 16
GROUP = group_uuid(UUID, "g")
SETTINGS = ClusterSettings("east", "osmo", "http://router:8010", "http://osmo", image="runtime:1")


def made(*tasks: TaskPlan, secrets: dict[str, PodSecrets] | None = None, **more: Any) -> GroupObjects:
    names = [task.name for task in tasks]
    command = CreateGroup(
        "wf-1",
        UUID,
        "pool",
        "ann@example.com",
        "g",
        dict.fromkeys(names, 2),
        dict.fromkeys(names, "node-7"),
        GroupPlan("g", tasks),
        tokens=dict.fromkeys(names, "proof"),
        pods=PodMaking(**more),
    )
    return group_objects(command, secrets or {}, SETTINGS)


def task(name: str = "train", **more: Any) -> TaskPlan:
    return TaskPlan(name, "image:1", ("bash", "-c"), ("echo $$ $(WHO)",), **more)


def pod_of(made: GroupObjects, number: int = 0) -> dict[str, Any]:
    return made.pods[number].pod


def container(pod: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in [*pod["spec"]["containers"], *pod["spec"]["initContainers"]] if each["name"] == name)


def test_a_task_alone_is_one_pod_and_one_secret() -> None:
    group = made(task())
    assert group.shared == []
    pod = pod_of(group)
    assert pod["metadata"] == {
        "name": pod_name(UUID, "train"),
        "labels": {
            "osmo.backend": "east",
            "osmo.workflow_id": "wf-1",
            "osmo.workflow_uuid": UUID,
            "osmo.group_name": "g",
            "osmo.group_uuid": GROUP,
            "osmo.pool": "pool",
            "osmo.submitted_by": "ann",
            "osmo.task_name": "train",
            "osmo.task_uuid": task_uuid(UUID, "train"),
            "osmo.retry_id": "2",
            "osmo.priority": "normal",
            "osmo.lead_container": "true",
        },
        "annotations": {
            "osmo.workflow_id": "wf-1",
            "osmo.group_name": "g",
            "osmo.task_name": "train",
            "pod-group-name": GROUP,
            "osmo.group_objects": "",
        },
        "finalizers": ["osmo.nvidia.com/cleanup"],
    }
    spec = pod["spec"]
    assert [each["name"] for each in spec["containers"]] == ["train", "osmo-ctrl"]
    assert [each["name"] for each in spec["initContainers"]] == ["osmo-init"]
    assert [each["name"] for each in spec["volumes"]] == [
        "osmo",
        "osmo-data",
        "osmo-login",
        "osmo-usr-bin",
        "osmo-run",
        "osmo-secret",
    ]
    rest = {key: spec[key] for key in spec if key not in ("containers", "initContainers", "volumes")}
    assert rest == {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 30,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "tolerations": [],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-7"]}]}
                    ]
                }
            }
        },
    }


def test_the_users_container_runs_its_image_under_our_wrapper() -> None:
    plan = task(
        environment={"WHO": "me $$", "B": "$(WHO)"},
        checkpoints=(CheckpointPlan("/p", "s3://b/c", 5, "x.*"),),
        privileged=True,
    )
    user = container(pod_of(made(plan)), "train")
    assert (user["image"], user["imagePullPolicy"]) == ("image:1", "IfNotPresent")
    assert user["command"] == ["/osmo/bin/osmo_exec"]
    assert user["args"] == [
        "-checkpoint=/p;s3://b/c;5;x.*",
        "-socketPath",
        "/osmo/data/socket/data.sock",
        "-userBinPath",
        "/osmo/usr/bin",
        "-commands=bash",
        "-commands=-c",
        "-args=echo $$$$ $(WHO)",
    ]
    assert user["securityContext"] == {"privileged": True}
    assert user["env"] == [
        {"name": "WHO", "value": "me $$$$"},
        {"name": "B", "value": "$(WHO)"},
        {"name": "OSMO_CONFIG_FILE_DIR", "value": "/osmo/login/config"},
        {"name": "NVIDIA_VISIBLE_DEVICES", "value": ""},
    ]
    assert [(each["mountPath"], each.get("readOnly", False)) for each in user["volumeMounts"]] == [
        ("/osmo/bin", True),
        ("/osmo/data/socket", False),
        ("/osmo/data/input", False),
        ("/osmo/data/output", False),
        ("/osmo/data/benchmarks", False),
        ("/osmo/input", False),
        ("/osmo/output", False),
        ("/osmo/login/config", False),
        ("/osmo/usr/bin", True),
        ("/osmo/run", False),
    ]


def test_control_and_init_run_the_runtime_image_or_what_the_configuration_names() -> None:
    pod = pod_of(made(task()))
    ctrl, init = container(pod, "osmo-ctrl"), container(pod, "osmo-init")
    assert (ctrl["image"], init["image"]) == ("runtime:1", "runtime:1")
    assert ctrl["args"] == ["--pod", "/osmo/secret/pod.json", "--secrets", "/osmo/secret/secrets.json"]
    assert init["args"] == ["--service-url", "http://osmo", "--user", "ann@example.com"]
    pod = pod_of(made(task(), init_image="init:2", client_image="client:2"))
    assert (container(pod, "osmo-ctrl")["image"], container(pod, "osmo-init")["image"]) == ("client:2", "init:2")


def test_what_a_task_is_told_and_given_lies_in_a_secret_of_its_attempt() -> None:
    secrets = PodSecrets(
        {"TOKEN": "value"},
        (SecretFile("/etc/keys/key", "key"),),
        storage={"s3://b": {"access_key": "x"}},
        registries=({"registry": "r.example", "username": "u", "auth": "p"},),
    )
    plan = task(files=(FilePlan("/etc/x", "text"), FilePlan("/osmo/data/output/y", "eQ==", True)))
    group = made(plan, secrets={"train": secrets})
    (secret,) = group.pods[0].secrets
    name = f"{pod_name(UUID, 'train')}-2"
    contents = {key: base64.b64decode(value) for key, value in secret["data"].items()}
    assert secret["metadata"]["name"] == name
    assert secret["immutable"] is True
    told = msgspec.json.decode(contents.pop("pod.json"), type=PodSpec)
    assert (told.token, told.retry_id, told.router_url) == ("proof", 2, "http://router:8010")
    assert (told.files, told.command, told.secrets.environment, told.restarts_by_router) == ((), (), {}, True)
    given = msgspec.json.decode(contents.pop("secrets.json"), type=PodSecrets)
    assert given == msgspec.structs.replace(secrets, registries=())
    assert contents == {"env-0": b"value", "file-0": b"text", "file-1": b"y", "file-2": b"key"}

    pod = pod_of(group)
    user = container(pod, "train")
    assert {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": name, "key": "env-0"}}} in user["env"]
    files = {each["mountPath"]: each["subPath"] for each in user["volumeMounts"] if each["name"] == f"files-{name}"}
    assert files == {"/etc/x": "file-0", "/osmo/data/output/y": "file-1", "/etc/keys/key": "file-2"}
    ctrl = [each["mountPath"] for each in container(pod, "osmo-ctrl")["volumeMounts"]]
    assert "/osmo/data/output/y" in ctrl
    assert "/etc/keys/key" not in ctrl
    seen_by_user = next(each for each in pod["spec"]["volumes"] if each["name"] == f"files-{name}")
    assert [each["key"] for each in seen_by_user["secret"]["items"]] == ["file-0", "file-1", "file-2"]
    assert not any(each["name"] == "osmo-secret" for each in user["volumeMounts"])
    assert "--secrets" in container(pod, "osmo-init")["args"]


def test_images_are_pulled_with_the_logins_of_the_group() -> None:
    secrets = PodSecrets(registries=({"registry": "r.example", "username": "u", "auth": "p"},))
    group = made(task(), secrets={"train": secrets})
    (pull,) = group.shared
    assert pull["metadata"]["name"] == f"{GROUP}-user"
    assert msgspec.json.decode(base64.b64decode(pull["data"][".dockerconfigjson"])) == {
        "auths": {"r.example": {"auth": base64.b64encode(b"u:p").decode()}}
    }
    assert pod_of(group)["spec"]["imagePullSecrets"] == [{"name": f"{GROUP}-user"}]
    assert pod_of(group)["metadata"]["annotations"]["osmo.group_objects"] == f"v1 Secret {GROUP}-user"


def test_files_beyond_one_secret_go_into_more() -> None:
    large = tuple(FilePlan(f"/f{number}", "x" * 300_000) for number in range(4))
    group = made(task(files=large))
    name = f"{pod_name(UUID, 'train')}-2"
    assert [each["metadata"]["name"] for each in group.pods[0].secrets] == [name, f"{name}-files-1"]
    mounts = container(pod_of(group), "train")["volumeMounts"]
    assert [each["name"] for each in mounts if each["mountPath"].startswith("/f")] == [
        *[f"files-{name}"] * 2,
        *[f"files-{name}-files-1"] * 2,
    ]


def test_a_gang_finds_each_other_by_name() -> None:
    group = made(task("a"), task("b_B", environment={"PEER": "{{host:a}}"}, lead=False))
    (service,) = group.shared
    assert service["metadata"]["name"] == f"osmo-{GROUP}"
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == {"osmo.group_uuid": GROUP}
    first, second = pod_of(group), pod_of(group, 1)
    assert (first["spec"]["hostname"], first["spec"]["subdomain"]) == (task_uuid(UUID, "a"), f"osmo-{GROUP}")
    address = f"{task_uuid(UUID, 'a')}.osmo-{GROUP}.osmo.svc.cluster.local"
    assert container(second, "b-b")["env"][0] == {"name": "PEER", "value": address}
    assert "osmo.lead_container" not in second["metadata"]["labels"]
    assert second["metadata"]["annotations"]["osmo.task_name"] == "b_B"
    told = msgspec.json.decode(base64.b64decode(group.pods[1].secrets[0]["data"]["pod.json"]), type=PodSpec)
    assert told.barrier == "osmo-group-ready"


def test_without_a_template_a_task_requests_what_it_asked_for() -> None:
    plan = task(resources=Resources(cpu=2, gpu=1, memory_bytes=3 << 29))
    amounts = {"cpu": "2", "memory": "1536Mi", "nvidia.com/gpu": "1"}
    pod = pod_of(made(plan))
    assert container(pod, "train")["resources"] == {"requests": amounts, "limits": amounts}
    assert container(pod, "osmo-init")["resources"]["requests"] == {"cpu": "250m", "ephemeral-storage": "0"}
    assert "NVIDIA_VISIBLE_DEVICES" not in [each["name"] for each in container(pod, "train")["env"]]


def test_a_template_is_merged_over_the_pod_with_its_variables() -> None:
    template = {
        "metadata": {"labels": {"team": "{{WF_POOL}}", "osmo.retry_id": "9"}, "namespace": "elsewhere"},
        "spec": {
            "restartPolicy": "Always",
            "automountServiceAccountToken": True,
            "terminationGracePeriodSeconds": 5,
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "containers": [
                {
                    "name": "{{USER_CONTAINER_NAME}}",
                    "resources": {"limits": {"cpu": "{{USER_CPU}}", "memory": "{{USER_MEMORY}}"}},
                    "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],
                },
                {"name": "osmo-ctrl", "resources": {"requests": {"cpu": "{{CTRL}}"}}},
            ],
            "volumes": [{"name": "shm", "emptyDir": {"medium": "Memory"}}],
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [
                            {
                                "matchExpressions": [
                                    {"key": "x", "operator": "NotIn", "values": "{{USER_EXCLUDED_NODES}}"}
                                ]
                            }
                        ]
                    }
                }
            },
        },
    }
    platform = PlatformPods(
        template,
        {"CTRL": "100m", "USER_CPU": 1},
        {"zone": "a"},
        (Toleration("gpu", "Exists"), Toleration("t", value="v")),
    )
    plan = task(resources=Resources(memory_bytes=1 << 30, platform="dgx", nodes_excluded=("n1", "n2")))
    group = made(plan, platforms={"dgx": platform}, labels={"mine.x": "y", "team": "lost"}, priority=Priority.HIGH)
    pod = pod_of(group)
    labels = pod["metadata"]["labels"]
    assert (labels["team"], labels["mine.x"], labels["zone"]) == ("pool", "y", "a")
    assert (labels["osmo.retry_id"], labels["osmo.platform"], labels["osmo.priority"]) == ("2", "dgx", "high")
    assert "namespace" not in pod["metadata"]
    spec = pod["spec"]
    assert (spec["restartPolicy"], spec["automountServiceAccountToken"]) == ("Never", False)
    assert (spec["terminationGracePeriodSeconds"], spec["nodeSelector"]) == (5, {"zone": "a"})
    assert spec["tolerations"] == [
        {"key": "gpu", "operator": "Exists"},
        {"key": "t", "operator": "Equal", "value": "v"},
    ]
    user = container(pod, "train")
    assert user["resources"] == {"limits": {"cpu": "1", "memory": "1Gi"}}
    assert user["volumeMounts"][-1] == {"name": "shm", "mountPath": "/dev/shm"}
    assert container(pod, "osmo-ctrl")["resources"] == {"requests": {"cpu": "100m"}}
    assert container(pod, "osmo-ctrl")["args"][-2:] == ["--grace", "5"]
    (term,) = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["values"] == ["n1", "n2"]
    assert term["matchFields"][0]["values"] == ["node-7"]


def test_a_template_that_lacks_a_variable_is_refused_by_its_name() -> None:
    platform = PlatformPods({"spec": {"priorityClassName": "{{NOT_THERE}}"}})
    with pytest.raises(Rejected, match="NOT_THERE"):
        made(task(), platforms={"": platform})


def test_folders_of_the_node_and_its_network_come_in_where_a_task_asks() -> None:
    plan = task(volume_mounts=("/data", "/scratch:/mnt", "/there"), host_network=True)
    platform = PlatformPods(
        {
            "spec": {
                "containers": [
                    {"name": "{{USER_CONTAINER_NAME}}", "volumeMounts": [{"name": "t", "mountPath": "/there"}]}
                ]
            }
        }
    )
    pod = pod_of(made(plan, platforms={"": platform}))
    assert pod["spec"]["volumes"][-2:] == [
        {"name": "host-mount-0", "hostPath": {"path": "/data"}},
        {"name": "host-mount-1", "hostPath": {"path": "/scratch"}},
    ]
    assert container(pod, "train")["volumeMounts"][-2:] == [
        {"name": "host-mount-0", "mountPath": "/data"},
        {"name": "host-mount-1", "mountPath": "/mnt"},
    ]
    assert (pod["spec"]["hostNetwork"], pod["spec"]["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")


def test_group_templates_become_one_object_per_name_with_the_groups_labels() -> None:
    first = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c-{{WF_GROUP_UUID}}", "labels": {"osmo.pool": "no", "x": "y"}},
        "data": {"a": "{{WF_ID}}", "b": "1"},
    }
    second = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c-{{WF_GROUP_UUID}}"}, "data": {"b": "2"}}
    group = made(task(), group_templates=(first, second), labels={"team": "t"})
    (made_of_both,) = group.shared
    assert made_of_both["data"] == {"a": "wf-1", "b": "2"}
    assert made_of_both["metadata"]["name"] == f"c-{GROUP}"
    assert made_of_both["metadata"]["labels"] == {"team": "t", "x": "y", **group.labels}
    assert pod_of(group)["metadata"]["annotations"]["osmo.group_objects"] == f"v1 ConfigMap c-{GROUP}"
    with pytest.raises(Rejected, match="WF_TASK_NAME"):
        made(task(), group_templates=({**first, "data": {"a": "{{WF_TASK_NAME}}"}},))


@pytest.mark.parametrize(
    ("user", "label"), [("ann", "ann"), ("a.b@x.org", "a.b"), ("a", None), ("-no-", None), ("ü", None)]
)
def test_who_submitted_is_a_label_where_it_can_be_one(user: str, label: str | None) -> None:
    from osmo_agent.kubernetes.names import user_label

    assert (user_label(user) or None) == label
