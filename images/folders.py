"""What lies in the runtime image beside the runtime: the places of its volumes, and the two files without which names are not found.

`python -m images.folders DIRECTORY` makes them there.
"""

import sys
from pathlib import Path

FOLDERS = (
    ("etc", 0o755),
    ("osmo", 0o755),
    ("osmo/bin", 0o755),
    ("osmo/data", 0o777),
    ("osmo/login", 0o777),
    ("osmo/run", 0o777),
    ("osmo/usr", 0o755),
    ("osmo/usr/bin", 0o777),
    ("tmp", 0o1777),
)
FILES = {
    "etc/nsswitch.conf": b"hosts: files dns\n",
    "etc/passwd": b"root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
}


def make_folders(target: Path) -> None:
    for name, mode in FOLDERS:
        (target / name).mkdir(parents=True, exist_ok=True)
        (target / name).chmod(mode)
    for name, content in FILES.items():
        (target / name).write_bytes(content)


if __name__ == "__main__":
    make_folders(Path(sys.argv[1]))
