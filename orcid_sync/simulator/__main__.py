"""`python -m orcid_sync.simulator`: a simulated Registry of one's own."""

import argparse
import asyncio
import contextlib

from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.serve import serve_simulator
from orcid_sync.simulator.world import CLIENT_ID, CLIENT_SECRET


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m orcid_sync.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9999)
    parser.add_argument("--records", type=int, default=40, help="sample records")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--edits-per-minute", type=float, default=0.0, help="edits by chance, in real time")
    parser.add_argument("--speed", type=float, default=1.0, help="virtual seconds in a real one; 0: only when advanced")
    parser.add_argument("--webhook-delay-seconds", type=float, default=300.0, help="from change to call, virtual")
    parser.add_argument("--limited", action=argparse.BooleanOptionalAction, default=True, help="rate limit and quota")
    parser.add_argument("--keep-history", action=argparse.BooleanOptionalAction, default=True)
    return parser.parse_args()


def _announce(sim: SimulatedRegistry) -> None:
    print(f"simulated Registry at {sim.url}  client {CLIENT_ID}  secret {CLIENT_SECRET}", flush=True)  # noqa: T201 - says where it is


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve_simulator(**vars(_arguments()), ready=_announce))
