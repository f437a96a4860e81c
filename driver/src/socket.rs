//! What the sockets of all runtimes have in common, for writers of bindings.
//!
//! It works on the system's own sockets. None of them blocks, and a runtime takes them over as they are.

mod tcp;
#[cfg(unix)]
mod unix;

use std::io::{self, IoSlice};
#[cfg(unix)]
pub(crate) use std::os::fd::AsFd as AsSystem;
#[cfg(windows)]
pub(crate) use std::os::windows::io::AsSocket as AsSystem;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use socket2::{SockAddr, SockRef};

pub use self::tcp::{connect_tcp, listen_tcp};
#[cfg(unix)]
pub use self::unix::{Bound, connect_unix, listen_unix};
use crate::runtime::{Endpoint, Endpoints, SocketOptions};

/// Octets that may lie unsent in a socket, enough to keep the network busy: two blocks of the driver.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNSENT: u32 = 512 * 1024;

/// A connected socket, of a runtime's types.
#[derive(Debug)]
pub enum Socket<T, U = T> {
    /// Over TCP.
    Tcp(T),
    /// Over a Unix socket, where the system has them.
    Unix(U),
}

impl SocketOptions {
    /// Sets up a TCP socket, connected or not yet.
    pub fn apply(&self, socket: &impl AsSystem) -> io::Result<()> {
        let socket = SockRef::from(socket);
        socket.set_tcp_nodelay(self.no_delay)?;
        // What lies unsent in the socket's buffer can't be overtaken. Where this fails, urgent messages are only later.
        #[cfg(any(target_os = "android", target_os = "linux"))]
        let _ = socket.set_tcp_notsent_lowat(UNSENT);
        Ok(())
    }
}

impl Endpoints {
    /// Of a connected socket.
    pub fn of(socket: &impl AsSystem) -> Endpoints {
        let socket = SockRef::from(socket);
        let end = |address: io::Result<SockAddr>| endpoint(&address.ok()?);
        Endpoints::new(end(socket.local_addr()), end(socket.peer_addr()))
    }
}

/// What connecting to and listening on an address of another transport fails with.
pub fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "there are no such sockets here")
}

fn endpoint(address: &SockAddr) -> Option<Endpoint> {
    #[cfg(unix)]
    if address.is_unix() {
        return Some(Endpoint::Unix(address.as_pathname().map(Into::into)));
    }
    address.as_socket().map(Endpoint::Tcp)
}

impl<T: AsyncRead + Unpin, U: AsyncRead + Unpin> AsyncRead for Socket<T, U> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).poll_read(cx, out),
            Socket::Unix(socket) => Pin::new(socket).poll_read(cx, out),
        }
    }
}

impl<T: AsyncWrite + Unpin, U: AsyncWrite + Unpin> AsyncWrite for Socket<T, U> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).poll_write(cx, octets),
            Socket::Unix(socket) => Pin::new(socket).poll_write(cx, octets),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).poll_write_vectored(cx, pieces),
            Socket::Unix(socket) => Pin::new(socket).poll_write_vectored(cx, pieces),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).poll_flush(cx),
            Socket::Unix(socket) => Pin::new(socket).poll_flush(cx),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).poll_close(cx),
            Socket::Unix(socket) => Pin::new(socket).poll_close(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn options_are_set_as_told() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let stream = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
        for no_delay in [true, false] {
            SocketOptions { no_delay, local: None }.apply(&stream).expect("it is open");
            assert_eq!(stream.nodelay().expect("it is open"), no_delay);
            #[cfg(any(target_os = "android", target_os = "linux"))]
            assert_eq!(SockRef::from(&stream).tcp_notsent_lowat().expect("it is open"), UNSENT);
        }
    }

    #[cfg(unix)]
    #[test]
    fn ends_of_unix_sockets_are_paths_or_nothing() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("socket");
        let (_bound, listener) = listen_unix(&path).expect("the path is free");
        let near = connect_unix(&path).expect("it listens");
        let (far, _) = listener.accept().expect("it connects");
        let (known, unknown) = (Some(Endpoint::Unix(Some(path))), Some(Endpoint::Unix(None)));
        assert_eq!(Endpoints::of(&near), Endpoints::new(unknown.clone(), known.clone()));
        assert_eq!(Endpoints::of(&far), Endpoints::new(known, unknown));
    }
}
