"""The services that runbooks know, and how many replicas each has: as declared, then as the ledger says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workflows import effects

SCALED = "scaled"
"""The kind of effect that changes a number of replicas: `{"service": …, "change": +1}`."""


@dataclass(frozen=True)
class Service:
    """A set of like replicas, of which at least `least` and at most `most` may run."""

    name: str
    kind: Literal["stateless", "database"]
    declared: int
    least: int
    most: int


TOPOLOGY: dict[str, Service] = {
    service.name: service
    for service in (
        Service("checkout", "stateless", declared=3, least=2, most=8),
        Service("search", "stateless", declared=4, least=2, most=12),
        Service("orders-db-replicas", "database", declared=4, least=2, most=6),
        Service("catalog-db-replicas", "database", declared=3, least=1, most=4),
        Service("sessions-db-replicas", "database", declared=2, least=1, most=3),
    )
}


def find(name: str) -> Service | None:
    """Find a service by its name, or a database by the name without `-replicas`."""
    return TOPOLOGY.get(name) or TOPOLOGY.get(f"{name}-replicas")


def replicas(service: Service) -> int:
    """Return how many replicas run now."""
    changes = effects.recorded(kind=SCALED, holding={"service": service.name})
    return service.declared + sum(int(effect.data["change"]) for effect in changes)


def spare() -> dict[str, int]:
    """Return how many replicas each database can lose now; those that can lose none are left out."""
    databases = (service for service in TOPOLOGY.values() if service.kind == "database")
    spared = {service.name: replicas(service) - service.least for service in databases}
    return {name: count for name, count in spared.items() if count > 0}
