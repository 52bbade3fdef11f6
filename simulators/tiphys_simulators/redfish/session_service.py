"""SessionService: log in, look at sessions, log out."""

from __future__ import annotations

from tiphys_simulators.clock import iso
from tiphys_simulators.http import Json, Response
from tiphys_simulators.redfish.bodies import collection
from tiphys_simulators.redfish.messages import Message, RedfishError, extended_info
from tiphys_simulators.redfish.routes import Exchange, Route
from tiphys_simulators.redfish.sessions import Session

__all__ = ["ROUTES", "SESSIONS"]

SESSIONS = "/redfish/v1/SessionService/Sessions"


def _service(exchange: Exchange) -> Response:
    bmc = exchange.bmc
    _check_present(exchange)
    body: Json = {
        "@odata.id": "/redfish/v1/SessionService",
        "@odata.type": "#SessionService.v1_1_9.SessionService",
        "Id": "SessionService",
        "Name": "Session Service",
        "Status": {"State": "Enabled", "Health": "OK"},
        "ServiceEnabled": True,
        "SessionTimeout": bmc.personality.shown_timeout or int(bmc.personality.session_timeout),
        "Sessions": {"@odata.id": SESSIONS},
    }
    return Response(body=bmc.personality.dialect.session_service(bmc, body))


def _collection(exchange: Exchange) -> Response:
    _check_present(exchange)
    paths = [f"{SESSIONS}/{session.id}" for session in exchange.bmc.sessions.all()]
    return collection(SESSIONS, "Session", "Session Collection", paths)


def _body(session: Session) -> Json:
    return {
        "@odata.id": f"{SESSIONS}/{session.id}",
        "@odata.type": "#Session.v1_7_1.Session",
        "Id": session.id,
        "Name": "User Session",
        "UserName": session.user,
        "ClientOriginIPAddress": session.source,
        "CreatedTime": iso(session.created),
        "SessionType": "Redfish",
    }


def _check_present(exchange: Exchange) -> None:
    """The faults of a SessionService: it is not there, or its POST wants Basic credentials beside the body."""
    bmc = exchange.bmc
    if bmc.behaviour.session_log_in == "absent":
        raise exchange.missing()
    if bmc.behaviour.session_log_in == "basic" and exchange.request.method == "POST":
        basic = exchange.request.basic()
        if basic is None:
            raise bmc.unauthorized(0)
        bmc.login(*basic, exchange.request.source, "basic")


def _log_in(exchange: Exchange) -> Response:
    bmc, request = exchange.bmc, exchange.request
    _check_present(exchange)
    credentials = request.json()
    for name in ("UserName", "Password"):
        if name not in credentials:
            raise RedfishError(400, Message("PropertyMissing", (name,), related=(f"#/{name}",)))
        if not isinstance(credentials[name], str):
            raise RedfishError(400, Message("PropertyValueTypeError", ("******", name), related=(f"#/{name}",)))
    account = bmc.login(credentials["UserName"], credentials["Password"], request.source, "session")
    session = bmc.open_session(account, request.source)
    body = _body(session)
    if account.must_change and bmc.behaviour.must_change_told == "log-in":
        required = Message("PasswordChangeRequired", (bmc.account_path(account),))
        body["@Message.ExtendedInfo"] = [extended_info(required, bmc.personality.dialect.base_registry)]
    headers = {"X-Auth-Token": session.token}
    where = bmc.behaviour.session_location
    if where != "body":
        origin = f"https://{request.headers.get('host', '')}" if where == "absolute" else ""
        headers["Location"] = f"{origin}{SESSIONS}/{session.id}"
    return Response(201, body, headers)


def _session_of(exchange: Exchange) -> Session:
    session = exchange.bmc.sessions.by_id(exchange.ids["session"])
    if session is None:
        raise exchange.missing()
    own = exchange.account is not None and session.user == exchange.account.user
    if not own and not exchange.may("ConfigureManager"):
        raise RedfishError(403, Message("InsufficientPrivilege"))
    return session


def _get(exchange: Exchange) -> Response:
    return Response(body=_body(_session_of(exchange)))


def _delete(exchange: Exchange) -> Response:
    exchange.bmc.sessions.close(_session_of(exchange))
    return Response(204)


ROUTES = (
    Route("GET", "/redfish/v1/SessionService", _service),
    Route("GET", SESSIONS, _collection),
    Route("POST", SESSIONS, _log_in, ""),
    Route("POST", SESSIONS + "/Members", _log_in, ""),
    Route("GET", SESSIONS + "/{session}", _get),
    Route("DELETE", SESSIONS + "/{session}", _delete),
)
