"""Where things lie in the runtime image and in a pod's volumes, and the commands of its three containers. What makes pods uses these names only.

The image holds one folder, `IMAGE_DIR`. osmo-init copies it into the volume that is mounted at `VOLUME_DIR`, because a user's container has the
user's image: of ours it sees that volume alone. ctrl and init are containers of our image and run from `IMAGE_DIR`, so that all of a node's share
its pages. Every entry program is one small static file (images/starter.c) that starts the Python beside it and is told by its name which module.

| volume | in osmo-init | in osmo-ctrl | in the user's container |
| --- | --- | --- | --- |
| `osmo` | `/osmo/bin` | | `/osmo/bin`, read-only |
| `osmo-data` | `/osmo/data` | subPaths `socket`, `input`, `output` (read-only), `benchmarks` | the same, all writable |
| `osmo-login` | `/osmo/login` | subPath `ctrl/config` at `/osmo/login/config` | subPath `user/config` at `/osmo/login/config` |
| `osmo-usr-bin` | `/osmo/usr/bin` | | `/osmo/usr/bin`, read-only |
| `osmo-run` | `/osmo/run` | | `/osmo/run` |
"""

from typing import Final

IMAGE_DIR: Final = "/opt/osmo"
VOLUME_DIR: Final = "/osmo/bin"

EXEC_NAME: Final = "osmo_exec"
CTRL_NAME: Final = "osmo_ctrl"
INIT_NAME: Final = "osmo_init"
CLI_NAME: Final = "osmo"

USER_COMMAND: Final = (f"{VOLUME_DIR}/{EXEC_NAME}",)
"""Goes on with the flags of `osmo_runtime.user`: `-socketPath`, `-userBinPath`, `-checkpoint` ..., `-commands` ..., `-args` ..."""

CTRL_COMMAND: Final = (f"{IMAGE_DIR}/{CTRL_NAME}",)
"""Goes on with the flags of `osmo_runtime.ctrl`: `--pod FILE`, `--secrets FILE`, `--grace SECONDS` (the pod's, where it is not 30)."""

INIT_COMMAND: Final = (f"{IMAGE_DIR}/{INIT_NAME}", "--install", VOLUME_DIR)
"""Goes on with `--service-url URL --user NAME` where the `osmo` inside the task shall be logged in."""

USER_LOGIN: Final = "user/config"
CTRL_LOGIN: Final = "ctrl/config"
"""Folders of the volume `osmo-login`."""
