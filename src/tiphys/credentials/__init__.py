"""Where the passwords and records of BMCs are kept: Kubernetes objects, or files. Called by `cli.obm`."""
