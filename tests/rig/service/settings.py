"""Settings of an installation beside a simulated Registry."""

import base64
from typing import Any

from orcid_sync.settings.settings import Settings
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID, CLIENT_SECRET
from rig.free_ports import free_port


def settings_for(registry: SimulatedRegistry, **changes: Any) -> Settings:
    """The settings of an installation beside this Registry; short times, no limit worth mentioning."""
    port = free_port()
    return Settings(
        **{
            "environment": "custom",
            "api_url": registry.api_url,
            "web_url": registry.web_url,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "public_url": f"http://127.0.0.1:{port}",
            "public_host": "127.0.0.1",
            "public_port": port,
            "internal_port": free_port(),
            "webhook_secret": "a webhook secret of the tests, long enough",
            "encryption_key": base64.b64encode(b"k" * 32).decode(),
            "workers": 4,
            "grace_seconds": 0.05,
            "second_look_seconds": 1,
            "poll_seconds": 0.5,
            "requests_per_second": 1000,
            "burst": 100,
            "drain_seconds": 0.1,
            "stop_seconds": 5,
        }
        | changes
    )
