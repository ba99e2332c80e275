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
        while chunk := response.read1(CHUNK):
            out.write(chunk)
            out.flush()
            ended_line = chunk.endswith(b"\n")
    except (http.client.HTTPException, ConnectionError, TimeoutError):
        return False
    finally:
        response.close()
        if not ended_line:
            say()
    return True
