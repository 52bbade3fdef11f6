"""What people do to workflows from outside: submit, retry, resubmit, suspend, resume, set a node.

Pure functions from an object of the API to the object to send back; the command line fetches and sends. None changes
its arguments. The facts are those of Argo's own client-side code, so that it works with any workflow controller.
"""
