"""The HTTP session that a configuration of the cluster's client describes: its certificates, names and proxies.

The client's own session is not used: it asks for proxies in a thread before every request, and encodes bodies more slowly.
"""

import ssl
from collections.abc import Mapping
from typing import Final

import aiohttp
from kubernetes_asyncio.client import Configuration

_PROXIES: Final = ("https_proxy", "http_proxy", "all_proxy")
_CONNECTIONS: Final = 128


def open_session(configuration: Configuration, environ: Mapping[str, str]) -> aiohttp.ClientSession:
    """To be closed by the caller. OSError where a certificate cannot be read."""
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=_trust(configuration))
    proxies = any(environ.get(name) or environ.get(name.upper()) for name in _PROXIES)
    return aiohttp.ClientSession(
        connector=connector, trust_env=proxies, proxy=configuration.proxy or None, read_bufsize=2**21
    )


def _trust(configuration: Configuration) -> ssl.SSLContext:
    trust = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        trust.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    if not configuration.verify_ssl:
        trust.check_hostname = False
        trust.verify_mode = ssl.CERT_NONE
    if configuration.disable_strict_ssl_verification:
        trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return trust
