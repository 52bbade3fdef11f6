"""Settings of the workflow controller, in groups; the composition root fills them from flags, environment and file."""

from __future__ import annotations

from dataclasses import dataclass, field

from tiphys.workflow.pods import PodSettings

__all__ = ["ControllerSettings", "HttpSettings"]


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How HTTP templates are sent.

    Attributes:
        timeout: seconds for a whole request where the template has no timeoutSeconds; Argo's documented default.
        response_limit: bytes of a body; a longer one fails the node, it is not cut.
        in_flight: requests under way at once, over all workflows; the others wait, their time-out not running yet.
        per_origin: of these, to one scheme, host and port: a server is not to be knocked over by a wide fan-out.
        idle_seconds: how long an unused connection is kept.
        redirects: how many are followed, on the same host only.
        ca_file: CA certificates to trust instead of the system's (which OpenSSL finds, SSL_CERT_FILE included).
    """

    timeout: float = 30.0
    response_limit: int = 4 << 20
    in_flight: int = 2000
    per_origin: int = 64
    idle_seconds: float = 15.0
    redirects: int = 10
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class ControllerSettings:
    """How the controller works.

    Attributes:
        batch: events of one workflow handled together and committed as one patch.
        pods_in_flight: pod creations of one workflow under way at once.
        retry_first, retry_longest: seconds between attempts of a write the API could not take (503, no connection);
            doubled from the first to the longest.
        name_wait: seconds to wait for a pod that is still going away under the name a new one needs.
        drain_seconds: how long `drain` waits for writes and requests under way.
        pod_gc_delay: seconds before podGC deletes a pod, where the workflow has no deleteDelayDuration; Argo's default.
        pods: limits of what pods hand back.
        http: of HTTP templates.
    """

    batch: int = 500
    pods_in_flight: int = 32
    retry_first: float = 0.1
    retry_longest: float = 30.0
    name_wait: float = 60.0
    drain_seconds: float = 1.5
    pod_gc_delay: float = 5.0
    pods: PodSettings = field(default_factory=PodSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
