#!/usr/bin/env python3
"""Print docs/reference/api.md: the resources that `tiphys up` serves.

    python tools/api_page.py > docs/reference/api.md

Made from the table that discovery and the routes are made of; a test compares the page with this.
"""

from __future__ import annotations

import sys

from tiphys.kube.objects.resources import RESOURCES

_HEAD = """\
# The API of `tiphys up`

A Kubernetes API on 127.0.0.1, TLS with an authority of its own. This page is made by `tools/api_page.py` from the table
that discovery and the routes are made of.

- Every list and watch takes `labelSelector` and `fieldSelector`; lists `limit` and `continue`; watches any
  `resourceVersion` of the last 10,000 changes (older ones are 410), `allowWatchBookmarks`, `sendInitialEvents`.
- Writes take `dryRun=All` and `fieldValidation`; patches are JSON, merge and strategic merge patches, and server-side
  apply (`kubectl apply --server-side`). Owners of fields are kept from an object's first server-side apply on; what it
  was before belongs to `before-first-apply`. Objects that nobody applies so carry no `managedFields`.
- A field selector names `metadata.name`, `metadata.namespace`, and of pods, events, secrets and namespaces what they
  are selected by in Kubernetes; another one is a 400 that lists them.
- `kubectl apply --prune` looks for kinds that are not served (Jobs, Deployments, …): say which kinds it is about, by
  `--prune-allowlist=core/v1/ConfigMap`, or use `--applyset` (with `KUBECTL_APPLYSET=true`).
- Events of `events.k8s.io/v1` and of `v1` are the same objects, each in its own words and with its own rules.
- Bodies are JSON, YAML, or Kubernetes' protobuf for the built-in kinds; answers JSON, and `Table` for kubectl.
- A client has 32 s for TLS, 32 s for the head of a request (64 KiB at most), 60 s for its body (3 MiB), 90 s between
  two requests; what comes later is answered with 408 or closed. Logs that are followed have no limit.
- A watch without `timeoutSeconds` ends after half an hour to an hour, as in Kubernetes.
- A client that takes nothing of an answer for 60 s is cut off. Of each user 100 requests are answered at a time; more
  wait for their turn, and after 60 s are told 429. A watch that is 20,000 changes or 64 MiB behind ends with 410.
- Authentication: bearer tokens (the kubeconfig's, and those of service accounts, which expire and are bound to pods).
  Authorization: RBAC, for every request. A 403 names the verb, the resource and the namespace; `tiphys` adds the
  rule.
- Secrets are encrypted at rest (AES-GCM; the key is `tiphys.db.key`, mode 0600).
- There are no Services and none can be made: nothing would route to them. Their list is there because `kubectl
  cluster-info` asks for it; `kubectl cluster-info dump` wants kinds that are not served (nodes, Deployments, …).
- Admission plugins, CustomResourceDefinitions, aggregated API servers, `exec`, `attach`, `port-forward`,
  `proxy`, ephemeral containers and evictions are not there: 404 or 405, never pretended.

| resource | short | group and versions | kind | scope | verbs | subresources |
|---|---|---|---|---|---|---|
"""


def page() -> str:
    """The page as it should be."""
    rows, most = [], max(len(resource.verbs) for resource in RESOURCES)
    for resource in RESOURCES:
        versions = ", ".join(f"{resource.group}/{v}" if resource.group else v for v in resource.versions)
        scope = "namespace" if resource.namespaced else "cluster"
        verbs = "all" if len(resource.verbs) == most else ", ".join(resource.verbs)
        below = ", ".join(resource.subresources)
        names = ", ".join(resource.short_names)
        rows.append(f"| `{resource.plural}` | {names} | {versions} | {resource.kind} | {scope} | {verbs} | {below} |")
    return _HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
