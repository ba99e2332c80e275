"""`osmo_exec -socketPath S [-checkpoint 'path;url;seconds;regex'] -commands C ... -args A ...`: the entry point of the user's container."""

import os
import sys
from collections.abc import Sequence

from osmo_runtime.given_environment import given_environment
from osmo_runtime.user.flags import BadFlags, user_job
from osmo_runtime.user.wrapper import run_user

BAD_FLAGS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        job = user_job(sys.argv[1:] if arguments is None else arguments, given_environment())
    except BadFlags as error:
        os.write(2, f"osmo_exec: {error}\n".encode())
        return BAD_FLAGS
    return run_user(job)


if __name__ == "__main__":
    sys.exit(main())
