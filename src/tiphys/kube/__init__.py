"""Kubernetes: objects, store, server, client, controllers."""
