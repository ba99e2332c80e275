"""compose.yaml: modules, settings, images and files that are there. No container engine runs here, so this is what can be known without one."""

import re
from typing import Any

import msgspec
import yaml
from tests.cluster import manifests as k8s

from osmo_gateway.seeding import Seed
from osmo_service.settings import load_settings

DEFAULTED = re.compile(r"\$\{\w+:-([^}]*)\}")
"""A variable of whoever runs compose, and what it is where it is not set."""


def compose() -> dict[str, Any]:
    text = (k8s.ROOT / "compose.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(DEFAULTED.sub(lambda found: found[1], text)))


def programs() -> dict[str, tuple[str, dict[str, str]]]:
    """service -> the module that it runs, and the variables that it gets."""
    found = {}
    for name, service in compose()["services"].items():
        module = k8s.module_of(service.get("command") or [])
        if module is not None:
            found[name] = (module, service["environment"])
    return found


def test_every_service_of_the_control_plane_is_there_and_can_be_run() -> None:
    assert {module for module, _ in programs().values()} == set(k8s.SETTINGS)
    assert all(k8s.runs(module) for module in k8s.SETTINGS)


def test_every_variable_is_a_setting_of_its_program_and_has_a_value_that_it_may_have() -> None:
    for name, (module, environment) in programs().items():
        unknown = set(environment) - k8s.known_variables(module)
        # The step before all others ends before anybody asks how it is.
        assert unknown <= ({"OSMO_HEALTH_PORT"} if module == "osmo_gateway.streams" else set()), name
        for kind in k8s.settings_of(module):
            load_settings(kind, environment)


def test_addresses_are_services_that_listen_there() -> None:
    services = compose()["services"]
    listens = {
        "nats": "4222",
        "postgres": "5432",
        "log-router": services["log-router"]["environment"]["OSMO_LOG_ROUTER_PORT"],
        "gateway": services["gateway"]["environment"]["OSMO_PORT"],
    }
    for name, (_, environment) in programs().items():
        for variable, value in environment.items():
            found = re.match(r"\w+://(?:\w+@)?([\w-]+)(?::(\d+))?(?:/|$)", value)
            if found is not None:
                assert found[1] in listens, (name, variable)
                assert found[2] in {None, listens[found[1]]}, (name, variable)


def test_a_service_waits_for_what_it_needs_and_says_when_it_is_ready() -> None:
    services = compose()["services"]
    for name, (module, environment) in programs().items():
        service = services[name]
        if module == "osmo_gateway.streams":
            assert service["depends_on"] == {"nats": {"condition": "service_healthy"}}
            continue
        assert service["depends_on"].keys() >= {"keys", "streams"}
        assert f"127.0.0.1:{environment['OSMO_HEALTH_PORT']}/ready" in service["healthcheck"]["test"][-1]


def test_files_that_programs_are_told_of_are_mounted() -> None:
    services = compose()["services"]
    for name, (_, environment) in programs().items():
        mounts = [volume.split(":")[1] for volume in services[name].get("volumes", ())]
        mounts += [config["target"] for config in services[name].get("configs", ())]
        for variable, value in environment.items():
            if value.startswith("/"):
                assert any(value == mount or value.startswith(f"{mount}/") for mount in mounts), (name, variable)


def test_images_are_ours_or_the_two_servers_and_only_loopback_is_published() -> None:
    for name, service in compose()["services"].items():
        image, _, tag = service["image"].rpartition(":")
        assert image == (name if name in {"nats", "postgres"} else "osmo-service")
        assert re.match(r"\d+\.\d+", tag)
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_the_seed_is_one() -> None:
    seed = msgspec.json.decode(compose()["configs"]["seed"]["content"], type=Seed)
    assert [pool.name for pool in seed.pools] == ["default"]
    assert seed.pools[0].backend == compose()["services"]["agent"]["environment"]["OSMO_BACKEND"]
    assert seed.workflow is not None
    assert seed.workflow.data_url == "file://" + compose()["services"]["data"]["environment"]["OSMO_DATA_ROOT"]
