"""Exit code 0 if the service in this container is alive, or ready with the argument /readyz: it has no curl.

Reads the same settings as the service, so that it finds the internal listener wherever it was put, and its token.
"""

import sys
from http.client import HTTPConnection

from orcid_sync.settings.sources import load_settings

ANY_INTERFACE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound to, but reached through loopback
SECONDS = 5.0

path = sys.argv[1] if len(sys.argv) > 1 else "/healthz"
settings = load_settings({}).settings
headers = {}
if settings.internal_token is not None:
    headers["Authorization"] = f"Bearer {settings.internal_token.get_secret_value()}"
# Not urllib: it would ask a proxy of the environment.
host = ANY_INTERFACE.get(settings.internal_host, settings.internal_host)
connection = HTTPConnection(host, settings.internal_port, timeout=SECONDS)
try:
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    sys.exit(0 if answer.status == 200 else answer.read().decode())
except OSError as error:
    sys.exit(f"no answer: {error}")
