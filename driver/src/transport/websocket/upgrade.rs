//! How a request for the upgrade is answered, whoever read it and whoever sends the answer.

use std::fmt::Display;

use async_tungstenite::tungstenite::Error as Tungstenite;
use async_tungstenite::tungstenite::error::ProtocolError;
use async_tungstenite::tungstenite::handshake::server::create_response_with_body;
use http::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, ORIGIN, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};

use super::SUBPROTOCOL;
use super::error::WebSocketError;

/// A refusal: how it is answered, and what it is here.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) why: WebSocketError,
}

impl Refusal {
    pub(super) fn no_such_path(path: &str) -> Refusal {
        Refusal { status: StatusCode::NOT_FOUND, why: WebSocketError::NoSuchPath(path.into()) }
    }

    pub(super) fn answer(&self) -> Response<String> {
        refused(self.status, &self.why)
    }
}

/// The answer to a request that is as it must be, wherever its path leads.
pub(super) fn grant<B>(request: &Request<B>, origins: &[String]) -> Result<Response<String>, Refusal> {
    let answer = create_response_with_body(request, String::new);
    let mut answer =
        answer.map_err(|error| Refusal { status: status_of(&error), why: WebSocketError::no_upgrade(error) })?;
    if has_body(request.headers()) {
        let why = WebSocketError::NoUpgrade("the request has a body".into());
        return Err(Refusal { status: StatusCode::BAD_REQUEST, why });
    }
    for origin in request.headers().get_all(ORIGIN) {
        if !origins.iter().any(|allowed| origin.as_bytes().eq_ignore_ascii_case(allowed.as_bytes())) {
            let origin = String::from_utf8_lossy(origin.as_bytes()).into_owned();
            return Err(Refusal { status: StatusCode::FORBIDDEN, why: WebSocketError::BadOrigin(origin) });
        }
    }
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    if !offered.flat_map(|list| list.split(',')).any(|one| one.trim() == SUBPROTOCOL) {
        return Err(Refusal { status: StatusCode::BAD_REQUEST, why: WebSocketError::NoSubprotocol });
    }
    answer.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    Ok(answer)
}

/// Whether something comes behind the head that would be taken for the first frames.
fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) || headers.get_all(CONTENT_LENGTH).iter().any(|length| length != "0")
}

/// An answer that says why it is no other, and what would be one.
pub(super) fn refused(status: StatusCode, why: &dyn Display) -> Response<String> {
    let mut answer = Response::new(format!("{why}\n"));
    *answer.status_mut() = status;
    let offers: &[_] = match status {
        StatusCode::UPGRADE_REQUIRED => {
            &[(CONNECTION, "upgrade"), (UPGRADE, "websocket"), (SEC_WEBSOCKET_VERSION, "13")]
        }
        StatusCode::METHOD_NOT_ALLOWED => &[(ALLOW, "GET")],
        _ => &[],
    };
    for (name, value) in [(CONTENT_TYPE, "text/plain; charset=utf-8")].iter().chain(offers) {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// A request that asks for no upgrade, or for another version's, is told what there is.
fn status_of(error: &Tungstenite) -> StatusCode {
    match error {
        Tungstenite::Protocol(ProtocolError::WrongHttpMethod) => StatusCode::METHOD_NOT_ALLOWED,
        Tungstenite::Protocol(
            ProtocolError::MissingConnectionUpgradeHeader
            | ProtocolError::MissingUpgradeWebSocketHeader
            | ProtocolError::MissingSecWebSocketVersionHeader,
        ) => StatusCode::UPGRADE_REQUIRED,
        _ => StatusCode::BAD_REQUEST,
    }
}
