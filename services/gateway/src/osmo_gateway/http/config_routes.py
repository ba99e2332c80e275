"""Config objects: services, workflows, backends, pools and their platforms, templates, validations, tests, roles (reference api.md, 1.9)."""

from typing import Annotated, Any, Final

from aiohttp import web
from msgspec import UNSET, Struct

from osmo_api.http import Problem
from osmo_domain.configuration.decide import Note
from osmo_domain.configuration.kinds import SINGLE, ConfigType, single_name
from osmo_domain.configuration.normal import SHAPES
from osmo_domain.configuration.shapes import Assertions, BackendConfig, BackendTest, PlatformConfig, PoolConfig, Role
from osmo_gateway.http.answers import Answer, json_answer
from osmo_gateway.http.endpoints import Routes, like
from osmo_gateway.http.params import BadRequest
from osmo_gateway.http.routing import caller_of, gateway_of, part

routes = Routes()

_SINGLE: Final = "/api/configs/{kind:service|workflow}"
_PLAIN: Final = "/api/configs/{kind:pod_template|group_template|resource_validation|backend_test|role}"
_POOL: Final = "/api/configs/pool"
_PLATFORM: Final = "/api/configs/pool/{pool}/platform"

_SINGLES: Final = {single_name(kind): SHAPES[kind] for kind in SINGLE}
_ONE: Final[dict[str, Any]] = {
    "pod_template": dict[str, Any],
    "group_template": dict[str, Any],
    "resource_validation": Assertions,
    "backend_test": BackendTest,
    "role": Role,
}
_ALL: Final[dict[str, Any]] = {
    "pod_template": dict[str, dict[str, Any]],
    "group_template": dict[str, dict[str, Any]],
    "resource_validation": dict[str, Assertions],
    "backend_test": dict[str, BackendTest],
    "role": list[Role],
}


class WriteBody(Struct):
    """What writes carry: the object or objects, as a read of the same path shows them, or what to change of one; and what to say about it."""

    configs: Any = UNSET
    configs_dict: Any = UNSET
    description: str | None = None
    tags: list[str] | None = None
    new_name: str | None = None
    force: bool = False

    @property
    def note(self) -> Note:
        return Note(self.description or "", tuple(self.tags or ()))

    @property
    def given(self) -> Any:
        """`configs`, or `configs_dict`: the reference has both, and so may anybody."""
        found = self.configs if self.configs is not UNSET else self.configs_dict
        if found is UNSET or found is None:
            raise BadRequest([Problem("missing", ("body", "configs"), "this field is required")])
        return found

    @property
    def given_map(self) -> dict[str, Any]:
        found = self.given
        if not isinstance(found, dict):
            raise BadRequest([Problem("dict_type", ("body", "configs"), "expected an object")])
        return found

    @property
    def wanted_name(self) -> str:
        if not self.new_name:
            raise BadRequest([Problem("missing", ("body", "new_name"), "this field is required")])
        return self.new_name


def _kind(request: web.Request) -> ConfigType:
    return ConfigType(part(request, "kind").upper())


class PoolQuery(Struct, frozen=True):
    """`verbose` adds what follows from the pool's templates and from its cluster."""

    verbose: bool = False


class PoolsQuery(PoolQuery, frozen=True):
    backend: str | None = None


class BackendConfigsAnswer(Struct, frozen=True):
    backends: list[Annotated[Any, like(BackendConfig)]]


class PoolConfigsAnswer(Struct, frozen=True):
    pools: dict[str, Annotated[Any, like(PoolConfig)]]


# The two that are one object each


@routes.get(_SINGLE, shown=_SINGLES)
async def single(request: web.Request) -> Answer[Any]:
    """The one object of this type; its secrets are stars."""
    return json_answer(gateway_of(request).config_reads.single(_kind(request)))


@routes.put(_SINGLE, shown=_SINGLES)
async def put_single(request: web.Request, body: WriteBody) -> Answer[Any]:
    """Put the whole object in place of the one that is there."""
    kind, gateway = _kind(request), gateway_of(request)
    await gateway.config_writes.put_single(caller_of(request).user, kind, body.given_map, body.note)
    return json_answer(gateway.config_reads.single(kind))


