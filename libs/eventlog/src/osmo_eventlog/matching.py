"""Subjects against patterns, as NATS does it: `*` stands for one token, a last `>` for one or more."""

from collections.abc import Callable, Sequence


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


def matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """`matches_any` for many subjects: the one pattern `a.b.>` is a comparison of prefixes."""
    if len(patterns) == 1 and patterns[0].endswith(".>") and not is_pattern(patterns[0][:-2]):
        prefix = patterns[0][:-1]
        return lambda subject: subject.startswith(prefix)
    return lambda subject: matches_any(patterns, subject)
