//! WebSocket over any stream: `ws://host:port/path`, `wss://` over TLS, and on paths of other HTTP servers.
//!
//! The octets of a line travel in binary messages, wherever they are cut. Pings of the peer's are answered; our own signs of
//! life are those of the line.

mod asked;
mod asking;
mod error;
mod head;
#[cfg(feature = "mount")]
mod mounts;
mod octets;
mod upgrade;
#[cfg(feature = "mount")]
mod upgraded;

pub(super) use self::asked::Asked;
pub(super) use self::asking::Asking;
pub use self::error::WebSocketError;
#[cfg(feature = "mount")]
pub use self::mounts::{MountError, Mounts};

/// The subprotocol, which both ends demand: the line's version is its own matter.
const SUBPROTOCOL: &str = "ropeway.1";
