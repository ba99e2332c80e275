"""Which release of the public CLI this one speaks like: servers compare it with what they support."""

MAJOR, MINOR, REVISION = "6", "4", "0"
CLIENT_VERSION = f"{MAJOR}.{MINOR}.{REVISION}"
USER_AGENT = f"osmo-cli/{CLIENT_VERSION}"
