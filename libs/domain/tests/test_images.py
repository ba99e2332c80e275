"""Which registry an image is in, and which logins are for it."""

import pytest

from osmo_domain.images import in_scope, repository


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("nginx:1.27", "docker.io/library/nginx"),
        ("me/app:1@sha256:ab", "docker.io/me/app"),
        ("index.docker.io/nginx", "docker.io/library/nginx"),
        ("docker.io/me/app", "docker.io/me/app"),
        ("nvcr.io/nvidia/pytorch:24.01-py3", "nvcr.io/nvidia/pytorch"),
        ("NVCR.io/nvidia/pytorch", "nvcr.io/nvidia/pytorch"),
        ("registry:5000/a/b:c", "registry:5000/a/b"),
        ("localhost/a", "localhost/a"),
        ("me.too/a", "me.too/a"),
        ("", "docker.io/library/"),
    ],
)
def test_an_image_is_in_a_repository_of_a_registry(image: str, name: str) -> None:
    assert repository(image) == name


@pytest.mark.parametrize(
    ("scope", "image", "matches"),
    [
        ("docker.io", "nginx", True),
        ("docker.io/me", "me/app", True),
        ("docker.io/me", "meme/app", False),
        ("nvcr.io", "nvcr.io/nvidia/pytorch:1", True),
        ("nvcr.io/nvidia", "nvcr.io/nvidia/pytorch:1", True),
        ("nvcr.io/nvidia/pytorch", "nvcr.io/nvidia/pytorch:1", True),
        ("nvcr.io/nv", "nvcr.io/nvidia/pytorch:1", False),
        ("docker.io", "nvcr.io/nvidia/pytorch", False),
    ],
)
def test_a_login_is_for_images_below_its_scope(scope: str, image: str, matches: bool) -> None:
    assert in_scope(scope, image) is matches
