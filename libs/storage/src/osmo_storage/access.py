"""Who we are at each place in storage."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from osmo_storage.uri import Location, S3Location


@dataclass(frozen=True, slots=True)
class StorageAccess:
    """`keys` maps a profile (`s3://bucket`, or a place below it) to the payload of a DATA credential: `access_key_id`, `access_key`, and
    where they are needed `region`, `override_url`, `addressing_style`. The longest profile that holds a place counts.

    Where there is none, or one without a key, we are whoever this process is to the SDK with `ambient`, and else nobody: what is public can be read.
    """

    keys: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ambient: bool = False

    def __repr__(self) -> str:
        return f"StorageAccess({', '.join(self.keys)})"

    def keys_for(self, location: Location) -> Mapping[str, str]:
        """Empty where no profile holds the place."""
        if not isinstance(location, S3Location):
            return {}
        holding = [profile for profile in self.keys if _holds(profile.rstrip("/"), str(location))]
        return self.keys[max(holding, key=len)] if holding else {}


def _holds(profile: str, place: str) -> bool:
    return place == profile or place.startswith(f"{profile}/")


ANONYMOUS: Final = StorageAccess()
