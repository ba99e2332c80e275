"""Whom TLS trusts in a container that has no certificate authorities of its own, as ours has not."""

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

SHIPPED = Path(sys.prefix) / "etc" / "cacert.pem"
VARIABLE = "SSL_CERT_FILE"
SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


def trust_public_authorities(environ: MutableMapping[str, str] = os.environ) -> None:
    """From now on TLS in this process trusts, in this order: what `SSL_CERT_FILE` says, the image's bundle, ours. Nothing changes without ours."""
    if environ.get(VARIABLE) or environ.get("SSL_CERT_DIR"):
        return
    bundles = [path for path in (*SYSTEM_BUNDLES, str(SHIPPED)) if Path(path).is_file()]
    if bundles and SHIPPED.is_file():
        environ[VARIABLE] = bundles[0]
