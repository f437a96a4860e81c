//! WebSocket over any stream: `ws://host:port/path`, and `wss://` over TLS.
//!
//! The octets of a line travel in binary messages, wherever they are cut. Pings of the peer's are answered; our own signs of
//! life are those of the line.

mod asked;
mod asking;
mod error;
mod head;
mod octets;

pub(super) use self::asked::Asked;
pub(super) use self::asking::Asking;
pub use self::error::WebSocketError;

/// The subprotocol, which both ends demand: the line's version is its own matter.
const SUBPROTOCOL: &str = "ropeway.1";
