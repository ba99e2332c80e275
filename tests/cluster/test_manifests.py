"""k8s/: every overlay is what a real API server takes without a word, and says only what our programs know."""

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from tests.cluster import build
from tests.cluster import manifests as k8s
from tests.cluster.api import Refused
from tests.cluster.fixtures import skip_loudly
from tests.cluster.kubernetes import KubernetesCluster
from tests.cluster.manifests import OVERLAYS, Object
from tests.servers import nats_server_program

from osmo_eventlog.nats.accounts import accounts_config
from osmo_gateway.agent_manifest import Addresses, manifest
from osmo_service.health import LIVE, READY
from osmo_service.settings import load_settings

pytestmark = pytest.mark.xdist_group("cluster")

SECRETS_SCRIPT = k8s.ROOT / "k8s" / "make-secrets.sh"
AGENT_README = k8s.ROOT / "services" / "backend-agent" / "README.md"


@cache
def overlay(name: str) -> list[Object]:
    try:
        programs = build.programs()
    except build.NoClusterProgram as missing:
        skip_loudly(f"no kustomize to test with: {missing}")
    return k8s.build(programs / "kubectl", name)


def services(name: str) -> list[k8s.Container]:
    return [one for one in k8s.containers(overlay(name)) if one.image[0] == "osmo-service"]


# What the API server says


@pytest.mark.parametrize("name", OVERLAYS)
async def test_the_api_server_takes_every_object_without_a_warning(kubernetes: KubernetesCluster, name: str) -> None:
    """In a dry run by the server, after the namespace, whose pod security level then speaks, too."""
    namespace = f"dry-{name}"
    objects = moved(overlay(name), namespace)
    spaces, others = k8s.of_kind(objects, "Namespace"), [one for one in objects if one["kind"] != "Namespace"]
    assert [space["metadata"]["name"] for space in spaces] == [namespace]
    await kubernetes.kubectl("create", "--filename", "-", stdin=dumped(spaces))
    try:
        said = await apply(kubernetes, others, "--dry-run=server")
        assert len(said.splitlines()) == len(others)
        assert all(line.endswith("serverside-applied (server dry run)") for line in said.splitlines())
    finally:
        await kubernetes.delete_namespace(namespace)


async def test_the_api_server_would_have_warned(kubernetes: KubernetesCluster) -> None:
    """What the test above rests on: a pod that the namespace's security level minds, and a field that is none."""
    objects = moved(overlay("ha"), "dry-warned")
    gateway = k8s.named(objects, "Deployment", "gateway")
    gateway["spec"]["template"]["spec"]["securityContext"] = {"runAsUser": 0}
    strange = {**k8s.named(objects, "Deployment", "submit")}
    strange["spec"] = {**strange["spec"], "replica": 2}
    await kubernetes.kubectl("create", "--filename", "-", stdin=dumped(k8s.of_kind(objects, "Namespace")))
    try:
        with pytest.raises(RuntimeError, match="would violate PodSecurity"):
            await apply(kubernetes, [gateway], "--dry-run=server")
        with pytest.raises(RuntimeError, match="replica"):
            await apply(kubernetes, [strange], "--dry-run=server")
    finally:
        await kubernetes.delete_namespace("dry-warned")


async def test_the_script_makes_every_secret_that_an_overlay_wants_and_changes_none(
    kubernetes: KubernetesCluster, namespace: str, tmp_path: Path
) -> None:
    url = "postgresql://osmo:se=cret@db.example.org/osmo?sslmode=require"
    (tmp_path / "url").write_text(url + "\n")
    made = [make_secrets(kubernetes, tmp_path, namespace, str(tmp_path / "url")) for _ in range(2)]
    assert "created" in made[0]
    assert "created" not in made[1]
    assert await read_secret(kubernetes, namespace, "osmo-database", "url") == url
    for name in ("task.key", "credential.key"):
        assert re.fullmatch("[0-9a-f]{64}", await read_secret(kubernetes, namespace, "osmo-keys", name))
    passwords = {await read_secret(kubernetes, namespace, "osmo-nats", key) for key in ("password", "route-password")}
    assert len(passwords) == 2
    assert not any(password in text for password in passwords for text in made)
    for secret, key in wanted_secrets(overlay("ha")):
        assert await read_secret(kubernetes, namespace, secret, key)


