"""Pods as supervised local processes.

Two kinds of modules meet here, and the difference matters:

* what runs in the server's process: `kubelet` (the loop), `plan` and its pure helpers, `supervisor`, `status`, `logs`;
* what runs outside it and outlives it: `zygote`, `shim`, `process`, `sandbox`, `syscalls`, `records`, `logwriter`,
  `warm`. These import almost nothing, on purpose: what they load is copied at every fork (measured: a fork of an 8 MB
  interpreter costs 0.4 ms, of a 20 MB one 1.2 ms, and msgspec alone is 10 MB). Hence the standard library's json there,
  plain dicts in place of structs, and type imports under `TYPE_CHECKING` only.
"""
