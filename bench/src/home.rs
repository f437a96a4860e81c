//! The runtimes that sides run on: each with as many threads, and with sockets of its own.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use futures::channel::oneshot;
use futures::executor;
use futures::{AsyncRead, AsyncWrite};
use ropeway_async_std::AsyncStd;
use ropeway_driver::{Clock, Runtime};
use ropeway_smol::Smol;
use ropeway_tokio::{Tokio, TokioIo};

use crate::figure::Figure;

/// How the runtimes are told the number of threads that run their tasks.
pub(crate) const THREADS: [&str; 3] = ["TOKIO_WORKER_THREADS", "SMOL_THREADS", "ASYNC_STD_THREAD_COUNT"];

/// A runtime, and what the raw transports need of it.
pub(crate) trait Home: Runtime + Default {
    /// The name of its column.
    const NAME: &'static str;

    /// Its own socket, as its users have it.
    type Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Takes a connected socket over, which does not block.
    fn socket(socket: TcpStream) -> io::Result<Self::Socket>;

    /// Runs a round, on the threads that run tasks: the one that calls only waits.
    fn run(round: impl Future<Output = io::Result<Figure>> + Send + 'static) -> io::Result<Figure> {
        executor::block_on(spawn::<Self, _>(round))
    }
}

impl Home for Tokio {
    const NAME: &'static str = "tokio";

    type Socket = TokioIo<tokio::net::TcpStream>;

    fn socket(socket: TcpStream) -> io::Result<Self::Socket> {
        tokio::net::TcpStream::from_std(socket).map(TokioIo)
    }

    fn run(round: impl Future<Output = io::Result<Figure>> + Send + 'static) -> io::Result<Figure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let figure = runtime.block_on(async { spawn::<Self, _>(round).await });
        runtime.shutdown_timeout(Duration::from_secs(1));
        figure
    }
}

impl Home for Smol {
    const NAME: &'static str = "smol";

    type Socket = smol::net::TcpStream;

    fn socket(socket: TcpStream) -> io::Result<Self::Socket> {
        socket.try_into()
    }
}

impl Home for AsyncStd {
    const NAME: &'static str = "async-std";

    type Socket = async_std::net::TcpStream;

    fn socket(socket: TcpStream) -> io::Result<Self::Socket> {
        Ok(socket.into())
    }
}

/// Two connected sockets on loopback, both without delay.
pub(crate) fn pair<H: Home>() -> io::Result<(H::Socket, H::Socket)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    let own = |socket: TcpStream| {
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        H::socket(socket)
    };
    Ok((own(near)?, own(far)?))
}

/// Runs a task, which goes on if nobody waits for it.
pub(crate) fn spawn<H: Home, T: Send + 'static>(
    task: impl Future<Output = io::Result<T>> + Send + 'static,
) -> impl Future<Output = io::Result<T>> + Send {
    let (tell, told) = oneshot::channel();
    let whole = async move {
        let _ = tell.send(task.await);
    };
    H::default().spawner().spawn(Box::pin(whole));
    async { told.await.map_err(io::Error::other)? }
}

/// Waits on the runtime's own clock.
pub(crate) async fn sleep<H: Home>(time: Duration) {
    let mut clock = H::default().clock();
    let at = clock.now() + time;
    std::future::poll_fn(|cx| clock.poll_until(cx, at)).await;
}
