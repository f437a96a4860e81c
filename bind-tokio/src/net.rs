//! Tokio's sockets as futures-io streams.

use std::io;

use ropeway_driver::socket::{self, connect_tcp, listen_tcp, unsupported};
use ropeway_driver::{Address, Endpoints, SocketOptions, Spawn, TokioIo};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

/// A connected socket.
#[cfg(unix)]
pub type Socket = socket::Socket<TokioIo<TcpStream>, TokioIo<UnixStream>>;
/// A connected socket.
#[cfg(not(unix))]
pub type Socket = socket::Socket<TokioIo<TcpStream>>;

/// A listening socket.
#[derive(Debug)]
pub enum Listener {
    /// For TCP.
    Tcp(TcpListener),
    /// On a Unix socket's path, which is removed when this is dropped.
    #[cfg(unix)]
    Unix(socket::Bound, UnixListener),
}

pub(crate) async fn connect(
    spawn: &dyn Spawn,
    address: &Address,
    options: &SocketOptions,
) -> io::Result<(Socket, Endpoints)> {
    match address {
        Address::Tcp { host, port } => {
            let connected = async |stream| {
                let stream = TcpStream::from_std(stream)?;
                stream.writable().await?;
                Ok(stream)
            };
            let (stream, ends) = connect_tcp(spawn, (host, *port), options, connected).await?;
            Ok((Socket::Tcp(TokioIo(stream)), ends))
        }
        #[cfg(unix)]
        Address::Unix(path) => Ok(unix(UnixStream::from_std(socket::connect_unix(path)?)?)),
        _ => Err(unsupported()),
    }
}

impl Listener {
    pub(crate) async fn bind(spawn: &dyn Spawn, address: &Address) -> io::Result<(Listener, Address)> {
        match address {
            Address::Tcp { host, port } => {
                let (listener, address) = listen_tcp(spawn, (host, *port)).await?;
                Ok((Listener::Tcp(TcpListener::from_std(listener)?), address))
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let (bound, listener) = socket::listen_unix(path)?;
                Ok((Listener::Unix(bound, UnixListener::from_std(listener)?), address.clone()))
            }
            _ => Err(unsupported()),
        }
    }

    pub(crate) async fn accept(&self, options: &SocketOptions) -> io::Result<(Socket, Endpoints)> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                options.apply(&stream)?;
                let ends = Endpoints::of(&stream);
                Ok((Socket::Tcp(TokioIo(stream)), ends))
            }
            #[cfg(unix)]
            Listener::Unix(_, listener) => Ok(unix(listener.accept().await?.0)),
        }
    }
}

#[cfg(unix)]
fn unix(stream: UnixStream) -> (Socket, Endpoints) {
    let ends = Endpoints::of(&stream);
    (Socket::Unix(TokioIo(stream)), ends)
}
