"""Hides what looks like a secret in the text of a spec, before the text is stored for people to read.

A guess from names and shapes, and meant to err on the side of hiding. Plans, from which workflows run, are never redacted.
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Collection
from typing import Final

MASK: Final = "[MASKED]"
_WORDS: Final = "access|auth|api|credential|creds|key|passwd|password|secret|token"
_NAMED: Final = re.compile(
    rf"(?P<name>(?:{_WORDS})[\w.-]{{0,32}}+)(?P<gap>[\"']?\s{{0,3}}+(?:=>|\?=|:=|\|\||[=>:,])\s{{0,3}}+[\"']?)"
    r"(?P<value>[^\s\"'`,;{}\[\]()<>|]{10,150}+)",
    re.IGNORECASE,
)
_HINT: Final = re.compile(_WORDS, re.IGNORECASE)
_BASE64: Final = re.compile(r"(?<![\w+/=])[A-Za-z0-9+/]{16,4096}={0,2}(?![\w+/=])")


def redact(text: str, allowed: Collection[str] = ()) -> str:
    """The text with values after names like `api_key` masked, in base64 too. `allowed` are words that are no secrets, whatever they look like."""
    if _HINT.search(text):
        text = _NAMED.sub(lambda found: _mask(found, allowed), text)
    return _BASE64.sub(lambda found: _mask_base64(found[0]), text)


def _mask(found: re.Match[str], allowed: Collection[str]) -> str:
    value = found["value"]
    if value in allowed or value.startswith(("$", "/", MASK)):
        return found[0]
    return f"{found['name']}{found['gap']}{MASK}"


def _mask_base64(text: str) -> str:
    """A fragment whose bytes are text with a named secret in it is masked whole."""
    try:
        decoded = b64decode(text, validate=True).decode()
    except (Base64Error, ValueError):
        return text
    return MASK if _NAMED.search(decoded) else text
