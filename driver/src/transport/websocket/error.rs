//! What can go wrong with WebSocket.

use std::fmt;

use async_tungstenite::tungstenite;

/// Why there is no WebSocket, or no more.
#[derive(Debug)]
#[non_exhaustive]
pub enum WebSocketError {
    /// The peer does not speak HTTP, or asks for or offers another upgrade; what is wrong.
    NoUpgrade(String),
    /// The head of a request or answer is larger than 8 KiB.
    HeadTooLarge,
    /// A server answered with this status instead of an upgrade.
    Refused(u16),
    /// A client asked for another path.
    NoSuchPath(String),
    /// A client is a page of an origin that may not open lines.
    BadOrigin(String),
    /// The peer does not speak the subprotocol `ropeway.1`.
    NoSubprotocol,
    /// A text message came, where only binary ones may.
    Text,
    /// A message is larger than may be, or a frame breaks the protocol; what is wrong.
    BadFrame(String),
}

impl fmt::Display for WebSocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WebSocketError::NoUpgrade(why) => write!(f, "no websocket upgrade: {why}"),
            WebSocketError::HeadTooLarge => f.write_str("the head of the websocket upgrade is larger than 8 kib"),
            WebSocketError::Refused(status) => write!(f, "the websocket upgrade was refused with status {status}"),
            WebSocketError::NoSuchPath(path) => write!(f, "there is no websocket at {path:?}"),
            WebSocketError::BadOrigin(origin) => write!(f, "pages of the origin {origin:?} may not open lines"),
            WebSocketError::NoSubprotocol => {
                write!(f, "the peer does not speak the subprotocol {}", super::SUBPROTOCOL)
            }
            WebSocketError::Text => f.write_str("a websocket message is text, where only binary ones may be"),
            WebSocketError::BadFrame(why) => write!(f, "a websocket frame can't be taken: {why}"),
        }
    }
}

impl std::error::Error for WebSocketError {}

impl WebSocketError {
    /// What is wrong with a head.
    pub(super) fn no_upgrade(error: tungstenite::Error) -> WebSocketError {
        WebSocketError::NoUpgrade(lower(&error.to_string()))
    }
}

/// Their texts are sentences.
pub(super) fn lower(text: &str) -> String {
    let text = text.strip_suffix('.').unwrap_or(text);
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}
