"""`obm firmware update`: one image, sent once, followed to its end, believed only when the version is read back."""