@routes.patch(_SINGLE, shown=_SINGLES)
async def patch_single(request: web.Request, body: WriteBody) -> Answer[Any]:
    """Change what the patch has of the object."""
    kind, gateway = _kind(request), gateway_of(request)
    await gateway.config_writes.patch(caller_of(request).user, kind, single_name(kind), body.given_map, body.note)
    return json_answer(gateway.config_reads.single(kind))


# Backends


@routes.get("/api/configs/backend")
async def backends(request: web.Request) -> Answer[BackendConfigsAnswer]:
    """Backends that are configured, and those whose agents are there."""
    return json_answer(BackendConfigsAnswer(gateway_of(request).config_reads.backends()))


@routes.get("/api/configs/backend/{name}", shown={"": BackendConfig})
async def backend(request: web.Request) -> Answer[dict[str, Any]]:
    """The configuration of one backend, and what its agent says of it."""
    return json_answer(gateway_of(request).config_reads.backend(part(request, "name")))


@routes.post("/api/configs/backend/{name}")
async def update_backend(request: web.Request, body: WriteBody) -> Answer[None]:
    """Change the configuration of a backend."""
    writes = gateway_of(request).config_writes
    await writes.update_backend(caller_of(request).user, part(request, "name"), body.given_map, body.note)
    return json_answer(None)


@routes.delete("/api/configs/backend/{name}")
async def delete_backend(request: web.Request, body: WriteBody) -> Answer[None]:
    """Delete the configuration of a backend."""
    writes = gateway_of(request).config_writes
    user, name = caller_of(request).user, part(request, "name")
    await writes.delete(user, ConfigType.BACKEND, name, body.note, force=body.force)
    return json_answer(None)


# Pools


@routes.get(_POOL)
async def pools(request: web.Request, query: PoolsQuery) -> Answer[PoolConfigsAnswer]:
    """The configuration of pools, by name."""
    found = gateway_of(request).config_reads.pools(verbose=query.verbose, backend=query.backend)
    return json_answer(PoolConfigsAnswer(found))


@routes.put(_POOL)
async def put_pools(request: web.Request, body: WriteBody) -> Answer[None]:
    """Put these pools in place of all that are there."""
    writes = gateway_of(request).config_writes
    await writes.put(caller_of(request).user, ConfigType.POOL, body.given_map, body.note)
    return json_answer(None)


@routes.get(_POOL + "/{name}", shown={"": PoolConfig})
async def pool(request: web.Request, query: PoolQuery) -> Answer[dict[str, Any]]:
    """The configuration of one pool."""
    return json_answer(gateway_of(request).config_reads.pool(part(request, "name"), verbose=query.verbose))


@routes.put(_POOL + "/{name}")
async def put_pool(request: web.Request, body: WriteBody) -> Answer[None]:
    """Make a pool, or put it in place of the one of this name."""
    return await _put_one(request, body, ConfigType.POOL)


@routes.patch(_POOL + "/{name}", shown={"": PoolConfig})
async def patch_pool(request: web.Request, body: WriteBody) -> Answer[dict[str, Any]]:
    """Change what the patch has of a pool."""
    await _patch_one(request, body, ConfigType.POOL)
    return json_answer(gateway_of(request).config_reads.pool(part(request, "name"), verbose=True))


@routes.delete(_POOL + "/{name}")
async def delete_pool(request: web.Request, body: WriteBody) -> Answer[None]:
    """Delete a pool that nothing waits or runs in."""
    return await _delete_one(request, body, ConfigType.POOL)


@routes.put(_POOL + "/{name}/rename")
async def rename_pool(request: web.Request, body: WriteBody) -> Answer[None]:
    """Give a pool another name."""
    writes = gateway_of(request).config_writes
    await writes.rename(caller_of(request).user, part(request, "name"), body.wanted_name, body.note)
    return json_answer(None)


@routes.get(_PLATFORM, shown={"": dict[str, PlatformConfig]})
async def platforms(request: web.Request, query: PoolQuery) -> Answer[dict[str, Any]]:
    """The platforms of a pool, by name."""
    return json_answer(gateway_of(request).config_reads.platforms(part(request, "pool"), verbose=query.verbose))


