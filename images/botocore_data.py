"""botocore's descriptions of services, without what only people read and without services that nobody here calls: a control container holds them in
memory for as long as its task lasts."""

import gzip
import json
from pathlib import Path
from typing import Any

SERVICES = ("s3", "sts")
ENDPOINTS = "endpoints.json"
DOCUMENTATION = "documentation"


def prune_descriptions(data: Path) -> None:
    """Rewrite the files in botocore's folder `data`, in which only the folders of SERVICES are left."""
    _rewrite_endpoints(data / ENDPOINTS)
    for packed in sorted(data.rglob("service-2.json.gz")):
        described = _undocumented(json.loads(gzip.decompress(packed.read_bytes())))
        packed.write_bytes(gzip.compress(_written(described), mtime=0))


def _rewrite_endpoints(path: Path) -> None:
    endpoints = json.loads(path.read_bytes())
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in SERVICES if name in services}
    path.write_bytes(_written(endpoints))


def _undocumented(described: Any) -> Any:
    """With every text of documentation empty, since botocore asks for some. A member of a shape may be called `documentation`, too: that is a map."""
    if isinstance(described, list):
        return [_undocumented(each) for each in described]
    if not isinstance(described, dict):
        return described
    return {
        key: "" if key == DOCUMENTATION and isinstance(each, str) else _undocumented(each)
        for key, each in described.items()
    }


def _written(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
