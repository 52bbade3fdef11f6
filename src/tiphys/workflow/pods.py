"""From a template and a node to a Pod, and from a pod's status to a report for the engine. Pure."""
