//! What lies between the two ends of a scenario.

use std::fmt;

use ropeway_driver::seal::{SecretKey, Suites};
use ropeway_driver::{Address, Role, Seal};

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
    /// TLS or WebSocket over a pipe in memory, which is out in the weather.
    Layered(Layer, Sky),
    /// A pipe in memory, and lines over it that are sealed.
    Sealed(Sky),
}

/// What the driver puts over sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layer {
    /// TLS.
    Tls,
    /// WebSocket.
    Ws,
    /// WebSocket over TLS.
    Wss,
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
    /// All there are. Over the first of those that a scenario concerns, it is recorded.
    pub const ALL: &[Transport] = &[
        Transport::Pipe(Sky::Fair),
        Transport::Tcp,
        #[cfg(unix)]
        Transport::Unix,
        Transport::Tls,
        Transport::Ws,
        Transport::Wss,
        Transport::Mem,
        Transport::Pipe(Sky::OneByte),
        Transport::Pipe(Sky::Chop),
        Transport::Pipe(Sky::Stall),
        Transport::Pipe(Sky::Spurious),
        Transport::Pipe(Sky::Buffered),
        Transport::Layered(Layer::Tls, Sky::OneByte),
        Transport::Layered(Layer::Tls, Sky::Stall),
        Transport::Layered(Layer::Tls, Sky::Spurious),
        Transport::Layered(Layer::Ws, Sky::OneByte),
        Transport::Layered(Layer::Ws, Sky::Stall),
        Transport::Layered(Layer::Ws, Sky::Spurious),
        Transport::Sealed(Sky::Fair),
        Transport::Sealed(Sky::OneByte),
        Transport::Sealed(Sky::Stall),
        Transport::Sealed(Sky::Spurious),
    ];

    /// Whether it moves little at a time.
    pub fn is_slow(self) -> bool {
        matches!(self.sky(), Some(Sky::OneByte | Sky::Chop | Sky::Stall))
    }

    /// Whether its ends shake hands before a first octet passes, for which both must be at it.
    pub fn has_handshake(self) -> bool {
        self.layer().is_some()
    }

    /// Whether lines over it are sealed unless a scenario says otherwise.
    pub fn is_sealed(self) -> bool {
        matches!(self, Transport::Sealed(_))
    }

    /// How lines over it are sealed at their ends: the one that connects, and the one that accepts. By another suite in each weather.
    pub(crate) fn seal(self, role: Role) -> Option<Seal> {
        let Transport::Sealed(sky) = self else { return None };
        let [client, server] = [SecretKey::new([1; 32]), SecretKey::new([2; 32])];
        let (own, peer) = match role {
            Role::Client => (client, server.public()),
            Role::Server => (server, client.public()),
        };
        let suite = match sky {
            Sky::OneByte | Sky::Chop => "ChaCha20-Poly1305",
            Sky::Stall => "A256CBC-HS512",
            Sky::Fair | Sky::Spurious | Sky::Buffered => "AES-256-GCM",
        };
        let suites = Suites::default().named([suite]).expect("it is one of them");
        Some(Seal::with_key(own).trust(peer).suites(suites))
    }

    /// The weather over the pipe beneath it, if it is over a pipe.
    pub(crate) fn sky(self) -> Option<Sky> {
        match self {
            Transport::Pipe(sky) | Transport::Layered(_, sky) | Transport::Sealed(sky) => Some(sky),
            _ => None,
        }
    }

    fn layer(self) -> Option<Layer> {
        match self {
            Transport::Tls => Some(Layer::Tls),
            Transport::Ws => Some(Layer::Ws),
            Transport::Wss => Some(Layer::Wss),
            Transport::Layered(layer, _) => Some(layer),
            _ => None,
        }
    }

    /// Where to listen or connect for an address as the driver knows it.
    ///
    /// That is one of sockets: over another the driver would put the transport itself, above what a scenario does to streams.
    pub(crate) fn beneath(self, address: &Address) -> Address {
        let Address::Tcp { host, port } = address else { return address.clone() };
        let (host, port, path) = (host.clone(), *port, "/line".into());
        match (self, self.layer()) {
            (_, Some(Layer::Tls)) => Address::Tls { host, port },
            (_, Some(Layer::Ws)) => Address::Ws { host, port, path },
            (_, Some(Layer::Wss)) => Address::Wss { host, port, path },
            (Transport::Mem, _) if port == 0 => Address::Mem("".into()),
            (Transport::Mem, _) => Address::Mem(host),
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
        match self {
            Transport::Tcp => f.write_str("tcp"),
            Transport::Unix => f.write_str("unix"),
            Transport::Tls => Layer::Tls.fmt(f),
            Transport::Ws => Layer::Ws.fmt(f),
            Transport::Wss => Layer::Wss.fmt(f),
            Transport::Mem => f.write_str("mem"),
            Transport::Pipe(sky) => sky.fmt(f),
            Transport::Layered(layer, sky) => write!(f, "{layer}_{sky}"),
            Transport::Sealed(sky) => write!(f, "sealed_{sky}"),
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layer::Tls => "tls",
            Layer::Ws => "ws",
            Layer::Wss => "wss",
        })
    }
}

impl fmt::Display for Sky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sky::Fair => "pipe",
            Sky::OneByte => "one_byte",
            Sky::Chop => "chop",
            Sky::Stall => "stall",
            Sky::Spurious => "spurious",
            Sky::Buffered => "buffered",
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
