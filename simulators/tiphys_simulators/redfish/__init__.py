"""What every simulated BMC does, whatever its vendor: state, rules, resources. Vendors differ in `personalities`."""
