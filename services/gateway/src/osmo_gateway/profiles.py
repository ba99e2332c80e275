"""What people chose for themselves: objects of kind `profile` on the CONFIG stream, one per user."""

import asyncio
import logging
import random

import msgspec
from msgspec import Raw

from osmo_api.http import Profile, ProfileAnswer, TokenEntry
from osmo_domain.commit import Commit, encode_commit
from osmo_domain.config import CONFIG_CODEC, ConfigEvent, ConfigSet
from osmo_domain.errors import Rejected
from osmo_domain.ids import new_uuid
from osmo_eventlog.following import follow_to_now
from osmo_eventlog.ports import EventLog, LastPerSubject, Recorded
from osmo_eventlog.subjects import CONFIG, config
from osmo_gateway.caller import Caller
from osmo_gateway.estate import Estate
from osmo_service.clock import Clock

log = logging.getLogger("osmo.gateway.profiles")

_DEFAULT_POOL = "default"


class Profiles:
    def __init__(self, event_log: EventLog, estate: Estate, clock: Clock, rng: random.Random) -> None:
        self._log = event_log
        self._estate = estate
        self._clock = clock
        self._rng = rng
        self._profiles: dict[str, Profile] = {}
        self._changing = asyncio.Lock()
        self.known = asyncio.Event()

    async def follow(self) -> None:
        """Root loop: know the profile of every user."""
        profiles = ["osmo.config.profile.*"]
        async for batch in follow_to_now(self._log, CONFIG, profiles, LastPerSubject(), self.known):
            for record in batch:
                self._see(record)

    def pool_of(self, user: str) -> str | None:
        """The user's pool; for those who chose none the pool called `default`, or the only one there is."""
        chosen = self._profiles.get(user, Profile()).pool
        pools = self._estate.catalogue.pools
        if chosen is not None:
            return chosen
        if _DEFAULT_POOL in pools:
            return _DEFAULT_POOL
        return next(iter(pools)) if len(pools) == 1 else None

    def answer(self, caller: Caller) -> ProfileAnswer:
        stored = self._profiles.get(caller.user, Profile())
        shown = Profile(
            username=stored.username or caller.user,
            email_notification=stored.email_notification or False,
            slack_notification=stored.slack_notification or False,
            pool=self.pool_of(caller.user),
        )
        pools = caller.allowed_pools or tuple(sorted(self._estate.catalogue.pools))
        token = TokenEntry(caller.token_name) if caller.token_name else None
        return ProfileAnswer(profile=shown, roles=list(caller.roles), pools=list(pools), token=token)

    async def change(self, caller: Caller, wanted: Profile) -> None:
        """Set the fields that are not null. The pool must exist."""
        if wanted.pool is not None and wanted.pool not in self._estate.catalogue.pools:
            raise Rejected("pool.unknown", f"Pool {wanted.pool[:200]} does not exist.")
        async with self._changing:
            given = {name: value for name in wanted.__struct_fields__ if (value := getattr(wanted, name)) is not None}
            changed = msgspec.structs.replace(self._profiles.get(caller.user, Profile()), **given)
            await self._append(caller.user, changed)
            self._profiles[caller.user] = changed

    async def _append(self, user: str, profile: Profile) -> None:
        event = ConfigSet(kind="profile", name=user, value=Raw(msgspec.json.encode(profile)))
        commit: Commit[ConfigEvent] = Commit(id=new_uuid(self._rng), at=self._clock.now(), actor=user, events=[event])
        await self._log.append(config("profile", user), encode_commit(commit), message_id=commit.id, expected=None)

    def _see(self, record: Recorded) -> None:
        try:
            for event in CONFIG_CODEC.decode(record.data).events:
                if isinstance(event, ConfigSet):
                    self._profiles[event.name] = msgspec.json.decode(event.value, type=Profile)
        except msgspec.DecodeError as error:
            log.error("not a profile: passed over", extra={"subject": record.subject, "error": str(error)})
