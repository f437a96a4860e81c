//! Transports as addresses: what lies between an address and a connected stream, the same for every runtime.
//!
//! A runtime knows sockets. Everything else is put together here, over its sockets or without any. [`Client`](crate::Client)
//! and [`Server`](crate::Server) do what is here by themselves; it is for who drives [`Line::new`](crate::Line::new).

mod channel;
mod mem;
#[cfg(feature = "tls")]
mod tls;

use std::io;

pub use self::channel::Channel;
#[cfg(feature = "tls")]
pub use self::tls::{ClientTls, ServerTls, TlsError};
use crate::address::Address;
use crate::error::Error;
use crate::runtime::{Endpoints, Runtime, SocketOptions};

/// How to connect.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// How the socket is set up.
    pub socket: SocketOptions,
    /// Whom to trust over TLS. If it is none, the authorities of the feature `tls-webpki-roots`.
    #[cfg(feature = "tls")]
    pub tls: Option<ClientTls>,
}

/// How to listen.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ListenOptions {
    /// How the sockets are set up that are accepted.
    pub socket: SocketOptions,
    /// The certificate to show over TLS.
    #[cfg(feature = "tls")]
    pub tls: Option<ServerTls>,
}

/// Connects to an address. The transport's own handshake is still to come: see [`Channel::established`].
///
/// # Errors
/// [`Error::Io`] if nobody listens there, or the transport is not supported here; `Error::Tls` if there is nobody to trust.
///
/// # Cancel safety
/// Dropped early, no connection is left.
pub async fn connect<R: Runtime>(
    runtime: &R,
    address: &Address,
    options: &ConnectOptions,
) -> Result<(Channel<R::Stream>, Endpoints), Error> {
    match address {
        Address::Mem(name) => {
            let (pipe, ends) = mem::connect(name)?;
            Ok((Channel::over(pipe), ends))
        }
        Address::Tcp { .. } | Address::Unix(_) => {
            let (stream, ends) = runtime.connect(address, &options.socket).await?;
            Ok((Channel::socket(stream), ends))
        }
        #[cfg(feature = "tls")]
        Address::Tls { host, port } => {
            let tls = tls::Connector::new(options.tls.as_ref(), host)?;
            let (stream, ends) = runtime.connect(&tcp(host, *port), &options.socket).await?;
            Ok((Channel::handshaking(async { Ok(Box::new(tls.connect(stream).await?) as _) }), ends))
        }
        #[cfg(not(feature = "tls"))]
        Address::Tls { .. } => Err(left_out(address, "tls").into()),
    }
}

/// Listens on an address, which may differ from the one asked for: what was left open is filled in.
///
/// # Errors
/// [`Error::Io`] if it can't be listened on, or the transport is not supported here; `Error::Tls` without a certificate.
///
/// # Cancel safety
/// Dropped early, nothing listens.
pub async fn listen<R: Runtime>(
    runtime: &R,
    address: &Address,
    options: ListenOptions,
) -> Result<(Listener<R>, Address), Error> {
    let (kind, address) = match address {
        Address::Mem(name) => {
            let listener = mem::Listener::bind(name)?;
            let address = Address::Mem(listener.name().into());
            (Kind::Mem(listener), address)
        }
        Address::Tcp { .. } | Address::Unix(_) => {
            let (listener, address) = runtime.listen(address).await?;
            (Kind::Socket(listener), address)
        }
        #[cfg(feature = "tls")]
        Address::Tls { host, port } => {
            let tls = options.tls.clone().ok_or(TlsError::NothingToShow)?;
            let (listener, bound) = runtime.listen(&tcp(host, *port)).await?;
            // The name stays, for the certificate is for it.
            let address = Address::Tls { host: host.clone(), port: port_of(&bound) };
            (Kind::Tls(listener, tls), address)
        }
        #[cfg(not(feature = "tls"))]
        Address::Tls { .. } => return Err(left_out(address, "tls").into()),
    };
    Ok((Listener { runtime: runtime.clone(), options, kind }, address))
}

/// What listens, until it is dropped.
pub struct Listener<R: Runtime> {
    runtime: R,
    options: ListenOptions,
    kind: Kind<R::Listener>,
}

enum Kind<L> {
    Socket(L),
    #[cfg(feature = "tls")]
    Tls(L, ServerTls),
    Mem(mem::Listener),
}

impl<R: Runtime> Listener<R> {
    /// Waits for the next connection. It does not wait for the transport's own handshake, which is the channel's matter.
    ///
    /// # Errors
    /// Those of the runtime's sockets. It can be called again after each.
    ///
    /// # Cancel safety
    /// Safe, where the runtime's is.
    pub async fn accept(&self) -> io::Result<(Channel<R::Stream>, Endpoints)> {
        match &self.kind {
            Kind::Socket(listener) => {
                let (stream, ends) = self.runtime.accept(listener, &self.options.socket).await?;
                Ok((Channel::socket(stream), ends))
            }
            #[cfg(feature = "tls")]
            Kind::Tls(listener, tls) => {
                let (stream, ends) = self.runtime.accept(listener, &self.options.socket).await?;
                let tls = tls.clone();
                Ok((Channel::handshaking(async move { Ok(Box::new(tls.accept(stream).await?) as _) }), ends))
            }
            Kind::Mem(listener) => {
                let (pipe, ends) = listener.accept().await;
                Ok((Channel::over(pipe), ends))
            }
        }
    }
}

/// The socket that lies beneath.
#[cfg(feature = "tls")]
fn tcp(host: &str, port: u16) -> Address {
    Address::Tcp { host: host.into(), port }
}

#[cfg(feature = "tls")]
fn port_of(bound: &Address) -> u16 {
    match bound {
        Address::Tcp { port, .. } => *port,
        _ => 0,
    }
}

#[cfg(not(feature = "tls"))]
fn left_out(address: &Address, feature: &str) -> io::Error {
    let why = format!("{address} is not supported here: the feature {feature} is off");
    io::Error::new(io::ErrorKind::Unsupported, why)
}
