//! Settings of a line.

use std::time::Duration;

use ropeway_core as core;

/// What one end of a line takes, and how patient it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Sizes, windows and timeouts of the protocol.
    pub protocol: core::Config,
    /// Exchanges open at once, each way; at most 4096.
    pub lanes: u16,
    /// Streams and files under way at once, each way; at most 4096.
    pub flows: u16,
    /// Octets that wait to be sent. What does not fit makes the sender wait.
    pub outbox: usize,
    /// Handlers of the peer's messages that run at once; then messages wait.
    pub handlers: usize,
    /// How long connecting may take, up to the hello: over TLS and WebSocket that includes their handshakes. Of a peer that connects, the
    /// hello must come in time, whatever is before it.
    pub connect_timeout: Duration,
    /// How long closing may take without getting on.
    pub close_timeout: Duration,
}

impl Config {
    /// 1024 exchanges and 256 flows each way, 256 KiB of outbox, 1024 handlers, 5 s to connect and to close.
    pub const DEFAULT: Config = Config {
        protocol: core::Config::DEFAULT,
        lanes: 1024,
        flows: 256,
        outbox: 256 * 1024,
        handlers: 1024,
        connect_timeout: Duration::from_secs(5),
        close_timeout: Duration::from_secs(5),
    };
}

impl Default for Config {
    fn default() -> Config {
        Config::DEFAULT
    }
}
