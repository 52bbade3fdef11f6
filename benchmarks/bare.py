"""The peer of `benchmarks.obm`: the requests of an operation, made by nobody who looks at an answer.

A process of its own, like the command beside it: `http.client`, a shared SSLContext, the same number of threads, for
each BMC the same requests on as many connections, each by a full handshake, as Tiphys makes them. Of the answers it
takes what the next request needs: the session.
Standard input: JSON with `hosts` (address, port, username, password), `requests` ([connection, method, path] each) and
`threads`.
"""

import concurrent.futures
import http.client
import json
import ssl
import sys
from typing import Any

HEADERS = {"Accept": "application/json", "OData-Version": "4.0", "Content-Type": "application/json"}


def main() -> None:
    order: dict[str, Any] = json.load(sys.stdin)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def ask(host: dict[str, str]) -> None:
        connections: dict[int, http.client.HTTPSConnection] = {}
        token = session = ""
        for number, method, path in order["requests"]:
            if number not in connections:
                connections[number] = http.client.HTTPSConnection(
                    host["address"], int(host["port"]), timeout=60, context=context
                )
            connection = connections[number]
            body = None
            if method == "POST":
                body = json.dumps({"UserName": host["username"], "Password": host["password"]})
            elif method == "PATCH":
                body = json.dumps({"Password": host["password"]})
            headers = {**HEADERS, "X-Auth-Token": token} if token else HEADERS
            connection.request(method, session if method == "DELETE" else path, body, headers)
            response = connection.getresponse()
            response.read()
            if response.status >= 300:
                raise RuntimeError(f"{response.status} to {method} {path}")
            if method == "POST":
                token, session = response.headers["X-Auth-Token"], response.headers["Location"]
            elif method == "DELETE":
                token = ""
        for connection in connections.values():
            connection.close()

    with concurrent.futures.ThreadPoolExecutor(order["threads"]) as pool:
        list(pool.map(ask, order["hosts"]))


if __name__ == "__main__":
    main()
