"""Writes Kubernetes Secrets from inside a workflow step."""
