"""Names of images, as far as it matters whose registry they are in."""

from typing import Final

from osmo_domain.credential_payload import DOCKER_HUB, DOCKER_HUB_NAMES


def repository(image: str) -> str:
    """`host[:port]/path` without tag and digest; Docker Hub is `docker.io`, and what has no path there is in `library/`."""
    name = image.partition("@")[0]
    first, slash, rest = name.partition("/")
    if slash and _is_host(first):
        host, path = first.lower(), rest
    else:
        host, path = DOCKER_HUB, name
    if host in DOCKER_HUB_NAMES:
        host, path = DOCKER_HUB, path if "/" in path else f"library/{path}"
    return f"{host}/{_without_tag(path)}"


def in_scope(scope: str, image: str) -> bool:
    """Whether a login for this scope (`host[:port][/path]`) is one for the image."""
    return f"{repository(image)}/".startswith(f"{scope}/")


_LOCAL: Final = "localhost"


def _is_host(part: str) -> bool:
    return "." in part or ":" in part or part == _LOCAL


def _without_tag(path: str) -> str:
    directory, slash, last = path.rpartition("/")
    return f"{directory}{slash}{last.partition(':')[0]}"
