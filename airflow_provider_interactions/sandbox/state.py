"""What a running sandbox keeps, and how a request finds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from airflow_provider_interactions.sandbox.auth import Tokens
from airflow_provider_interactions.sandbox.config import SandboxConfig
from airflow_provider_interactions.sandbox.faults import Rules
from airflow_provider_interactions.sandbox.meter import Meter
from airflow_provider_interactions.sandbox.registry import VENDORS
from airflow_provider_interactions.sandbox.vendor import Site, Vendor
from airflow_provider_interactions.sandbox.world import World, create_world


@dataclass(frozen=True, slots=True)
class State:
    """Everything one running sandbox knows."""

    config: SandboxConfig
    world: World
    vendors: Mapping[str, Vendor]
    sites: Mapping[str, Site]
    meters: Mapping[str, Meter]
    rules: Rules

    def report(self) -> dict[str, Any]:
        """Counters by vendor."""
        return {
            name: {
                **meter.report(),
                "tokens_issued": self.sites[name].tokens.issued,
            }
            for name, meter in self.meters.items()
        }

    def build_connections(self, url: str) -> dict[str, dict[str, Any]]:
        """The Airflow connection of each vendor in its JSON form."""
        return {
            name: dict(vendor.connection(f"{url}/{name}", self.sites[name].options))
            for name, vendor in self.vendors.items()
        }

    def list_contacts(self, vendor: str) -> list[str]:
        """The vendor's ids of all contacts, active or not."""
        identify = self.vendors[vendor].contact_id
        return [identify(self.world, index) for index in range(self.world.contacts)]

    def change(self, vendor: str, name: str, values: Mapping[str, Any]) -> Any:
        """Do one of a vendor's changes to its data; raises KeyError for an unknown one."""
        return self.vendors[vendor].changes[name](self.sites[vendor], **values)

    def reset(self) -> None:
        """Forget counters, pauses, tokens and fault rules; the world stays."""
        self.rules.replace([])
        for name, meter in self.meters.items():
            meter.reset()
            self.sites[name].tokens.forget()
            self.sites[name].counts.clear()

    def close(self) -> None:
        """Remove the files that vendors have written."""
        for site in self.sites.values():
            if site.store is not None:
                site.store.close()


def create_state(config: SandboxConfig, vendors: Mapping[str, Vendor] | None = None) -> State:
    """A fresh state; options a vendor does not know are an error."""
    vendors = VENDORS if vendors is None else vendors
    unknown = set(config.options) - set(vendors)
    if unknown:
        message = f"no such vendor: {', '.join(sorted(unknown))}; there are {', '.join(vendors)}"
        raise ValueError(message)
    world = create_world(config)
    sites = {
        name: _create_site(vendor, world, msgspec.convert(config.options.get(name, {}), vendor.options), config.seed)
        for name, vendor in vendors.items()
    }
    return State(config, world, vendors, sites, {name: Meter(config) for name in vendors}, Rules(config.seed))


def _create_site(vendor: Vendor, world: World, options: Any, seed: int) -> Site:
    store = vendor.store(world, options) if vendor.store else None
    return Site(world, options, Tokens(seed), store)
