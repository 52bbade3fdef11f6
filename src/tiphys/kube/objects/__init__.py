"""Kubernetes objects as data: kinds, metadata, selectors, patches, Status, Table. Pure."""
