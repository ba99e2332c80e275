"""`python -m tests.simulation --seeds 1000 [--first 0] [--seed 17 --verbose]`: many seeds over all cores, or one of them told in full."""

import argparse
import logging
import multiprocessing
import os
import sys
import time

from tests.simulation.run import Verdict, simulate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, help="run this one only")
    parser.add_argument("--verbose", action="store_true", help="with the services' own logs")
    wanted = parser.parse_args()
    if wanted.verbose:
        logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    seeds = [wanted.seed] if wanted.seed is not None else list(range(wanted.first, wanted.first + wanted.seeds))
    started = time.monotonic()
    failed = _run_all(seeds)
    print(f"{len(seeds)} seeds, {failed} failed, {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


def _run_all(seeds: list[int]) -> int:
    if len(seeds) == 1:
        logging.disable(logging.NOTSET if logging.getLogger().handlers else logging.CRITICAL)
        return _tell(simulate(seeds[0]), always=True)
    failed = 0
    with multiprocessing.get_context("spawn").Pool(os.cpu_count(), logging.disable, [logging.CRITICAL]) as pool:
        for verdict in pool.imap_unordered(simulate, seeds, chunksize=4):
            failed += _tell(verdict, always=False)
    return failed


def _tell(verdict: Verdict, *, always: bool) -> int:
    if verdict.problems or always:
        print(
            f"seed {verdict.seed}: {verdict.workflows} workflows, {verdict.pods} pods, {verdict.kills} deaths, "
            f"{verdict.virtual_s:.0f} virtual s, digest {verdict.digest[:16]}"
        )
        for problem in verdict.problems[:20]:
            print(f"  {problem}")
    return 1 if verdict.problems else 0


if __name__ == "__main__":
    sys.exit(main())
