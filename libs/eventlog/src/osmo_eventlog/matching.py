"""Subjects against patterns, as NATS does it: `*` stands for one token, a last `>` for one or more."""

from collections.abc import Sequence


def is_pattern(subject: str) -> bool:
    return "*" in subject or ">" in subject


def matches(pattern: str, subject: str) -> bool:
    if not is_pattern(pattern):
        return pattern == subject
    wanted, found = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        wanted.pop()
        if len(found) <= len(wanted):
            return False
    elif len(found) != len(wanted):
        return False
    return all(want in ("*", have) for want, have in zip(wanted, found, strict=False))


def matches_any(patterns: Sequence[str], subject: str) -> bool:
    """No patterns at all mean everything."""
    return not patterns or any(matches(pattern, subject) for pattern in patterns)
