"""Dates that people type, as the API wants them."""

import argparse
from datetime import UTC, datetime


def local_date(text: str) -> str:
    """Midnight of a local date (YYYY-MM-DD) in UTC, without zone."""
    try:
        midnight = datetime.strptime(text, "%Y-%m-%d").astimezone()
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not a date (YYYY-MM-DD)") from error
    return midnight.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
