"""`/metrics` for Prometheus: how late each queue is, what nobody knows, who is at work. Open to this machine itself, and
to whoever may look at the dashboard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import nurture
from nurture.engine.due import look
from nurture.store import deploys, evidence, hooks, workers
from nurture.web.access import answers_to, who_asks
from nurture.web.site import in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from nurture.web.site import Site

HERE = ("127.0.0.1", "::1")


def routes(site: Site) -> list[Route]:
    return [Route("/metrics", in_thread(lambda request: _metrics(site, request)))]


def _metrics(site: Site, request: Request) -> Response:
    if not may_see_figures(site, request):
        return PlainTextResponse("the metrics are for this machine, or for a token that may look\n", 401)
    registry = CollectorRegistry()
    registry.register(Seen(site))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def may_see_figures(site: Site, request: Request) -> bool:
    """Whoever may look at the pages, and this machine itself."""
    who = who_asks(site, request)
    if who is not None:
        return who.may("view")
    # what a proxy on this machine hands on comes from elsewhere
    handed_on = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "via", "x-real-ip"))
    here = request.client is not None and request.client.host in HERE and not handed_on
    return here and answers_to(site, request.headers.get("host", ""))


class Seen(Collector):
    """The figures at this moment, from a handful of looks at indexes: none counts everyone."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        now = self.site.now()
        waiting = look(self.site.store, now)
        late = GaugeMetricFamily(
            "nurture_late_seconds", "How long the oldest row that is due has waited, 0 when none is", labels=["queue"]
        )
        for queue in ("hook", "click", "enrollment", "message"):
            since = getattr(waiting, queue)
            late.add_metric([queue], max(0.0, (now - since).total_seconds()) if since is not None else 0.0)
        yield late
        with self.site.store.read() as tx:
            unknown, failed = evidence.count_unknown(tx), hooks.count_failed(tx)
            deploy, at_work = deploys.latest_id(tx), workers.listing(tx)
        yield GaugeMetricFamily("nurture_messages_unknown", "Mails of which nobody knows whether they left", unknown)
        yield GaugeMetricFamily("nurture_hooks_failed", "Reports that could not be read", failed)
        refused = CounterMetricFamily(
            "nurture_hooks_refused", "Reports that did not prove whose they are, to this process", labels=["provider"]
        )
        for name, one in self.site.refusals.every().items():
            refused.add_metric([name], one.times)
        yield refused
        seen = GaugeMetricFamily(
            "nurture_worker_seen_seconds", "How long ago a process was seen at work",
            labels=["host", "process", "version", "runs"],
        )  # fmt: skip
        for worker in at_work:
            labels = [worker.host, str(worker.process), worker.version, "+".join(worker.runs)]
            seen.add_metric(labels, max(0.0, (now - worker.seen_at).total_seconds()))
        yield seen
        running = GaugeMetricFamily("nurture_deploy", "The version that runs", labels=["program"])
        running.add_metric([nurture.__version__], deploy or 0)
        yield running
