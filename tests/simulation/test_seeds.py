"""Every seed keeps every invariant, and a seed replays to the bit."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.simulation.run import simulate

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 200
AT_ONCE = 10


@pytest.fixture(autouse=True)
def _quiet() -> object:
    """Services say much when everything around them breaks."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_invariants_hold_under_every_seed(first: int) -> None:
    verdicts = [simulate(seed) for seed in range(first, first + AT_ONCE)]
    assert {verdict.seed: verdict.problems for verdict in verdicts if verdict.problems} == {}
    assert all(verdict.workflows > 0 for verdict in verdicts)


def test_the_seeds_do_harm_and_do_work() -> None:
    """A simulation in which nothing dies and nothing runs would prove nothing."""
    verdicts = [simulate(seed) for seed in range(20)]
    assert sum(verdict.kills for verdict in verdicts) > 20
    assert sum(verdict.pods for verdict in verdicts) > 200


def test_a_seed_replays_identically_in_another_process_with_another_hash_seed() -> None:
    told = {_told(hash_seed) for hash_seed in ("1", "2")}
    assert len(told) == 1


def _told(hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-m", "tests.simulation", "--seed", "7"]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert "digest" in ran.stdout, ran.stderr
    return ran.stdout.splitlines()[0]
