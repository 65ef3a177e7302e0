"""The limit of open files, which is the limit of connections."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource
from orcid_sync.service.http.listeners import allow_connections
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
allow_connections(900)
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.fault("F07")
@pytest.mark.parametrize(
    ("soft", "hard", "after"),
    [(256, 1000, "900 1000"), (256, 512, "512 512"), (950, 1000, "950 1000")],
    ids=["as asked for", "as far as it may", "never lowered"],
)
def test_as_many_connections_are_allowed_as_may_be(soft: int, hard: int, after: str) -> None:
    program = PROGRAM.format(soft=soft, hard=hard)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == after
