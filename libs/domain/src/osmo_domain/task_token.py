"""The token by which a task's control container proves to log-router which attempt it is: a keyed digest, so that nobody stores it."""

import hashlib
import hmac


def task_token(key: bytes, workflow_id: str, task: str, retry_id: int) -> str:
    """64 hex digits; the same for every call with the same arguments."""
    return hmac.new(key, f"{workflow_id}/{task}/{retry_id}".encode(), hashlib.sha256).hexdigest()


def token_matches(key: bytes, workflow_id: str, task: str, retry_id: int, token: str) -> bool:
    return hmac.compare_digest(task_token(key, workflow_id, task, retry_id), token)
