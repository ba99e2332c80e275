"""Texts that come as long as the server has more: logs, events, specs."""

import http.client
import sys

from osmo_cli.output import say

CHUNK = 64 * 1024


def copy_to_stdout(response: http.client.HTTPResponse) -> bool:
    """Write what comes, as it comes. False when the connection broke before the end."""
    sys.stdout.flush()
    out = sys.stdout.buffer
    ended_line = True
    try:
        while chunk := _next_chunk(response):
            out.write(chunk)
            out.flush()
            ended_line = chunk.endswith(b"\n")
    finally:
        response.close()
    if not ended_line:
        say()
    return chunk is not None


def _next_chunk(response: http.client.HTTPResponse) -> bytes | None:
    """What has come by now; empty at the end, None where the connection broke."""
    try:
        return response.read1(CHUNK)
    except (http.client.HTTPException, ConnectionError, TimeoutError):
        return None
