"""The composition root: store, server, controllers and kubelet in one process."""
