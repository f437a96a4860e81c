//! Runtimes over async-io, the reactor of smol and async-std, for writers of bindings.

use std::future::Future;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_io::{Async, Timer};
use futures_io::{AsyncRead, AsyncWrite};
use socket2::SockRef;

use crate::address::Address;
use crate::runtime::{self, Endpoints, Runtime, SocketOptions, Spawn};
use crate::socket::{self, AsSystem};

/// A runtime whose sockets and clocks are the reactor's. Only its tasks are its own; their clock is [`now`].
pub trait Reactor: Spawn + Clone {}

/// A connected socket.
#[cfg(unix)]
pub type Socket = socket::Socket<Io<TcpStream>, Io<UnixStream>>;
/// A connected socket.
#[cfg(not(unix))]
pub type Socket = socket::Socket<Io<TcpStream>>;

/// A listening socket.
#[derive(Debug)]
pub enum Listener {
    /// For TCP.
    Tcp(Async<TcpListener>),
    /// On a Unix socket's path, which is removed when this is dropped.
    #[cfg(unix)]
    Unix(socket::Bound, Async<UnixListener>),
}

/// One of the system's sockets, connected.
#[derive(Debug)]
pub struct Io<S> {
    socket: Async<S>,
    /// The last call would have blocked, or did less than it was asked to: there is nothing to be had before the reactor
    /// says so.
    reading: bool,
    writing: bool,
}

/// A clock. The time is that since the first look at any of them.
#[derive(Debug)]
pub struct Clock {
    timer: Timer,
    /// What the timer is set to.
    at: Option<Duration>,
}

impl<T: Reactor> Runtime for T {
    type Stream = Socket;
    type Listener = Listener;
    type Clock = Clock;

    fn clock(&self) -> Clock {
        Clock::default()
    }

    fn spawner(&self) -> Arc<dyn Spawn> {
        Arc::new(self.clone())
    }

    async fn connect(&self, address: &Address, options: &SocketOptions) -> io::Result<(Socket, Endpoints)> {
        connect(self, address, options).await
    }

    async fn listen(&self, address: &Address) -> io::Result<(Listener, Address)> {
        Listener::bind(self, address).await
    }

    async fn accept(&self, listener: &Listener, options: &SocketOptions) -> io::Result<(Socket, Endpoints)> {
        listener.accept(options).await
    }
}

async fn connect(spawn: &dyn Spawn, address: &Address, options: &SocketOptions) -> io::Result<(Socket, Endpoints)> {
    match address {
        Address::Tcp { host, port } => {
            let connected = async |stream| {
                let stream = Async::new_nonblocking(stream)?;
                stream.writable().await?;
                Ok(stream)
            };
            let (stream, ends) = socket::connect_tcp(spawn, (host, *port), options, connected).await?;
            Ok((Socket::Tcp(Io::new(stream)), ends))
        }
        #[cfg(unix)]
        Address::Unix(path) => Ok(unix(Async::new_nonblocking(socket::connect_unix(path)?)?)),
        // The driver reaches others over one of these.
        _ => Err(socket::unsupported()),
    }
}

impl Listener {
    async fn bind(spawn: &dyn Spawn, address: &Address) -> io::Result<(Listener, Address)> {
        match address {
            Address::Tcp { host, port } => {
                let (listener, address) = socket::listen_tcp(spawn, (host, *port)).await?;
                Ok((Listener::Tcp(Async::new_nonblocking(listener)?), address))
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let (bound, listener) = socket::listen_unix(path)?;
                Ok((Listener::Unix(bound, Async::new_nonblocking(listener)?), address.clone()))
            }
            _ => Err(socket::unsupported()),
        }
    }

    async fn accept(&self, options: &SocketOptions) -> io::Result<(Socket, Endpoints)> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                options.apply(&stream)?;
                let ends = Endpoints::of(&stream);
                Ok((Socket::Tcp(Io::new(stream)), ends))
            }
            #[cfg(unix)]
            Listener::Unix(_, listener) => Ok(unix(listener.accept().await?.0)),
        }
    }
}

