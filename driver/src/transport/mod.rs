//! Transports as addresses: what lies between an address and a connected stream, the same for every runtime.
//!
//! A runtime knows sockets. Everything else is put together here, over its sockets or without any. [`Client`](crate::Client)
//! and [`Server`](crate::Server) do what is here by themselves; it is for who drives [`Line::new`](crate::Line::new).

mod channel;
mod mem;

pub use self::channel::Channel;
use crate::address::Address;
use crate::error::Error;
use crate::runtime::{Endpoints, Runtime, SocketOptions};

/// How to connect.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// How the socket is set up.
    pub socket: SocketOptions,
}

/// How to listen.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ListenOptions {
    /// How the sockets are set up that are accepted.
    pub socket: SocketOptions,
}

/// Connects to an address.
///
/// # Errors
/// [`Error::Io`] if nobody listens there, or the transport is not supported here.
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
        _ => {
            let (stream, ends) = runtime.connect(address, &options.socket).await?;
            Ok((Channel::socket(stream), ends))
        }
    }
}

/// Listens on an address, which may differ from the one asked for: what was left open is filled in.
///
/// # Errors
/// [`Error::Io`] if it can't be listened on, or the transport is not supported here.
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
        _ => {
            let (listener, address) = runtime.listen(address).await?;
            (Kind::Socket(listener), address)
        }
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
    Mem(mem::Listener),
}

impl<R: Runtime> Listener<R> {
    /// Waits for the next connection.
    ///
    /// # Errors
    /// Those of the runtime's sockets. It can be called again after each.
    ///
    /// # Cancel safety
    /// Safe, where the runtime's is.
    pub async fn accept(&self) -> std::io::Result<(Channel<R::Stream>, Endpoints)> {
        match &self.kind {
            Kind::Socket(listener) => {
                let (stream, ends) = self.runtime.accept(listener, &self.options.socket).await?;
                Ok((Channel::socket(stream), ends))
            }
            Kind::Mem(listener) => {
                let (pipe, ends) = listener.accept().await;
                Ok((Channel::over(pipe), ends))
            }
        }
    }
}
