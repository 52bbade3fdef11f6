"""Out-of-band management controllers by Redfish: credentials and firmware, safely."""
