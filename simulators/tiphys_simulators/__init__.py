"""Stand-ins for the machines that Tiphys manages; for tests, demos and other people's tests."""
