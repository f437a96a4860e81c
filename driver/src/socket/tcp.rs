//! TCP: from names to addresses, and from addresses to sockets.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};

use socket2::{Domain, SockRef, Socket, Type};

use super::AsSystem;
use crate::address::Address;
use crate::blocking::blocking;
use crate::runtime::{Endpoints, SocketOptions, Spawn};

/// Connections that wait to be accepted; the system may have a lower bound of its own.
const BACKLOG: i32 = 1024;

/// Connects to the first of a host's addresses that takes the connection, of those that the local address can reach.
///
/// `connected` is given a socket that is connecting. It waits until that is writable, which says that it no longer is.
///
/// # Cancel safety
/// Dropped early, no connection is left.
pub async fn connect_tcp<S: AsSystem>(
    spawn: &dyn Spawn,
    (host, port): (&str, u16),
    options: &SocketOptions,
    connected: impl AsyncFn(TcpStream) -> io::Result<S>,
) -> io::Result<(S, Endpoints)> {
    let peers = resolve(spawn, host, port).await?;
    connect_first(peers, options, connected).await
}

/// Listens on the first of a host's addresses that is free; the address with the port that it got.
pub async fn listen_tcp(spawn: &dyn Spawn, (host, port): (&str, u16)) -> io::Result<(TcpListener, Address)> {
    let mut last = no_address();
    for local in resolve(spawn, host, port).await? {
        match listen(local) {
            Ok(listener) => {
                let address = listener.local_addr()?.into();
                return Ok((listener, address));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Off the threads that run tasks, if somebody has to be asked.
async fn resolve(spawn: &dyn Spawn, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![(ip, port).into()]);
    }
    let host = host.to_owned();
    blocking(spawn, move || Ok((host.as_str(), port).to_socket_addrs()?.collect())).await?
}

async fn connect_first<S: AsSystem>(
    peers: impl IntoIterator<Item = SocketAddr>,
    options: &SocketOptions,
    connected: impl AsyncFn(TcpStream) -> io::Result<S>,
) -> io::Result<(S, Endpoints)> {
    let mut last = no_address();
    for peer in peers {
        if options.local.is_some_and(|local| local.is_ipv4() != peer.is_ipv4()) {
            continue;
        }
        let socket = async { connected(start(peer, options)?).await };
        match socket.await.and_then(succeeded) {
            Ok(socket) => {
                let ends = Endpoints::of(&socket);
                return Ok((socket, ends));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the host has no address that will do")
}

fn start(peer: SocketAddr, options: &SocketOptions) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(peer), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    options.apply(&socket)?;
    if let Some(local) = options.local {
        socket.bind(&local.into())?;
    }
    match socket.connect(&peer.into()) {
        Err(error) if !is_under_way(&error) => Err(error),
        _ => Ok(socket.into()),
    }
}

fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::EINPROGRESS) {
        return true;
    }
    error.kind() == io::ErrorKind::WouldBlock
}

/// The socket, unless connecting it failed.
fn succeeded<S: AsSystem>(socket: S) -> io::Result<S> {
    let error = SockRef::from(&socket).take_error()?;
    error.map_or(Ok(socket), Err)
}

fn listen(local: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(local), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // Elsewhere it would let others listen on the same port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&local.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::net::Ipv4Addr;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn the_first_address_that_takes_it_is_connected_to() {
        let any = (Ipv4Addr::LOCALHOST, 0).into();
        let (listening, other) = (listen(any).expect("a port is free"), listen(any).expect("a port is free"));
        let closed = listen(any).and_then(|listener| listener.local_addr()).expect("a port is free");
        let [open, next] = [listening, other].map(|listener| (listener.local_addr().expect("it is bound"), listener));
        let check = |peers: &[SocketAddr], expected: Result<SocketAddr, io::ErrorKind>| {
            let options = SocketOptions::default();
            let connecting = pin!(connect_first(peers.to_vec(), &options, spin));
            let Poll::Ready(done) = connecting.poll(&mut Context::from_waker(Waker::noop())) else {
                panic!("it waits")
            };
            let done = done.map(|(socket, _)| socket.peer_addr().expect("it is connected"));
            assert_eq!(done.map_err(|error| error.kind()), expected);
        };
        check(&[open.0, next.0], Ok(open.0));
        check(&[closed, next.0], Ok(next.0));
        check(&[closed, closed], Err(io::ErrorKind::ConnectionRefused));
        check(&[], Err(io::ErrorKind::NotFound));
    }

    /// Waits in place until it is connected, which over loopback it is at once.
    async fn spin(socket: TcpStream) -> io::Result<TcpStream> {
        loop {
            match socket.take_error()? {
                Some(error) => return Err(error),
                None if socket.peer_addr().is_ok() => return Ok(socket),
                None => std::thread::yield_now(),
            }
        }
    }
}
