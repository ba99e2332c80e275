"""Who we are towards the API server, and where it is: a kubeconfig file, or the service account of the pod that we run in."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

import yaml  # type: ignore[import-untyped]
from kubernetes_asyncio.client import Configuration
from kubernetes_asyncio.config import ConfigException
from kubernetes_asyncio.config.incluster_config import InClusterConfigLoader
from kubernetes_asyncio.config.kube_config import load_kube_config

from osmo_domain.errors import Rejected
from osmo_kube.api import KubeApi
from osmo_kube.rate import Rate
from osmo_kube.session import open_session

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_UNREADABLE: Final = (
    ConfigException,
    yaml.YAMLError,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    AssertionError,
)
"""What the library raises over files that are not what they should be."""

_Renew = Callable[[], Awaitable[None]]


@asynccontextmanager
async def connect(
    kubeconfig: str = "",
    context: str = "",
    *,
    rng: random.Random,
    rate: Rate | None = None,
    environ: Mapping[str, str],
    service_account: Path = SERVICE_ACCOUNT,
) -> AsyncIterator[KubeApi]:
    """The file that is named; else the pod's own service account where there is one; else the person's usual configuration.

    Nobody is asked yet. Refused with `kube.config` and a sentence that names the file and what is wrong with it. A token that is replaced
    in its file (or in the kubeconfig) is picked up without a new connection.
    """
    configuration = Configuration()
    if not kubeconfig and not context and _is_in_cluster(service_account, environ):
        file, renew = str(service_account), _in_cluster(configuration, service_account, environ)
    else:
        file = kubeconfig or _usual(environ)
        renew = partial(_from_file, configuration, file, context)
        await renew()
    try:
        session = open_session(configuration, environ)
    except OSError as error:
        raise _refused(file, f"its certificates cannot be used: {error}") from error
    async with session:
        yield KubeApi(configuration, session, renew, rng, rate)


def _is_in_cluster(service_account: Path, environ: Mapping[str, str]) -> bool:
    return service_account.is_dir() and "KUBERNETES_SERVICE_HOST" in environ


def _usual(environ: Mapping[str, str]) -> str:
    return environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")


def _in_cluster(configuration: Configuration, service_account: Path, environ: Mapping[str, str]) -> _Renew:
    """The library reads the token's file again every minute; `renew` makes it do so at once."""
    loader = InClusterConfigLoader(
        str(service_account / "token"), str(service_account / "ca.crt"), environ=dict(environ)
    )
    try:
        loader.load_and_set(configuration)
    except _UNREADABLE as error:
        raise _refused(str(service_account), f"the service account cannot be used: {error}") from error

    async def renew() -> None:
        loader.token_expires_at = datetime.min  # noqa: DTZ901 - the library compares it with a naive time

    return renew


async def _from_file(configuration: Configuration, path: str, context: str) -> None:
    if not _is_file(path):
        raise _refused(path, "there is no such file")
    try:
        await load_kube_config(path, context=context or None, client_configuration=configuration, persist_config=False)
    except _UNREADABLE as error:
        raise _refused(path, _why(error, context)) from error


def _is_file(path: str) -> bool:
    return Path(path).is_file()


def _why(error: Exception, context: str) -> str:
    if isinstance(error, yaml.YAMLError):
        return f"it is not YAML: {' '.join(str(error).split())}"
    if context and f"name {context} in" in str(error):
        return f"it has no context {context}"
    words = str(error).removeprefix("Invalid kube-config file. ")
    return f"it is no kubeconfig: {words or type(error).__name__}"


def _refused(path: str, why: str) -> Rejected:
    return Rejected("kube.config", f"Kubernetes configuration {path}: {why}")