async def test_the_script_makes_the_secrets_of_the_dev_overlay(
    kubernetes: KubernetesCluster, namespace: str, tmp_path: Path
) -> None:
    make_secrets(kubernetes, tmp_path, namespace)
    password = await read_secret(kubernetes, namespace, "osmo-database", "password")
    assert (
        await read_secret(kubernetes, namespace, "osmo-database", "url")
        == f"postgresql://osmo:{password}@postgres/osmo"
    )
    for secret, key in wanted_secrets(overlay("dev")):
        assert await read_secret(kubernetes, namespace, secret, key)


# The agent's rights


def readme_rights() -> dict[str, dict[str, set[str]]]:
    """scope -> resource -> verbs, as the table in the agent's README has them."""
    row = re.compile(
        r"^\| (cluster|its namespace) \| \"\" \| `(\w+)`(, only `kube-system`)? \| ([a-z, ]+) \|", re.MULTILINE
    )
    found: dict[str, dict[str, set[str]]] = {"cluster": {}, "its namespace": {}}
    for scope, resource, only, verbs in row.findall(AGENT_README.read_text(encoding="utf-8")):
        found[scope][resource + ("/kube-system" if only else "")] = set(verbs.split(", "))
    return found


def granted(role: Object) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for rule in role["rules"]:
        assert rule["apiGroups"] == [""]
        for resource in rule["resources"]:
            only = "".join(f"/{name}" for name in rule.get("resourceNames", ()))
            found.setdefault(resource + only, set()).update(rule["verbs"])
    return found


def test_the_agent_has_the_rights_that_its_readme_lists_and_no_others() -> None:
    listed = readme_rights()
    assert len(listed["cluster"]) == 3
    assert granted(k8s.named(overlay("agent"), "ClusterRole", "osmo-agent")) == listed["cluster"]
    assert granted(k8s.named(overlay("agent"), "Role", "osmo-agent")) == listed["its namespace"]


def test_the_overlay_makes_what_a_registration_prints() -> None:
    """But for the token, which is no file's business, and the labels and hashes that kustomize puts."""
    made = overlay("agent")
    told = k8s.named(made, "ConfigMap", "agent")["data"]
    deployment = k8s.named(made, "Deployment", "osmo-agent")
    addresses = Addresses(
        nats_url=told["OSMO_NATS_URL"],
        log_router_url=told["OSMO_LOG_ROUTER_URL"],
        service_url=told["OSMO_SERVICE_URL"],
        service_image=deployment["spec"]["template"]["spec"]["containers"][0]["image"],
        runtime_image=told["OSMO_RUNTIME_IMAGE"],
    )
    printed = [
        one for one in k8s.load_all(manifest(told["OSMO_BACKEND"], "token", addresses)) if one["kind"] != "Secret"
    ]
    hashed = k8s.named(made, "ConfigMap", "agent")["metadata"]["name"]
    assert by_name(printed) == by_name(k8s.load_all(dumped(made).decode().replace(hashed, "agent")))


def by_name(objects: list[Object]) -> dict[tuple[str, str], Object]:
    found = {}
    for one in objects:
        content = {key: value for key, value in one.items() if key != "metadata"}
        found[(one["kind"], one["metadata"]["name"])] = content
    return found


@pytest_asyncio.fixture
async def agent_token(kubernetes: KubernetesCluster) -> AsyncIterator[tuple[str, str]]:
    """A namespace with the agent's account and roles in it, and the account's token."""
    namespace = await kubernetes.create_namespace()
    kinds = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    objects = k8s.of_kind(moved(overlay("agent"), namespace), *kinds)
    await apply(kubernetes, objects)
    yield namespace, await kubernetes.service_account_token(namespace, "osmo-agent")
    for kind in ("clusterrole", "clusterrolebinding"):
        await kubernetes.kubectl("delete", kind, "osmo-agent")
    await kubernetes.delete_namespace(namespace)


