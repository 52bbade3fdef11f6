"""Operations on the credentials of one BMC: one module each. Called by `cli.obm`."""
