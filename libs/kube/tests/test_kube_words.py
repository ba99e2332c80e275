"""What the API server says, in our words; amounts; configuration files that will not do. No server is needed for these."""

import random
from pathlib import Path

import pytest

from osmo_domain.errors import Rejected, Stale, Transient
from osmo_kube import AlreadyThere, Expired, NotAllowed, NotFound, Rate, Unauthorized, connect
from osmo_kube.errors import Answer, translate
from osmo_kube.quantities import amount

CONFIG = "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n"


def answer(status: int, message: str = "words", reason: str = "", retry_after: str = "") -> Exception:
    body = f'{{"kind": "Status", "reason": "{reason}", "message": {message!r}}}'.replace("'", '"')
    return translate(Answer(status, body.encode(), retry_after), "POST /x")


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (400, "BadRequest", Rejected),
        (401, "Unauthorized", Unauthorized),
        (403, "Forbidden", Rejected),
        (404, "NotFound", NotFound),
        (409, "AlreadyExists", AlreadyThere),
        (409, "Conflict", Stale),
        (410, "Expired", Expired),
        (422, "Invalid", Rejected),
        (429, "TooManyRequests", Transient),
        (500, "InternalError", Transient),
        (504, "Timeout", Transient),
    ],
)
def test_each_answer_has_its_error(status: int, reason: str, kind: type[Exception]) -> None:
    assert type(answer(status, reason=reason)) is kind


def test_a_busy_server_says_how_long_to_wait() -> None:
    error = answer(429, retry_after="7")
    assert isinstance(error, Transient)
    assert error.delay_s == 7


def test_a_missing_right_is_named() -> None:
    said = (
        'pods is forbidden: User \\"system:serviceaccount:osmo:agent\\" cannot create resource \\"pods\\" in API group \\"\\" '
        'in the namespace \\"osmo\\"'
    )
    error = translate(Answer(403, f'{{"reason": "Forbidden", "message": "{said}"}}'.encode()), "POST")
    assert isinstance(error, NotAllowed)
    assert error.message == "the agent may not `create pods` in namespace osmo (system:serviceaccount:osmo:agent)"
    wide = said.replace(
        'in API group \\"\\" in the namespace \\"osmo\\"', 'in API group \\"apps\\" at the cluster scope'
    )
    error = translate(Answer(403, f'{{"reason": "Forbidden", "message": "{wide}"}}'.encode()), "POST")
    assert "`create pods` of API group apps in the whole cluster" in str(error)


def test_what_an_admission_refuses_is_told_in_its_words() -> None:
    error = answer(403, "pods p is forbidden: exceeded quota: q", "Forbidden")
    assert type(error) is Rejected
    assert error.message == "pods p is forbidden: exceeded quota: q"


def test_an_answer_that_is_no_status_is_told_as_it_is() -> None:
    assert "bad gateway" in str(translate(Answer(502, b"<html>bad gateway</html>"), "GET /x"))


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("250m", 0.25),
        ("2", 2),
        (3, 3),
        ("1.5Gi", 1.5 * 2**30),
        ("1G", 1e9),
        ("1e3", 1000),
        ("5k", 5000),
        ("", 0),
        ("x", 0),
    ],
)
def test_amounts(written: str | int, means: float) -> None:
    assert amount(written) == pytest.approx(means)


@pytest.mark.parametrize(
    ("contents", "context", "words"),
    [
        (None, "", "there is no such file"),
        ("a: [", "", "it is not YAML"),
        ("", "", "it is no kubeconfig"),
        ("just words", "", "it is no kubeconfig"),
        ("apiVersion: v1\nkind: Config\n", "", "it is no kubeconfig"),
        (
            CONFIG + "clusters: [{name: c, cluster: {server: 'https://x'}}]\nusers: []\n",
            "b",
            "it has no context b",
        ),
        (
            CONFIG + "clusters: [{name: c, cluster: {server: 'https://x', certificate-authority: /no}}]\nusers: []\n",
            "",
            "/no",
        ),
    ],
)
async def test_a_configuration_that_will_not_do_is_named_with_what_is_wrong(
    tmp_path: Path, contents: str | None, context: str, words: str
) -> None:
    path = tmp_path / "kubeconfig"
    if contents is not None:
        path.write_text(contents)
    with pytest.raises(Rejected) as refused:
        async with connect(str(path), context, rng=random.Random(1), environ={}):
            raise AssertionError("no connection can come of it")
    assert refused.value.code == "kube.config"
    assert str(path) in refused.value.message
    assert words in refused.value.message


async def test_without_a_server_calls_fail_as_something_that_may_pass(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(
        CONFIG
        + "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\nusers: [{name: u, user: {token: t}}]\n"
    )
    async with connect("", "", rng=random.Random(1), environ={"KUBECONFIG": str(path)}) as api:
        with pytest.raises(Transient, match="cannot be reached"):
            await api.get("/version")


async def test_requests_keep_to_their_rate() -> None:
    import asyncio

    rate = Rate(at_once=100, per_s=100, burst=5)
    now = asyncio.get_running_loop().time
    began = now()

    async def one() -> None:
        async with rate.turn():
            pass

    await asyncio.gather(*(one() for _ in range(25)))
    assert now() - began >= 0.19
