"""How a host is reached: its address, a proxy if the environment names one, and the error if it cannot be reached.

HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are read as requests does, so that extractions and the session of
``get_conn()`` use the same proxy. aiohttp would also take passwords out of ~/.netrc.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies

import aiohttp
from yarl import URL

from airflow_provider_interactions.contract import Request
from airflow_provider_interactions.errors import BadResponse, ConfigError, InteractionsError, Unavailable
from airflow_provider_interactions.urls import read_origin


def find_proxy(origin: str) -> Mapping[str, Any]:
    """Aiohttp's arguments for the proxy to an origin (``https://host:port``); none without a proxy.

    Raises ConfigError for a proxy of another kind than HTTP.
    """
    if not getproxies():
        return {}
    from requests.utils import get_environ_proxies, select_proxy

    found = select_proxy(origin, get_environ_proxies(origin))
    if not found:
        return {}
    url = URL(found if "://" in found else f"http://{found}")
    if url.scheme not in ("http", "https") or not url.host:
        msg = f"The environment names a proxy of the kind {url.scheme}://. Only http:// and https:// can be used."
        raise ConfigError(msg)
    if url.user is None:
        return {"proxy": url}
    login = b64encode(f"{url.user}:{url.password or ''}".encode()).decode()
    return {"proxy": url.with_user(None), "proxy_headers": {"Proxy-Authorization": f"Basic {login}"}}


def build_connection_error(fault: Exception, request: Request, vendor: str) -> InteractionsError:
    """The error for a request without a response: Unavailable, or ConfigError for an untrusted certificate.

    The fault's own text can hold the full URL, so only its kind is shown.
    """
    if isinstance(fault, aiohttp.ClientConnectorCertificateError):
        return ConfigError(f"{vendor}: {_explain_certificate(fault)}")
    if isinstance(fault, TimeoutError):
        msg = "no response in time. The vendor is slow, or the host is wrong"
    elif isinstance(fault, aiohttp.ClientHttpProxyError):
        msg = f"the proxy refuses to connect to the host (HTTP {fault.status}). Check HTTPS_PROXY and NO_PROXY"
    elif isinstance(fault, aiohttp.ClientProxyConnectionError):
        msg = "the proxy cannot be reached. Check HTTPS_PROXY and NO_PROXY in Airflow's environment"
    elif isinstance(fault, aiohttp.ClientSSLError):
        msg = "the host answers, but not in TLS. Check the connection's host: its scheme and its port"
    elif isinstance(fault, aiohttp.ClientConnectorError):
        msg = "the host cannot be reached. Check the connection's host, DNS and firewall"
    else:
        msg = f"the connection broke while the response was read ({type(fault).__name__})"
    return Unavailable(msg, path=urlsplit(request.url).path)


def _explain_certificate(fault: aiohttp.ClientConnectorCertificateError) -> str:
    why = getattr(fault.certificate_error, "verify_message", "") or "it does not fit the host"
    return (
        f"the certificate of {fault.host} is not trusted ({why.rstrip('.')}). Check the connection's host. If your "
        "company's own authority signs it, name the authority's file in SSL_CERT_FILE wherever Airflow runs."
    )


def resolve_url(host: str, request: Request) -> URL:
    """The URL to send to; raises BadResponse if a vendor's link leads to another host than the connection's."""
    url = request.url
    if url.startswith("//"):  # a link that names a host, but no scheme
        url = f"{urlsplit(host).scheme}:{url}"
    elif url.startswith("/"):  # a path only adds to the host
        url = host + url
    if not url.startswith(f"{host}/") and read_origin(url) != read_origin(host):
        msg = "the response links to another host, which is not followed with your credentials"
        raise BadResponse(msg, lasting=True)
    if request.query:
        url = f"{url}?{urlencode(request.query, quote_via=quote)}"
    return URL(url, encoded=True)
