"""Pods as supervised local processes."""
