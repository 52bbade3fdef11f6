"""The one way to speak to a Kubernetes API, in process or over HTTPS."""
