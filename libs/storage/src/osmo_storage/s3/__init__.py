"""The `s3://` adapter, for any server that speaks S3. Imported only when such a URI is used: the SDK costs about 40 MB."""

from osmo_storage.s3.checking import check
from osmo_storage.s3.connection import connected
from osmo_storage.s3.downloading import download
from osmo_storage.s3.listing import list_objects
from osmo_storage.s3.uploading import upload

__all__ = ["check", "connected", "download", "list_objects", "upload"]
