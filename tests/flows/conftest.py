"""One real `osmo up` for all tests of this folder that speak HTTP, with simulated nodes beside this machine."""

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.flows.person import Person, person
from tests.installation import Installation, installation


@pytest.fixture(scope="session")
def up() -> Iterator[Installation]:
    with installation(simulated_nodes="2x8") as one:
        yield one


@pytest.fixture
async def ada(up: Installation) -> AsyncIterator[Person]:
    async with person(up.url, "ada") as one:
        yield one
