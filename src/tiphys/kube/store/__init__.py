"""Objects on disk: an append log with revisions, and the watches over it."""
