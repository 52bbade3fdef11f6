"""Argo Workflows: spec, expressions, engine, pods, executor, controller."""