async def test_the_api_server_lets_the_agent_do_what_it_needs_and_nothing_else(
    kubernetes: KubernetesCluster, agent_token: tuple[str, str]
) -> None:
    namespace, token = agent_token
    rights = readme_rights()
    asked = {
        *(verb for kind in rights.values() for verbs in kind.values() for verb in verbs),
        "update",
        "deletecollection",
        "impersonate",
    }
    resources = (
        "pods",
        "secrets",
        "services",
        "configmaps",
        "events",
        "nodes",
        "namespaces",
        "serviceaccounts",
        "pods/exec",
    )
    async with kubernetes.api(token) as agent:
        for place in (namespace, "kube-system", ""):
            for resource in resources:
                for verb in sorted(asked):
                    expected = verb in rights["cluster"].get(resource, ())
                    expected |= place == namespace and verb in rights["its namespace"].get(resource, ())
                    assert await allowed(agent, place, resource, verb) == expected, (place, resource, verb)
        assert await allowed(agent, "", "namespaces", "get", "kube-system")
        assert not await allowed(agent, "", "namespaces", "get", "default")
        assert await agent.get(f"/api/v1/namespaces/{namespace}/secrets")
        with pytest.raises(Refused, match="403"):
            await agent.get("/api/v1/secrets")


# What our programs know


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_variable_is_a_setting_of_the_program_that_gets_it(name: str) -> None:
    """A variable of a container is read by its program; one that a ConfigMap gives to all is read by at least one of them."""
    asked, known_to_some = set(), set()
    for one in services(name):
        assert one.module is not None
        assert k8s.runs(one.module), one.module
        known = k8s.known_variables(one.module)
        known_to_some |= known
        asked |= {variable for variable in one.shared if variable.startswith("OSMO_")}
        own = {variable for variable in set(one.environment) - one.shared if variable.startswith("OSMO_")}
        assert own <= known, f"{one.workload}/{one.name}: {own - known}"
    assert asked <= known_to_some


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_value_is_one_that_its_setting_may_have(name: str) -> None:
    for one in services(name):
        assert one.module is not None
        for kind in k8s.settings_of(one.module):
            load_settings(kind, one.environment)


