//! What lies between the two ends of a scenario.

use std::fmt;

use ropeway_driver::Address;

use crate::lab::Duplex;
use crate::weather::{Buffered, Chop, OneByte, Outdoors, Spurious, Stall};

/// A transport, in its weather.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// The binding's TCP sockets, on loopback.
    Tcp,
    /// The binding's Unix sockets.
    Unix,
    /// TLS over the binding's TCP sockets.
    Tls,
    /// WebSocket over the binding's TCP sockets.
    Ws,
    /// WebSocket over TLS over the binding's TCP sockets.
    Wss,
    /// The driver's own, within this process.
    Mem,
    /// A pipe in memory.
    Pipe(Sky),
}

/// The weather over a pipe, at both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sky {
    /// None.
    Fair,
    /// A byte a call.
    OneByte,
    /// Pieces of random size.
    Chop,
    /// Calls that are pending at first.
    Stall,
    /// Wake-ups for no reason.
    Spurious,
    /// Writes that stay behind until they are flushed.
    Buffered,
}

impl Transport {
    /// All there are.
    pub const ALL: &[Transport] = &[
        Transport::Tcp,
        #[cfg(unix)]
        Transport::Unix,
        Transport::Tls,
        Transport::Ws,
        Transport::Wss,
        Transport::Mem,
        Transport::Pipe(Sky::Fair),
        Transport::Pipe(Sky::OneByte),
        Transport::Pipe(Sky::Chop),
        Transport::Pipe(Sky::Stall),
        Transport::Pipe(Sky::Spurious),
        Transport::Pipe(Sky::Buffered),
    ];

    /// Whether it moves little at a time.
    pub fn is_slow(self) -> bool {
        matches!(self, Transport::Pipe(Sky::OneByte | Sky::Chop | Sky::Stall))
    }

    /// Where to listen or connect for an address as the driver knows it.
    ///
    /// That is one of sockets: over another the driver would put the transport itself, above what a scenario does to streams.
    pub(crate) fn beneath(self, address: &Address) -> Address {
        match (self, address) {
            (Transport::Tls, Address::Tcp { host, port }) => Address::Tls { host: host.clone(), port: *port },
            (Transport::Ws, Address::Tcp { host, port }) => {
                Address::Ws { host: host.clone(), port: *port, path: "/line".into() }
            }
            (Transport::Wss, Address::Tcp { host, port }) => {
                Address::Wss { host: host.clone(), port: *port, path: "/line".into() }
            }
            (Transport::Mem, Address::Tcp { port: 0, .. }) => Address::Mem("".into()),
            (Transport::Mem, Address::Tcp { host: name, .. }) => Address::Mem(name.clone()),
            _ => address.clone(),
        }
    }

    /// The address for the driver, of what listens there.
    pub(crate) fn above(self, address: Address) -> Address {
        match address {
            Address::Tls { host, port } | Address::Ws { host, port, .. } | Address::Wss { host, port, .. } => {
                Address::Tcp { host, port }
            }
            Address::Mem(name) => Address::Tcp { host: name, port: 1 },
            other => other,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Tcp => "tcp",
            Transport::Unix => "unix",
            Transport::Tls => "tls",
            Transport::Ws => "ws",
            Transport::Wss => "wss",
            Transport::Mem => "mem",
            Transport::Pipe(Sky::Fair) => "pipe",
            Transport::Pipe(Sky::OneByte) => "one_byte",
            Transport::Pipe(Sky::Chop) => "chop",
            Transport::Pipe(Sky::Stall) => "stall",
            Transport::Pipe(Sky::Spurious) => "spurious",
            Transport::Pipe(Sky::Buffered) => "buffered",
        })
    }
}

impl Sky {
    /// Octets that the pipe holds: few in bad weather, so that writers wait.
    pub(crate) fn capacity(self) -> usize {
        match self {
            Sky::Fair | Sky::Spurious | Sky::Buffered => 64 * 1024,
            Sky::OneByte | Sky::Chop | Sky::Stall => 700,
        }
    }

    pub(crate) fn over(self, stream: Duplex, seed: u64) -> Duplex {
        match self {
            Sky::Fair => stream,
            Sky::OneByte => Box::new(stream.under(OneByte)),
            Sky::Chop => Box::new(stream.under(Chop::new(seed, 90))),
            Sky::Stall => Box::new(stream.under(Stall::new(seed, 3))),
            Sky::Spurious => Box::new(stream.under(Spurious::new(seed))),
            Sky::Buffered => Box::new(Buffered::new(stream, 200 * 1024)),
        }
    }
}
