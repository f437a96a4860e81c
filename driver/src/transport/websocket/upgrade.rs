//! How a request for the upgrade is answered, whoever read it and whoever sends the answer.

use std::fmt::Display;

use async_tungstenite::tungstenite::handshake::derive_accept_key;
use http::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};

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

/// The answer to a request that is as it must be (RFC 6455, section 4.2.1), wherever its path leads.
pub(super) fn grant<B>(request: &Request<B>, origins: &[String]) -> Result<Response<String>, Refusal> {
    let headers = request.headers();
    let unless = |holds: bool, status, why: &str| {
        if holds { Ok(()) } else { Err(Refusal { status, why: WebSocketError::NoUpgrade(why.into()) }) }
    };
    unless(request.method() == Method::GET, StatusCode::METHOD_NOT_ALLOWED, "the method is not get")?;
    unless(request.version() >= Version::HTTP_11, StatusCode::BAD_REQUEST, "the request is not of http/1.1")?;
    let asks = lists(headers, &CONNECTION, "upgrade") && lists(headers, &UPGRADE, "websocket");
    unless(asks, StatusCode::UPGRADE_REQUIRED, "the request asks for none")?;
    let version = the_one(headers, &SEC_WEBSOCKET_VERSION);
    unless(version.is_some_and(|version| version == "13"), StatusCode::UPGRADE_REQUIRED, "the version is not 13")?;
    unless(the_one(headers, &HOST).is_some(), StatusCode::BAD_REQUEST, "the request names no host")?;
    let key = the_one(headers, &SEC_WEBSOCKET_KEY).filter(|key| is_key(key.as_bytes()));
    unless(key.is_some(), StatusCode::BAD_REQUEST, "the request has no valid key")?;
    unless(!has_body(headers), StatusCode::BAD_REQUEST, "the request has a body")?;
    for origin in headers.get_all(ORIGIN) {
        if !origins.iter().any(|allowed| origin.as_bytes().eq_ignore_ascii_case(allowed.as_bytes())) {
            let origin = String::from_utf8_lossy(origin.as_bytes()).into_owned();
            return Err(Refusal { status: StatusCode::FORBIDDEN, why: WebSocketError::BadOrigin(origin) });
        }
    }
    let offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    if !offered.flat_map(|list| list.split(',')).any(|one| one.trim() == SUBPROTOCOL) {
        return Err(Refusal { status: StatusCode::BAD_REQUEST, why: WebSocketError::NoSubprotocol });
    }
    let accept = derive_accept_key(key.map_or(&[], HeaderValue::as_bytes));
    let mut answer = Response::new(String::new());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let told = [
        (CONNECTION, HeaderValue::from_static("Upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL)),
    ];
    answer.headers_mut().extend(told);
    answer.headers_mut().extend(HeaderValue::try_from(accept).ok().map(|accept| (SEC_WEBSOCKET_ACCEPT, accept)));
    Ok(answer)
}

/// Whether a list, which may be in many headers, has the word, in any case.
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let lists = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|one| one.trim().eq_ignore_ascii_case(word))
}

/// The value of a header that may be there but once.
fn the_one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether these are sixteen octets in base64.
fn is_key(key: &[u8]) -> bool {
    let digits = key.strip_suffix(b"==").filter(|digits| digits.len() == 22);
    digits.is_some_and(|digits| digits.iter().all(|digit| digit.is_ascii_alphanumeric() || b"+/".contains(digit)))
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
