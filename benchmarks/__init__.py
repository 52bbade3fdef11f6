"""How fast it is: each figure beside a peer or a physical limit of the same run. `make bench` runs them all."""