@pytest.mark.parametrize("name", OVERLAYS)
def test_services_are_asked_for_their_health_where_they_answer(name: str) -> None:
    for one in services(name):
        if one.module == "osmo_gateway.streams":
            continue  # ends before anybody asks
        assert one.environment["OSMO_HEALTH_PORT"] == str(one.port("health"))
        assert one.environment["OSMO_HEALTH_HOST"] == "0.0.0.0"
        paths = {kind: one.spec[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
        assert {asked["port"] for asked in paths.values()} == {"health"}
        # A standby of the scheduler is never ready, and well.
        ready = LIVE if one.module == "osmo_scheduler" else READY
        assert [paths[kind]["path"] for kind in paths] == [LIVE, LIVE, ready]


@pytest.mark.parametrize("name", OVERLAYS)
def test_ports_of_services_lead_to_ports_that_programs_listen_on(name: str) -> None:
    listens = {"osmo_gateway": "OSMO_PORT", "osmo_log_router": "OSMO_LOG_ROUTER_PORT"}
    for one in services(name):
        if one.module in listens:
            assert one.environment[listens[one.module]] == str(one.port("http"))
    objects = overlay(name)
    for service in k8s.of_kind(objects, "Service"):
        chosen = selected(objects, service["spec"]["selector"])
        assert len(chosen) == 1, service["metadata"]["name"]
        ports = {port["name"] for one in chosen[0]["spec"]["template"]["spec"]["containers"] for port in one["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@pytest.mark.parametrize("name", OVERLAYS)
def test_images_are_ours_or_the_two_servers_and_have_a_version(name: str) -> None:
    for one in k8s.containers(overlay(name)):
        image, tag = one.image
        assert image in {"osmo-service", "nats", "postgres"}
        assert re.match(r"\d+\.\d+", tag), one.spec["image"]
        if image == "nats":
            said = subprocess.run(
                [nats_server_program(), "--version"], check=True, capture_output=True, text=True
            ).stdout
            assert f"v{tag.removesuffix('-alpine')}" in said, "not the version that the tests use"
        if "OSMO_RUNTIME_IMAGE" in one.environment:
            assert re.fullmatch(r"osmo-runtime:\d+\.\d+\.\d+", one.environment["OSMO_RUNTIME_IMAGE"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_pod_has_more_rights_than_it_needs(name: str) -> None:
    for workload in k8s.of_kind(overlay(name), "Deployment", "StatefulSet"):
        pod = workload["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is (workload["metadata"]["name"] == "osmo-agent")
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        for one in [*pod.get("initContainers", ()), *pod["containers"]]:
            assert one["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"cpu", "memory"} <= one["resources"]["requests"].keys()
            assert "memory" in one["resources"]["limits"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_secret_is_in_a_manifest(name: str) -> None:
    assert not k8s.of_kind(overlay(name), "Secret")


def test_the_accounts_of_nats_are_those_that_agents_and_services_know() -> None:
    wanted = accounts_config(service_password="<password>", issuer="$NATS_ISSUER").replace(
        '"<password>"', "$NATS_PASSWORD"
    )
    head, _, text = (k8s.ROOT / "k8s" / "base" / "nats" / "accounts.conf").read_text(encoding="utf-8").partition("\n")
    assert head.startswith("#")
    assert text == wanted


# The ha overlay


def test_ha_has_a_second_of_everything_and_a_budget_for_it() -> None:
    objects = overlay("ha")
    budgets = [
        selected(objects, one["spec"]["selector"]["matchLabels"]) for one in k8s.of_kind(objects, "PodDisruptionBudget")
    ]
    assert all(len(chosen) == 1 for chosen in budgets)
    workloads = k8s.of_kind(objects, "Deployment", "StatefulSet")
    assert {chosen[0]["metadata"]["name"] for chosen in budgets} == {one["metadata"]["name"] for one in workloads}
    for one in workloads:
        assert one["spec"]["replicas"] == (3 if one["kind"] == "StatefulSet" else 2)
        assert one["spec"]["template"]["spec"]["topologySpreadConstraints"]


def test_ha_has_schedulers_for_every_shard_and_none_that_share_a_selector() -> None:
    found = [one for one in services("ha") if one.module == "osmo_scheduler"]
    shards = found[0].environment["OSMO_SHARDS"]
    assert sorted(one.environment["OSMO_SHARD"] for one in found) == [str(shard) for shard in range(int(shards))]
    assert {one.environment["OSMO_SHARDS"] for one in services("ha") if one.module != "osmo_gateway"} == {shards}
    for one in k8s.of_kind(overlay("ha"), "Deployment"):
        assert selected(overlay("ha"), one["spec"]["selector"]["matchLabels"]) == [one]


def test_ha_lets_every_pod_do_what_it_needs_and_nothing_else() -> None:
    """The connections that network policies leave open, each as (from, to, port); `ingress` and `anywhere` are outside."""
    gates = ("gateway", "log-router")
    ours = ("data", "gateway", "log-router", "scheduler", "scheduler-1", "submit")
    assert open_connections(overlay("ha")) == {
        *((one, "nats", 4222) for one in ours),
        ("nats", "nats", 6222),
        *(("ingress", one, port) for one, port in zip(gates, (8000, 8010), strict=True)),
        ("ingress", "nats", 8080),
        ("gateway", "anywhere", 5432),
        ("data", "anywhere", 443),
        *((one, "names", 53) for one in (*ours, "nats")),
    }


def open_connections(objects: list[Object]) -> set[tuple[str, str, int]]:
    """What is open at both ends: between two pods of ours, both must allow it."""
    out, into = _allowed(objects, "egress", "to"), _allowed(objects, "ingress", "from")
    inner = {(here, there, port) for here, there, port in out if there not in {"anywhere", "names"}}
    assert all((there, here, port) in into for here, there, port in inner), "one end is closed"
    taken = {(there, here, port) for here, there, port in into if there == "ingress" or (there, here, port) in inner}
    return taken | (out - inner)


def _allowed(objects: list[Object], way: str, whom: str) -> set[tuple[str, str, int]]:
    found = set()
    for policy in k8s.of_kind(objects, "NetworkPolicy"):
        mine = [
            one["metadata"]["name"] for one in selected(objects, policy["spec"]["podSelector"].get("matchLabels", {}))
        ]
        assert mine, policy["metadata"]["name"]
        for rule in policy["spec"].get(way, ()):
            peers = [_peer(objects, peer) for peer in rule.get(whom, ())] or [["anywhere"]]
            ports = [port["port"] for port in rule["ports"]]
            found |= {(one, peer, port) for one in mine for many in peers for peer in many for port in ports}
    return found


def _peer(objects: list[Object], peer: Object) -> list[str]:
    if "podSelector" in peer:
        return [one["metadata"]["name"] for one in selected(objects, peer["podSelector"]["matchLabels"])]
    labels = peer["namespaceSelector"]["matchLabels"]
    return ["ingress" if labels == {"osmo.ingress": "true"} else "names"]


# How the tests above ask


def selected(objects: list[Object], labels: dict[str, str]) -> list[Object]:
    """The workloads whose pods have these labels."""
    workloads = k8s.of_kind(objects, "Deployment", "StatefulSet")
    return [one for one in workloads if labels.items() <= one["spec"]["template"]["metadata"]["labels"].items()]


def wanted_secrets(objects: list[Object]) -> set[tuple[str, str]]:
    """(name, key) of everything that containers and volumes take from a Secret."""
    found = set()
    for one in k8s.containers(objects):
        found |= {
            tuple(value[1:-1].split("/")) for value in one.environment.values() if re.fullmatch(r"<[\w-]+/.+>", value)
        }
    for workload in k8s.of_kind(objects, "Deployment", "StatefulSet"):
        for volume in workload["spec"]["template"]["spec"].get("volumes", ()):
            items = volume.get("secret", {}).get("items", ())
            found |= {(volume["secret"]["secretName"], item["key"]) for item in items}
    return found


def moved(objects: list[Object], namespace: str) -> list[Object]:
    """The same in a namespace of the test's own."""
    text = dumped(objects).decode()
    text = re.sub(rf"^(\s*namespace:) {k8s.NAMESPACE}$", rf"\1 {namespace}", text, flags=re.MULTILINE)
    found = k8s.load_all(text)
    for one in k8s.of_kind(found, "Namespace"):
        one["metadata"]["name"] = namespace
    return found


def dumped(objects: list[Object]) -> bytes:
    return bytes(yaml.safe_dump_all(objects, encoding="utf-8"))


async def apply(kubernetes: KubernetesCluster, objects: list[Object], *options: str) -> str:
    flags = ("--server-side", "--validate=strict", "--warnings-as-errors", *options)
    return await kubernetes.kubectl("apply", *flags, "--filename", "-", stdin=dumped(objects))


def make_secrets(kubernetes: KubernetesCluster, bin_dir: Path, *arguments: str) -> str:
    """What the script says, run with the cluster's own kubectl."""
    kubectl = bin_dir / "kubectl"
    if not kubectl.exists():
        kubectl.symlink_to(kubernetes.programs / "kubectl")
    environment = {
        "PATH": f"{bin_dir}:/usr/bin:/bin",
        "KUBECONFIG": str(kubernetes.kubeconfig),
        "HOME": str(bin_dir),
        "PYTHON": sys.executable,
    }
    command = ["sh", str(SECRETS_SCRIPT), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


async def read_secret(kubernetes: KubernetesCluster, namespace: str, name: str, key: str) -> str:
    template = f"go-template={{{{index .data {key!r} | base64decode}}}}".replace("'", '"')
    return await kubernetes.kubectl("--namespace", namespace, "get", "secret", name, "--output", template)


async def allowed(api: Any, namespace: str, resource: str, verb: str, name: str = "") -> bool:
    resource, _, subresource = resource.partition("/")
    attributes = {"namespace": namespace, "resource": resource, "subresource": subresource, "verb": verb, "name": name}
    asked = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await api.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", asked)
    return bool(answer["status"]["allowed"])