#[cfg(unix)]
fn unix(stream: Async<UnixStream>) -> (Socket, Endpoints) {
    let ends = Endpoints::of(&stream);
    (Socket::Unix(Io::new(stream)), ends)
}

impl<S> Io<S> {
    fn new(socket: Async<S>) -> Io<S> {
        Io { socket, reading: false, writing: false }
    }
}

impl<S> AsRef<S> for Io<S> {
    fn as_ref(&self) -> &S {
        self.socket.get_ref()
    }
}

impl<S> AsyncRead for Io<S>
where
    for<'a> &'a S: Read,
{
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let Io { socket, reading, .. } = self.get_mut();
        let mut system = socket.get_ref();
        unless_blocked(reading, out.len(), || socket.poll_readable(cx), || system.read(out))
    }
}

impl<S: AsSystem> AsyncWrite for Io<S>
where
    for<'a> &'a S: Write,
{
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let Io { socket, writing, .. } = self.get_mut();
        let mut system = socket.get_ref();
        unless_blocked(writing, octets.len(), || socket.poll_writable(cx), || system.write(octets))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Io { socket, writing, .. } = self.get_mut();
        let mut system = socket.get_ref();
        let whole = pieces.iter().map(|piece| piece.len()).sum();
        unless_blocked(writing, whole, || socket.poll_writable(cx), || system.write_vectored(pieces))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The system sends what it has.
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match SockRef::from(self.socket.get_ref()).shutdown(Shutdown::Write) {
            // The peer was first.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            done => done,
        })
    }
}

/// Calls the system for so many octets, and waits where that would block. It is not asked again before the reactor says
/// that it is worth it. What gave some, but less than that, has no more for now: to be told so by it is a call as well.
fn unless_blocked(
    blocked: &mut bool,
    whole: usize,
    mut ready: impl FnMut() -> Poll<io::Result<()>>,
    mut call: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        if *blocked {
            ready!(ready())?;
            *blocked = false;
        }
        match call() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => *blocked = true,
            done => {
                // Nothing is the end, which comes again whenever it is asked for.
                *blocked = done.as_ref().is_ok_and(|&len| 0 < len && len < whole);
                return Poll::Ready(done);
            }
        }
    }
}

/// The time that all clocks show.
pub fn now() -> Duration {
    epoch().elapsed()
}

fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

impl Default for Clock {
    fn default() -> Clock {
        Clock { timer: Timer::never(), at: None }
    }
}

impl runtime::Clock for Clock {
    fn now(&self) -> Duration {
        now()
    }

    fn poll_until(&mut self, cx: &mut Context<'_>, at: Duration) -> Poll<()> {
        // A timer that went off is never ready again.
        if now() >= at {
            return Poll::Ready(());
        }
        if self.at != Some(at) {
            self.at = Some(at);
            match epoch().checked_add(at) {
                Some(at) => self.timer.set_at(at),
                // A deadline too far to be told is never.
                None => self.timer = Timer::never(),
            }
        }
        Pin::new(&mut self.timer).poll(cx).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_asked_again_only_where_that_is_worth_it() {
        // What the system says, one call after the other; then how often the reactor is asked before the next.
        let check = |said: &[Result<usize, io::ErrorKind>], waits: usize| {
            let (mut said, mut blocked, mut waited) = (said.iter().copied(), false, 0);
            let mut call = |blocked: &mut bool, ready: Poll<io::Result<()>>| {
                let mut ready = Some(ready);
                let ask = || {
                    waited += 1;
                    ready.take().unwrap_or(Poll::Pending)
                };
                unless_blocked(blocked, 10, ask, || said.next().unwrap_or(Ok(10)).map_err(io::Error::from))
            };
            assert!(call(&mut blocked, Poll::Ready(Ok(()))).is_ready());
            let next = call(&mut blocked, Poll::Pending);
            assert_eq!((next.is_pending(), waited), (waits > 0, waits), "{said:?}");
        };
        check(&[Ok(10)], 0);
        check(&[Ok(9)], 1);
        check(&[Ok(1)], 1);
        check(&[Ok(0)], 0);
        check(&[Err(io::ErrorKind::ConnectionReset)], 0);
        check(&[Ok(10), Err(io::ErrorKind::WouldBlock)], 1);
    }
}
