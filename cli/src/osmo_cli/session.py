"""What a command runs with: its arguments, the environment, and the server that the person is logged in to."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from osmo_cli.client import Client
from osmo_cli.directories import config_dir
from osmo_cli.errors import ServerError, UserError
from osmo_cli.identity import identity_headers, user_name
from osmo_cli.login_file import DevLogin, Login, read_login

LOCAL_URL = "http://127.0.0.1:8000"
NO_LOGIN = f"""Not logged in, and no server answers at {LOCAL_URL}.
Start one on this machine with `osmo up`, or log in to yours with `osmo login URL`."""


@dataclass(frozen=True, slots=True)
class Session:
    """`args` are the parsed arguments of the command."""

    args: argparse.Namespace
    environ: Mapping[str, str]

    @property
    def directory(self) -> Path:
        return config_dir(self.environ)

    def login(self) -> Login | None:
        return read_login(self.directory)

    def client(self) -> Client:
        """A client of the stored login's server; without a login, of `osmo up` on this machine, as the machine's user."""
        login = self.login()
        if login is not None:
            return self._client(login)
        local = Login(LOCAL_URL, dev_login=DevLogin(user_name(self.environ)))
        try:
            Client(LOCAL_URL, dict, attempts=1).get("api/version")
        except (ServerError, UserError) as error:
            raise UserError(NO_LOGIN) from error
        return self._client(local)

    def _client(self, login: Login) -> Client:
        return Client(login.url, lambda: identity_headers(login, self.directory, self.environ))
