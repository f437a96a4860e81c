//! The end that asks for the upgrade.

use async_tungstenite::tungstenite::handshake::client::{Response, generate_key};
use async_tungstenite::tungstenite::handshake::derive_accept_key;
use async_tungstenite::tungstenite::http::{HeaderMap, StatusCode};
use async_tungstenite::tungstenite::protocol::Role;
use futures_io::{AsyncRead, AsyncWrite};

use super::error::WebSocketError;
use super::octets::Octets;
use super::{SUBPROTOCOL, head};
use crate::address::bracketed;
use crate::error::Error;

/// What a client asks for.
pub(in crate::transport) struct Asking {
    host: String,
    path: String,
}

impl Asking {
    pub(in crate::transport) fn new(host: &str, port: u16, path: &str) -> Asking {
        // A zone is this system's matter.
        let host = host.split_once('%').map_or(host, |(ip, _)| ip);
        Asking { host: format!("{}:{port}", bracketed(host)), path: path.into() }
    }

    pub(in crate::transport) async fn connect<S>(self, mut stream: S) -> Result<Octets<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let key = generate_key();
        let Asking { host, path } = self;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
        );
        head::write(&mut stream, request.as_bytes()).await?;
        let (response, rest): (Response, _) = head::read(&mut stream, b"HTTP/1.1 ").await?;
        check(&response, &key)?;
        Ok(Octets::over(stream, rest, Role::Client).await)
    }
}

fn check(response: &Response, key: &str) -> Result<(), WebSocketError> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(WebSocketError::Refused(response.status().as_u16()));
    }
    let headers = response.headers();
    for (name, wanted) in [("upgrade", "websocket"), ("connection", "upgrade")] {
        if !said(headers, name).is_some_and(|value| value.eq_ignore_ascii_case(wanted)) {
            return Err(WebSocketError::NoUpgrade(format!("the header {name} does not say {wanted}")));
        }
    }
    if said(headers, "sec-websocket-accept") != Some(&derive_accept_key(key.as_bytes())) {
        return Err(WebSocketError::NoUpgrade("the server's key does not answer the client's".into()));
    }
    if headers.contains_key("sec-websocket-extensions") {
        return Err(WebSocketError::NoUpgrade("the server uses an extension that was not asked for".into()));
    }
    if said(headers, "sec-websocket-protocol") != Some(SUBPROTOCOL) {
        return Err(WebSocketError::NoSubprotocol);
    }
    Ok(())
}

fn said<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
