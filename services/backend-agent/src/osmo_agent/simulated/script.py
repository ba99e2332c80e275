"""What a simulated task does, read from its environment variables.

SIM_SECONDS        how long the command runs (default 0)
SIM_EXIT_CODE      what it exits with (default 0); `1,0` = the first attempt 1, every later one 0
SIM_START_SECONDS  how long the pod takes from being made to running (default 0)
SIM_EVICT          `1`: the pod is evicted when SIM_SECONDS are over
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
    image_missing: bool = False
    mistake: str = ""


def read_script(task: TaskPlan, retry_id: int) -> Script:
    environment = task.environment
    try:
        return Script(
            start_s=_seconds(environment, "SIM_START_SECONDS"),
            run_s=_seconds(environment, "SIM_SECONDS"),
            exit_code=_exit_code(environment, retry_id),
            evicted=_flag(environment, "SIM_EVICT"),
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
    code = codes[min(retry_id, len(codes) - 1)].strip()
    if not re.fullmatch(r"[0-9]{1,3}", code) or int(code) > 255:
        raise ValueError(f"SIM_EXIT_CODE: {text!r} is no exit code from 0 to 255, nor a list of them, one per attempt")
    return int(code)


def _flag(environment: dict[str, str], name: str) -> bool:
    text = environment.get(name, "0")
    if text not in {"0", "1"}:
        raise ValueError(f"{name}: {text!r} is neither 0 nor 1")
    return text == "1"
