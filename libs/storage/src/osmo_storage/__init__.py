"""Object storage by URI: parse, upload, download, list."""

from osmo_storage.stored import StorageError, StoredObject, Transferred
from osmo_storage.transfer import BadRegex, Progress, download, list_objects, upload
from osmo_storage.uri import BadUri, Location, parse_uri

__all__ = [
    "BadRegex",
    "BadUri",
    "Location",
    "Progress",
    "StorageError",
    "StoredObject",
    "Transferred",
    "download",
    "list_objects",
    "parse_uri",
    "upload",
]
