"""What a simulated task does, read from its environment variables.

SIM_SECONDS        how long the command runs (default 0)
SIM_EXIT_CODE      what it exits with (default 0); `1,0` = the first attempt 1, every later one 0
SIM_START_SECONDS  how long the pod takes from being made to running (default 0)
SIM_EVICT          `1`: the pod is evicted when SIM_SECONDS are over; `1,0` = the first attempt is, later ones are not
SIM_OOM            `1`: the command is killed for using too much memory when SIM_SECONDS are over; `1,0` likewise
SIM_REFUSE         `1`: the cluster refuses the group

A value that makes no sense fails the pod at its start, with a message that names it. An image whose name or tag begins with `missing`
cannot be pulled.
"""

import math
import re
from dataclasses import dataclass

from osmo_domain.plan import TaskPlan

_MISSING_IMAGE = re.compile(r"(?:.*[/:])?missing[^/]*")
LONGEST_S = 10 * 365 * 86400


@dataclass(frozen=True, slots=True)
class Script:
    """`mistake` is set where the variables make no sense: the pod fails with it."""

    start_s: float = 0
    run_s: float = 0
    exit_code: int = 0
    evicted: bool = False
    out_of_memory: bool = False
    image_missing: bool = False
    mistake: str = ""


def read_script(task: TaskPlan, retry_id: int) -> Script:
    environment = task.environment
    try:
        return Script(
            start_s=_seconds(environment, "SIM_START_SECONDS"),
            run_s=_seconds(environment, "SIM_SECONDS"),
            exit_code=_exit_code(environment, retry_id),
            evicted=_flag(environment, "SIM_EVICT", retry_id),
            out_of_memory=_flag(environment, "SIM_OOM", retry_id),
            image_missing=_MISSING_IMAGE.fullmatch(task.image) is not None,
        )
    except ValueError as error:
        return Script(exit_code=1, mistake=str(error))


def refuses(task: TaskPlan) -> bool:
    return task.environment.get("SIM_REFUSE", "") == "1"


def _seconds(environment: dict[str, str], name: str) -> float:
    text = environment.get(name, "0")
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= LONGEST_S:
        raise ValueError(f"{name}: {text!r} is no number of seconds")
    return seconds


def _exit_code(environment: dict[str, str], retry_id: int) -> int:
    text = environment.get("SIM_EXIT_CODE", "0")
    codes = text.split(",")
    code = _of_attempt(codes, retry_id)
    if not re.fullmatch(r"[0-9]{1,3}", code) or int(code) > 255:
        raise ValueError(f"SIM_EXIT_CODE: {text!r} is no exit code from 0 to 255, nor a list of them, one per attempt")
    return int(code)


def _flag(environment: dict[str, str], name: str, retry_id: int) -> bool:
    text = environment.get(name, "0")
    flags = text.split(",")
    if not {flag.strip() for flag in flags} <= {"0", "1"}:
        raise ValueError(f"{name}: {text!r} is neither 0 nor 1, nor a list of them, one per attempt")
    return _of_attempt(flags, retry_id) == "1"


def _of_attempt(listed: list[str], retry_id: int) -> str:
    return listed[min(retry_id, len(listed) - 1)].strip()
