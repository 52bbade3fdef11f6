"""Tiphys: out-of-band management of bare-metal fleets with Argo Workflows, with or without a cluster."""

__version__ = "0.1.0"
