//! Tokio's sockets as futures-io streams.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ropeway_driver::futures_io::{AsyncRead, AsyncWrite};
use ropeway_driver::{Address, Endpoint, Endpoints, SocketOptions};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

/// Octets that may lie unsent in a socket, enough to keep the network busy: two blocks of the driver.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNSENT: u32 = 512 * 1024;

/// A connected socket.
#[derive(Debug)]
pub enum Socket {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a Unix socket.
    #[cfg(unix)]
    Unix(UnixStream),
}

/// A listening socket.
#[derive(Debug)]
pub enum Listener {
    /// For TCP.
    Tcp(TcpListener),
    /// On a Unix socket's path, which is removed when this is dropped.
    #[cfg(unix)]
    Unix(RemoveOnDrop, UnixListener),
}

impl Socket {
    pub(crate) async fn connect(address: &Address, options: &SocketOptions) -> io::Result<(Socket, Endpoints)> {
        match address {
            Address::Tcp { host, port } => {
                let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
                for peer in lookup_host((host.as_str(), *port)).await? {
                    if options.local.is_some_and(|local| local.is_ipv4() != peer.is_ipv4()) {
                        continue;
                    }
                    let socket = if peer.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
                    if let Some(local) = options.local {
                        socket.bind(local)?;
                    }
                    match socket.connect(peer).await {
                        Ok(stream) => return Socket::tcp(stream, options),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            #[cfg(unix)]
            Address::Unix(path) => Socket::unix(UnixStream::connect(path).await?),
            other => Err(unsupported(other)),
        }
    }

    fn tcp(stream: TcpStream, options: &SocketOptions) -> io::Result<(Socket, Endpoints)> {
        stream.set_nodelay(options.no_delay)?;
        // What lies unsent in the socket's buffer can't be overtaken. Where this fails, urgent messages are only later.
        #[cfg(any(target_os = "android", target_os = "linux"))]
        let _ = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT);
        let ends =
            Endpoints::new(stream.local_addr().ok().map(Endpoint::Tcp), stream.peer_addr().ok().map(Endpoint::Tcp));
        Ok((Socket::Tcp(stream), ends))
    }

    #[cfg(unix)]
    fn unix(stream: UnixStream) -> io::Result<(Socket, Endpoints)> {
        let end = |address: io::Result<tokio::net::unix::SocketAddr>| {
            address.ok().map(|address| Endpoint::Unix(address.as_pathname().map(Into::into)))
        };
        let ends = Endpoints::new(end(stream.local_addr()), end(stream.peer_addr()));
        Ok((Socket::Unix(stream), ends))
    }
}

impl Listener {
    pub(crate) async fn bind(address: &Address) -> io::Result<(Listener, Address)> {
        match address {
            Address::Tcp { host, port } => {
                let listener = TcpListener::bind((host.as_str(), *port)).await?;
                let address = listener.local_addr()?.into();
                Ok((Listener::Tcp(listener), address))
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let listener = match UnixListener::bind(path) {
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_over(path).await => {
                        std::fs::remove_file(path)?;
                        UnixListener::bind(path)?
                    }
                    bound => bound?,
                };
                Ok((Listener::Unix(RemoveOnDrop(path.clone()), listener), address.clone()))
            }
            other => Err(unsupported(other)),
        }
    }

    pub(crate) async fn accept(&self, options: &SocketOptions) -> io::Result<(Socket, Endpoints)> {
        match self {
            Listener::Tcp(listener) => Socket::tcp(listener.accept().await?.0, options),
            #[cfg(unix)]
            Listener::Unix(_, listener) => Socket::unix(listener.accept().await?.0),
        }
    }
}

/// Whether nobody listens on a socket's path: a process that was killed left it.
#[cfg(unix)]
async fn is_left_over(path: &std::path::Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    let refused = UnixStream::connect(path).await.is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused);
    refused && std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

/// Removes a listening socket's path. First of all: once nobody listens, the path may be another's.
#[cfg(unix)]
#[derive(Debug)]
pub struct RemoveOnDrop(std::path::PathBuf);

#[cfg(unix)]
impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn unsupported(address: &Address) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("{address} is not supported here"))
}

/// Calls the same method on whichever socket it is.
macro_rules! either {
    ($self:ident, $socket:ident => $call:expr) => {
        match $self.get_mut() {
            Socket::Tcp(stream) => {
                let $socket = Pin::new(stream);
                $call
            }
            #[cfg(unix)]
            Socket::Unix(stream) => {
                let $socket = Pin::new(stream);
                $call
            }
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut out = ReadBuf::new(out);
        ready!(either!(self, socket => socket.poll_read(cx, &mut out)))?;
        Poll::Ready(Ok(out.filled().len()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, socket => socket.poll_write(cx, octets))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, socket => socket.poll_flush(cx))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, socket => socket.poll_shutdown(cx))
    }
}
