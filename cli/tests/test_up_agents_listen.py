"""`osmo up --agents-listen`: the door for agents of other clusters, with and without TLS."""

import argparse
import asyncio
import random
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.installation import free_port
from tests.servers import running_nats

from osmo_cli.errors import UserError
from osmo_cli.up.command import _door, configure
from osmo_cli.up.layout import DataDir, Ports
from osmo_cli.up.nats_server import AgentDoor
from osmo_cli.up.services import Addresses, agents, backend_tokens, services
from osmo_eventlog import subjects as s
from osmo_eventlog.agent_rights import rights_of
from osmo_eventlog.nats import AgentLogin, apply_streams, connect
from osmo_eventlog.nats.accounts import accounts_config
from osmo_eventlog.nats.callout import Issuer, new_issuer_seed, read_caller


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Of this machine, signed by itself: certificate and key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "osmo")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "key.pem").write_bytes(private)
    return tmp_path / "cert.pem", tmp_path / "key.pem"


@pytest.mark.filterwarnings(
    "ignore:.*ws_connect.*:DeprecationWarning", "ignore:.*timeout.*:DeprecationWarning"
)  # nats-py's use of aiohttp
@pytest.mark.parametrize("tls", [True, False])
async def test_an_agent_comes_in_over_websocket_and_comes_again(
    tls: bool, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    door = AgentDoor("127.0.0.1", free_port(), *(certificate if tls else ()))
    assert door.url == f"{'wss' if tls else 'ws'}://127.0.0.1:{door.port}"
    issuer = Issuer(new_issuer_seed())
    token_file = tmp_path / "token"
    token_file.write_text("good")

    async def answer(data: bytes) -> bytes:
        caller, now = read_caller(data), datetime.now(UTC)
        assert caller.token == "good"
        until = now + timedelta(hours=1)
        return issuer.let_in(caller, name="a/1", rights=rights_of("a"), now=now, until=until)

    config = accounts_config(service_password="x1", issuer=issuer.public) + door.config()
    with running_nats(config) as server:
        url = server.url.replace("//", "//osmo:x1@")
        async with connect(url, name="service", rng=random.Random(1)) as service:
            await apply_streams(service)
            options = AgentLogin("a", token_file, str(certificate[0]) if tls else "").options()
            async with (
                service.requests.serve("door", s.AUTH_QUESTIONS, answer),
                connect(door.url, name="agent-a", rng=random.Random(2), options=options) as agent,
            ):
                assert await agent.log.publish(s.cluster("a", "pods"), b"x" * 300_000, message_id="1") == 1
                assert await service.clients.send_away({"a/1"}) == 1
                async with asyncio.timeout(20):
                    while agent.link.joins == 0:
                        await asyncio.sleep(0.01)
                assert await agent.log.publish(s.cluster("a", "pods"), b"again", message_id="2") == 2


def parsed(*words: str, environ: dict[str, str] | None = None) -> AgentDoor | None:
    parser = argparse.ArgumentParser()
    configure(parser)
    return _door(parser.parse_args(list(words)), environ or {})


def test_what_is_asked_for_must_make_sense(certificate: tuple[Path, Path]) -> None:
    cert, key = map(str, certificate)
    assert parsed() is None
    assert parsed("--agents-listen", "[::1]:4443") == AgentDoor("::1", 4443)
    assert parsed("--agents-listen", "10.0.0.1:4443", "--agents-cert", cert, "--agents-key", key) == AgentDoor(
        "10.0.0.1", 4443, *certificate
    )
    for words, environ in (
        (("--agents-cert", cert), {}),
        (("--agents-listen", "x:1", "--agents-cert", cert), {}),
        (("--agents-listen", "x:1", "--agents-cert", cert, "--agents-key", "/no"), {}),
        (("--agents-listen", "x:1"), {"OSMO_NATS_URL": "nats://x"}),
    ):
        with pytest.raises(UserError):
            parsed(*words, environ=environ)
    for word in ("x", "x:", ":1", "x:0", "x:y"):
        with pytest.raises(SystemExit):
            parsed("--agents-listen", word)


def test_a_door_for_others_opens_log_router_too_and_nothing_else(tmp_path: Path) -> None:
    def where(door: AgentDoor | None) -> Addresses:
        return Addresses(
            "nats://osmo:x@127.0.0.1:1", "nats://127.0.0.1:1", "p", "127.0.0.1", 8000, "http://127.0.0.1:8000",
            Ports(nats=1, log_router=2), door,
        )  # fmt: skip

    data_dir = DataDir(tmp_path)
    closed = {one.name: one.settings for one in services(data_dir, where(None), log_level="INFO")}
    opened = {
        one.name: one.settings for one in services(data_dir, where(AgentDoor("10.0.0.1", 4443)), log_level="INFO")
    }
    assert closed["log-router"]["OSMO_LOG_ROUTER_HOST"] == "127.0.0.1"
    assert opened["log-router"]["OSMO_LOG_ROUTER_HOST"] == "0.0.0.0"
    assert opened["gateway"]["OSMO_HOST"] == "127.0.0.1"
    assert opened["gateway"]["OSMO_AGENT_NATS_URL"] == "ws://10.0.0.1:4443"
    assert opened["gateway"]["OSMO_AGENT_LOG_ROUTER_URL"] == "http://10.0.0.1:2"
    tokens = backend_tokens(data_dir, ["default", "simulated"])
    assert tokens == backend_tokens(data_dir, ["default", "simulated"])
    for agent in agents(data_dir, where(None), log_level="INFO", simulated_nodes="2x8"):
        assert agent.settings["OSMO_NATS_URL"] == "nats://127.0.0.1:1"
        assert Path(agent.settings["OSMO_BACKEND_TOKEN_FILE"]).stat().st_mode & 0o077 == 0
        assert "osmo:x" not in str(agent.settings)
