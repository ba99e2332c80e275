"""`osmo` inside a task: the CLI of this installation, as a module of the runtime."""

import sys

from osmo_cli.__main__ import main
from osmo_runtime.certificates import trust_public_authorities
from osmo_runtime.given_environment import give_back

if __name__ == "__main__":
    give_back()
    trust_public_authorities()
    sys.exit(main())
