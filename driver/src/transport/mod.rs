//! Transports as addresses: what lies between an address and a connected stream, the same for every runtime.
//!
//! A runtime knows sockets. Everything else is put together here, over its sockets or without any. [`Client`](crate::Client)
//! and [`Server`](crate::Server) do what is here by themselves; it is for who drives [`Line::new`](crate::Line::new).

mod channel;
mod mem;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "websocket")]
mod websocket;

use std::io;

pub use self::channel::Channel;
#[cfg(feature = "tls")]
pub(crate) use self::tls::Shown;
#[cfg(feature = "tls")]
pub use self::tls::{ClientTls, ServerTls, TlsError};
#[cfg(feature = "websocket")]
pub use self::websocket::WebSocketError;
#[cfg(feature = "mount")]
pub use self::websocket::{MountError, Mounts};
use crate::address::Address;
use crate::error::Error;
use crate::runtime::{Endpoints, Runtime, SocketOptions};

/// How to connect.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// How the socket is set up.
    pub socket: SocketOptions,
    /// Whom to trust over TLS. If it is none, those of the features `tls-platform-roots` or `tls-webpki-roots`.
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
    /// The origins whose pages may open lines over WebSocket. Who has no origin always may.
    #[cfg(feature = "websocket")]
    pub origins: Vec<String>,
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
            let shown = ends.shown.clone();
            Ok((Channel::handshaking(async move { Ok(Box::new(tls.connect(stream, &shown).await?) as _) }), ends))
        }
        #[cfg(feature = "websocket")]
        Address::Ws { host, port, path } => {
            let asking = websocket::Asking::new(host, *port, path);
            let (stream, ends) = runtime.connect(&tcp(host, *port), &options.socket).await?;
            Ok((Channel::handshaking(async move { Ok(Box::new(asking.connect(stream).await?) as _) }), ends))
        }
        #[cfg(all(feature = "tls", feature = "websocket"))]
        Address::Wss { host, port, path } => {
            let (tls, asking) =
                (tls::Connector::new(options.tls.as_ref(), host)?, websocket::Asking::new(host, *port, path));
            let (stream, ends) = runtime.connect(&tcp(host, *port), &options.socket).await?;
            let shown = ends.shown.clone();
            let handshakes =
                async move { Ok(Box::new(asking.connect(tls.connect(stream, &shown).await?).await?) as _) };
            Ok((Channel::handshaking(handshakes), ends))
        }
        #[cfg(not(all(feature = "tls", feature = "websocket")))]
        _ => Err(left_out(address).into()),
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
        #[cfg(feature = "websocket")]
        Address::Ws { host, port, path } => {
            let asked = websocket::Asked::new(path, &options.origins);
            let (listener, bound) = runtime.listen(&tcp(host, *port)).await?;
            let address = Address::Ws { host: host.clone(), port: port_of(&bound), path: path.clone() };
            (Kind::Ws(listener, asked), address)
        }
        #[cfg(all(feature = "tls", feature = "websocket"))]
        Address::Wss { host, port, path } => {
            let tls = options.tls.clone().ok_or(TlsError::NothingToShow)?;
            let asked = websocket::Asked::new(path, &options.origins);
            let (listener, bound) = runtime.listen(&tcp(host, *port)).await?;
            let address = Address::Wss { host: host.clone(), port: port_of(&bound), path: path.clone() };
            (Kind::Wss(listener, tls, asked), address)
        }
        #[cfg(not(all(feature = "tls", feature = "websocket")))]
        _ => return Err(left_out(address).into()),
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
    #[cfg(feature = "websocket")]
    Ws(L, websocket::Asked),
    #[cfg(all(feature = "tls", feature = "websocket"))]
    Wss(L, ServerTls, websocket::Asked),
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
                let (tls, shown) = (tls.clone(), ends.shown.clone());
                Ok((Channel::handshaking(async move { Ok(Box::new(tls.accept(stream, &shown).await?) as _) }), ends))
            }
            #[cfg(feature = "websocket")]
            Kind::Ws(listener, asked) => {
                let (stream, ends) = self.runtime.accept(listener, &self.options.socket).await?;
                let asked = asked.clone();
                Ok((Channel::handshaking(async move { Ok(Box::new(asked.accept(stream).await?) as _) }), ends))
            }
            #[cfg(all(feature = "tls", feature = "websocket"))]
            Kind::Wss(listener, tls, asked) => {
                let (stream, ends) = self.runtime.accept(listener, &self.options.socket).await?;
                let (tls, asked, shown) = (tls.clone(), asked.clone(), ends.shown.clone());
                let handshakes =
                    async move { Ok(Box::new(asked.accept(tls.accept(stream, &shown).await?).await?) as _) };
                Ok((Channel::handshaking(handshakes), ends))
            }
            Kind::Mem(listener) => {
                let (pipe, ends) = listener.accept().await;
                Ok((Channel::over(pipe), ends))
            }
        }
    }
}

/// The socket that lies beneath.
#[cfg(any(feature = "tls", feature = "websocket"))]
fn tcp(host: &str, port: u16) -> Address {
    Address::Tcp { host: host.into(), port }
}

#[cfg(any(feature = "tls", feature = "websocket"))]
fn port_of(bound: &Address) -> u16 {
    match bound {
        Address::Tcp { port, .. } => *port,
        _ => 0,
    }
}

#[cfg(not(all(feature = "tls", feature = "websocket")))]
fn left_out(address: &Address) -> io::Error {
    let features = match address {
        Address::Tls { .. } => "tls",
        Address::Ws { .. } => "websocket",
        _ => "tls and websocket",
    };
    let why = format!("it needs the features {features}, which are left out");
    io::Error::new(io::ErrorKind::Unsupported, why)
}
