"""What of the configuration goes along with a command that makes pods."""

from typing import Any

import msgspec
from libs.domain.tests.life import task

from osmo_domain.config import Catalogue, ConfigRevised, apply_config
from osmo_domain.configuration.kinds import ConfigType
from osmo_domain.plan import Resources, TaskPlan
from osmo_domain.pod_making import PlatformPods, PodMaking, pod_making
from osmo_domain.pool import Priority, Toleration

TEMPLATE = {"spec": {"nodeSelector": {"kind": "gpu"}, "containers": [{"name": "{{USER_CONTAINER_NAME}}"}]}}
GROUP_TEMPLATE = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm-{{WF_GROUP_UUID}}"}}
POOL = {
    "backend": "b",
    "default_platform": "gpu",
    "common_pod_template": ["t"],
    "common_group_templates": ["g"],
    "common_default_variables": {"USER_CPU": 2},
    "platforms": {
        "gpu": {"node_tolerations": [{"key": "k", "operator": "Exists"}], "default_variables": {"USER_GPU": 1}},
        "cpu": {},
    },
}


def catalogue(**objects: dict[str, Any]) -> Catalogue:
    made = Catalogue.empty()
    for kind, value in objects.items():
        raw = {name: msgspec.Raw(msgspec.json.encode(each)) for name, each in value.items()}
        apply_config(made, ConfigRevised(config_type=kind, objects=raw))
    return made


def known() -> Catalogue:
    return catalogue(
        POD_TEMPLATE={"t": TEMPLATE},
        GROUP_TEMPLATE={"g": GROUP_TEMPLATE},
        POOL={"p": POOL},
        WORKFLOW={
            ConfigType.WORKFLOW.value.lower(): {
                "backend_images": {"init": "mirror/init:1", "client": "mirror/client:1"},
                "labels_config": {"pod_label_prefix": "example.com/"},
            }
        },
    )


def on(platform: str) -> TaskPlan:
    return task("t", resources=Resources(platform=platform))


def test_pods_are_made_as_their_platform_says() -> None:
    made = pod_making(known(), "p", [on("gpu"), on("")], Priority.LOW, {"team": "a"})
    assert made == PodMaking(
        priority=Priority.LOW,
        platforms={
            "gpu": PlatformPods(
                template=TEMPLATE,
                variables={"USER_CPU": 2, "USER_GPU": 1},
                labels={"kind": "gpu"},
                tolerations=(Toleration("k", "Exists"),),
            )
        },
        default_platform="gpu",
        group_templates=(GROUP_TEMPLATE,),
        labels={"example.com/team": "a"},
        init_image="mirror/init:1",
        client_image="mirror/client:1",
    )


def test_only_platforms_of_the_groups_tasks_go_along() -> None:
    assert list(pod_making(known(), "p", [on("cpu")], Priority.NORMAL, {}).platforms) == ["cpu"]


def test_a_pool_or_platform_that_is_gone_says_nothing() -> None:
    assert pod_making(known(), "p", [on("gone")], Priority.NORMAL, {}).platforms == {}
    assert pod_making(known(), "gone", [on("gpu")], Priority.NORMAL, {"a": "b"}) == PodMaking(
        labels={"example.com/a": "b"}, init_image="mirror/init:1", client_image="mirror/client:1"
    )
