"""`python -m tests.bench.record NATS_URL > log.jsonl`: the messages of WORKFLOWS, one per line, for `osmo sim FILE --from-log log.jsonl`.

Plans that are stored as blobs are put in. Only reads.
"""

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing

from osmo_domain.commit import encode_commit
from osmo_domain.workflow.events import WORKFLOW_CODEC
from osmo_eventlog.hydrate import hydrate
from osmo_eventlog.nats import connect
from osmo_eventlog.ports import After, Connection, Recorded
from osmo_eventlog.subjects import WORKFLOWS


async def recorded_lines(connection: Connection) -> AsyncIterator[bytes]:
    """All that the stream holds now."""
    last = await connection.log.last_seq(WORKFLOWS)
    if not last:
        return
    async with aclosing(connection.log.follow(WORKFLOWS, [], After(0))) as batches:
        async for batch in batches:
            for record in batch:
                yield await _line(record, connection)
            if batch[-1].seq >= last:
                return


async def _line(record: Recorded, connection: Connection) -> bytes:
    data = record.data
    if b'"plan_blob"' in data:
        data = encode_commit(await hydrate(WORKFLOW_CODEC.decode(data), connection.blobs))
    return b'{"subject": %s, "commit": %s}\n' % (json.dumps(record.subject).encode(), data)


async def _main(url: str) -> None:
    async with connect(url, name="record", rng=random.Random()) as connection:
        async for line in recorded_lines(connection):
            sys.stdout.buffer.write(line)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    asyncio.run(_main(sys.argv[1]))
