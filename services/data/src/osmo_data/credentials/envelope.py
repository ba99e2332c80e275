"""Envelope encryption of payloads: each with a data key of its own, and that with the installation's key.

AES-256-GCM throughout. Both layers are bound to user and name: a ciphertext that is moved under another one opens for nobody.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from osmo_data.credentials.keys import KEY_BYTES, KeyRing
from osmo_domain.credentials import Payload

NONCE_BYTES: Final = 12

Entropy = Callable[[int], bytes]
"""So many bytes that nobody can guess."""

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_PAYLOAD: Final = msgspec.json.Decoder(dict[str, str])


class Unreadable(Exception):
    """The ciphertext cannot be opened; the text says why, and nothing of the content."""


class Sealed(Struct, frozen=True):
    key_id: str
    wrapped_key: bytes
    nonce: bytes
    ciphertext: bytes


class Envelopes:
    def __init__(self, ring: KeyRing, entropy: Entropy) -> None:
        self._ring = ring
        self._entropy = entropy

    def seal(self, payload: Payload, user: str, name: str) -> Sealed:
        key_id = self._ring.newest
        master = self._ring.key(key_id)
        assert master is not None, "the newest key is in its ring"
        data_key, key_nonce, nonce = self._entropy(KEY_BYTES), self._entropy(NONCE_BYTES), self._entropy(NONCE_BYTES)
        wrapped = AESGCM(master).encrypt(key_nonce, data_key, _bound("key", user, name))
        ciphertext = AESGCM(data_key).encrypt(nonce, _ENCODER.encode(payload), _bound("payload", user, name))
        return Sealed(key_id, key_nonce + wrapped, nonce, ciphertext)

    def open(self, sealed: Sealed, user: str, name: str) -> dict[str, str]:
        """Raises Unreadable for another key, changed bytes, another user or another name."""
        master = self._ring.key(sealed.key_id)
        if master is None:
            raise Unreadable(f"it was encrypted with key {sealed.key_id}, which this installation does not have")
        key_nonce, wrapped = sealed.wrapped_key[:NONCE_BYTES], sealed.wrapped_key[NONCE_BYTES:]
        data_key = _decrypted(master, key_nonce, wrapped, _bound("key", user, name))
        return _PAYLOAD.decode(_decrypted(data_key, sealed.nonce, sealed.ciphertext, _bound("payload", user, name)))


def _decrypted(key: bytes, nonce: bytes, ciphertext: bytes, bound: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, bound)
    except (InvalidTag, ValueError) as error:
        raise Unreadable("its bytes were changed, or belong to another credential") from error


def _bound(what: str, user: str, name: str) -> bytes:
    """What a ciphertext is for, as bytes in which the parts cannot run together."""
    return _ENCODER.encode(["osmo credential", what, user, name])
