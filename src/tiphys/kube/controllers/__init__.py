"""What a cluster does by itself: garbage collection, namespaces, service accounts, ExternalSecrets."""