@routes.get(_PLATFORM + "/{name}", shown={"": PlatformConfig})
async def platform(request: web.Request, query: PoolQuery) -> Answer[Any]:
    """One platform of a pool."""
    reads = gateway_of(request).config_reads
    return json_answer(reads.platform(part(request, "pool"), part(request, "name"), verbose=query.verbose))


@routes.put(_PLATFORM + "/{name}")
async def put_platform(request: web.Request, body: WriteBody) -> Answer[None]:
    """Make a platform of a pool, or put it in place of the one of this name."""
    writes = gateway_of(request).config_writes
    user, names = caller_of(request).user, (part(request, "pool"), part(request, "name"))
    await writes.put_platform(user, *names, body.given_map, body.note)
    return json_answer(None)


@routes.put(_PLATFORM + "/{name}/rename")
async def rename_platform(request: web.Request, body: WriteBody) -> Answer[None]:
    """Give a platform of a pool another name."""
    writes = gateway_of(request).config_writes
    user, names = caller_of(request).user, (part(request, "pool"), part(request, "name"))
    await writes.rename_platform(user, *names, body.wanted_name, body.note)
    return json_answer(None)


# Templates, validations, tests, roles: maps of names to objects (roles: a list)


@routes.get(_PLAIN, shown=_ALL)
async def plain(request: web.Request) -> Answer[Any]:
    """Every object of this type: a map of names to objects; a list for roles."""
    kind = _kind(request)
    found = gateway_of(request).config_reads.named(kind)
    return json_answer(list(found.values()) if kind is ConfigType.ROLE else found)


@routes.put(_PLAIN)
async def put_plain(request: web.Request, body: WriteBody) -> Answer[None]:
    """Put these objects in place of all that are there of this type."""
    kind, writes = _kind(request), gateway_of(request).config_writes
    objects = _by_name(body.given) if kind is ConfigType.ROLE else body.given_map
    await writes.put(caller_of(request).user, kind, objects, body.note)
    return json_answer(None)


def _by_name(listed: Any) -> dict[str, Any]:
    if not isinstance(listed, list) or not all(isinstance(one, dict) and one.get("name") for one in listed):
        raise BadRequest([Problem("list_type", ("body", "configs"), "expected a list of objects with names")])
    return {str(one["name"]): one for one in listed}


@routes.get(_PLAIN + "/{name}", shown=_ONE)
async def one(request: web.Request) -> Answer[Any]:
    """One object of this type."""
    return json_answer(gateway_of(request).config_reads.one(_kind(request), part(request, "name")))


@routes.put(_PLAIN + "/{name}")
async def put_one(request: web.Request, body: WriteBody) -> Answer[None]:
    """Make an object of this type, or put it in place of the one of this name."""
    return await _put_one(request, body, _kind(request))


@routes.patch("/api/configs/{kind:backend_test}/{name}", shown=_ONE)
async def patch_test(request: web.Request, body: WriteBody) -> Answer[Any]:
    """Change what the patch has of a test of backends."""
    kind = await _patch_one(request, body, ConfigType.BACKEND_TEST)
    return json_answer(gateway_of(request).config_reads.one(kind, part(request, "name")))


@routes.delete(_PLAIN + "/{name}")
async def delete_one(request: web.Request, body: WriteBody) -> Answer[None]:
    """Delete an object of this type that nothing refers to."""
    return await _delete_one(request, body, _kind(request))


async def _put_one(request: web.Request, body: WriteBody, kind: ConfigType) -> Answer[None]:
    name = part(request, "name")
    writes = gateway_of(request).config_writes
    await writes.put(caller_of(request).user, kind, {name: body.given}, body.note, name=name)
    return json_answer(None)


async def _patch_one(request: web.Request, body: WriteBody, kind: ConfigType) -> ConfigType:
    name = part(request, "name")
    await gateway_of(request).config_writes.patch(caller_of(request).user, kind, name, body.given_map, body.note)
    return kind


async def _delete_one(request: web.Request, body: WriteBody, kind: ConfigType) -> Answer[None]:
    name = part(request, "name")
    await gateway_of(request).config_writes.delete(caller_of(request).user, kind, name, body.note)
    return json_answer(None)
