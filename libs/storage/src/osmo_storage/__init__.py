"""Object storage by URI: parse, upload, download, list, check."""

from osmo_storage.access import ANONYMOUS, StorageAccess
from osmo_storage.pace import Pace
from osmo_storage.progress import Progress
from osmo_storage.stored import StorageError, StorageRefused, StoredObject, Transferred
from osmo_storage.transfer import BadRegex, Direction, check_bucket, download, list_objects, upload
from osmo_storage.uri import BadUri, FileLocation, Location, S3Location, parse_uri

__all__ = [
    "ANONYMOUS",
    "BadRegex",
    "BadUri",
    "Direction",
    "FileLocation",
    "Location",
    "Pace",
    "Progress",
    "S3Location",
    "StorageAccess",
    "StorageError",
    "StorageRefused",
    "StoredObject",
    "Transferred",
    "check_bucket",
    "download",
    "list_objects",
    "parse_uri",
    "upload",
]
