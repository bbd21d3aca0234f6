"""What Prometheus reads of a node: the requests that this process answered, and how the sources are.

The sources are read from the store when they are asked for: what tells that the worker has died must not live in it.
"""

from __future__ import annotations

from collections.abc import Iterator

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from consore.api.node import Node
from consore.ingestion import health_of_sources
from consore.model import AlertKind

log = structlog.get_logger("consore.api")


def metrics_of(node: Node) -> bytes:
    """The metrics of this process and of the sources, in the text format of Prometheus."""
    registry = CollectorRegistry()
    registry.register(_Sources(node))
    try:
        return generate_latest() + generate_latest(registry)
    except Exception as error:  # the store is away: what this process counted is told all the same
        log.warning("metrics_of_sources", error=type(error).__name__)
        return generate_latest()


class _Sources(Collector):
    """A gauge a fact, a label a source."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing is read from the store to register."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One look at the store."""
        with self._node.store.session() as session:
            sources = health_of_sources(session, self._node.settings).values()
        success = GaugeMetricFamily(
            "consore_source_last_success_timestamp_seconds", "End of the last whole reading.", labels=["source"]
        )
        late = GaugeMetricFamily("consore_source_late", "Whether it should have been read.", labels=["source"])
        running = GaugeMetricFamily("consore_source_running", "Whether it is being read.", labels=["source"])
        tries = GaugeMetricFamily("consore_source_failures", "Failures in a row, tried again.", labels=["source"])
        waiting = GaugeMetricFamily("consore_source_rejected_waiting", "Records in quarantine.", labels=["source"])
        alerts = GaugeMetricFamily("consore_source_alert", "Whether an alert is open.", labels=["source", "alert"])
        for health in sources:
            name = health.source.name
            if health.last_success_at:
                success.add_metric([name], health.last_success_at.timestamp())
            late.add_metric([name], float(health.late_since is not None))
            running.add_metric([name], float(health.state == "running"))
            tries.add_metric([name], health.schedule.attempts)
            waiting.add_metric([name], health.rejected_waiting)
            opened = {alert.kind for alert in health.alerts}
            for kind in AlertKind:
                alerts.add_metric([name, kind.value], float(kind in opened))
        yield from (success, late, running, tries, waiting, alerts)
