"""A real HTTP server on loopback that behaves like the marketing vendors, with an oracle that knows the truth.

    with serve(SandboxConfig(contacts=50)) as sandbox:
        connection = sandbox.connections["dynamics_marketing"]
        ...
        assert sandbox.oracle("dynamics_marketing", "2026-01-01", "2026-01-08").interactions == rows

or ``python -m airflow_provider_interactions.sandbox``. It is an independent witness: it shares no code with the
provider, was written from the vendors' published pages, and imports neither Airflow nor the vendor modules.

Adding a vendor
---------------
A folder beside this file, named like the vendor. It defines ``VENDOR = Vendor(...)`` (`vendor.py` explains each field)
and is served under ``{url}/{name}``. Draw every value with the functions of `world.py` from the seed and names, so that
it depends on nothing else. Everything about a contact comes from ``get_shape(world, index)``, and what must be unique
to it contains ``get_tag(index)`` (see `draw_tagged_guid`): then a million interactions stay cheap, and the oracle need
not generate each. ``throttles`` and ``error`` are the vendor's refusals and errors. The framework does the rate limit,
the statistics and most faults; for the rest, ask `get_fault`. Compute ``facts`` from the values the records are
written from, never from the bytes served.

A vendor whose data is files gives ``store``, which keeps them while the sandbox runs, ``all_facts`` instead of facts by
contact, and ``changes``, which change its data while a client reads.

Limits of fidelity
------------------
See `LIMITS`, a section ready for the documentation.
"""

from airflow_provider_interactions.sandbox.config import RateLimit, SandboxConfig
from airflow_provider_interactions.sandbox.expected import Expected, Fact, digest
from airflow_provider_interactions.sandbox.faults import FaultRule
from airflow_provider_interactions.sandbox.limits import LIMITS
from airflow_provider_interactions.sandbox.server import Sandbox, serve

__all__ = [
    "LIMITS",
    "Expected",
    "Fact",
    "FaultRule",
    "RateLimit",
    "Sandbox",
    "SandboxConfig",
    "digest",
    "serve",
]
