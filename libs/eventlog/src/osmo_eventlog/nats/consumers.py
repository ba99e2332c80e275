"""Durable consumers: made or updated here, nowhere else (style P7)."""

from collections.abc import Sequence

from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from osmo_eventlog.nats.errors import CONSUMER_NOT_FOUND, LIBRARY_ERRORS, translate
from osmo_eventlog.nats.link import Link
from osmo_eventlog.nats.retrying import Deadline
from osmo_eventlog.streams import MAX_ACK_PENDING


class Consumers:
    def __init__(self, link: Link) -> None:
        self._link = link
        self._known: dict[tuple[str, str], ConsumerConfig] = {}

    async def ensure(self, stream: str, durable: str, subjects: Sequence[str], *, ack_wait_s: float) -> None:
        config = ConsumerConfig(
            durable_name=durable,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ack_wait_s,
            max_ack_pending=MAX_ACK_PENDING,
            max_deliver=-1,
            filter_subjects=list(subjects),
        )
        await self._make(stream, config)
        self._known[stream, durable] = config

    async def restored(self, stream: str, durable: str) -> bool:
        """Whether the consumer is there (again). False where it is gone and `ensure` was not called for it here."""
        try:
            await self._link.js.consumer_info(stream, durable)
        except LIBRARY_ERRORS as error:
            if getattr(error, "err_code", None) != CONSUMER_NOT_FOUND:
                raise translate(error, f"consumer {durable}") from error
        else:
            return True
        config = self._known.get((stream, durable))
        if config is None:
            return False
        await self._make(stream, config)
        return True

    async def _make(self, stream: str, config: ConsumerConfig) -> None:
        deadline = Deadline(self._link)
        while True:
            await deadline.joined()
            try:
                await self._link.js.add_consumer(stream, config)
            except LIBRARY_ERRORS as error:
                await deadline.again(translate(error, f"consumer {config.durable_name}"), error)
            else:
                return
