"""Out-of-band management by Redfish: credentials in sync, firmware at its version, without ever locking a BMC out.

Called by `cli.obm`. Nothing here knows a cluster: records and passwords come through the protocols of `record`.
The rules (`budget`, `verdict`, `identity`, `firmware.*` but `update` and `image`) are pure; `transport` is the only
module that opens a connection to a BMC.
"""
