//! What lies beneath a transport: the binding's sockets or pipes in memory, out in the weather.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ropeway_driver::{Address, Endpoints, Runtime, SocketOptions, Spawn};

use super::Duplex;
use super::backlog::{Backlog, Listening};
use crate::transport::Sky;
use crate::weather::{Cut, Outdoors};

/// What all streams of a scenario stand on.
pub(super) struct Site {
    /// Over a pipe, if there is a sky; over sockets if there is none.
    sky: Option<Sky>,
    backlog: Backlog,
    /// Streams so far: each has its own weather.
    streams: AtomicU64,
    /// How the next stream of each end is cut.
    cuts: Mutex<[Option<Cut>; 2]>,
}

/// An end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// It connects.
    Near,
    /// It accepts.
    Far,
}

impl Site {
    pub(super) fn new(sky: Option<Sky>) -> Site {
        Site { sky, backlog: Backlog::default(), streams: AtomicU64::new(0), cuts: Mutex::default() }
    }

    pub(super) fn cut(&self, end: End, cut: Cut) {
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner)[end as usize] = Some(cut);
    }

    pub(super) fn expose(&self, end: End, stream: Duplex) -> Duplex {
        let seed = self.streams.fetch_add(1, Ordering::Relaxed);
        let stream = match self.sky {
            Some(sky) => sky.over(stream, seed),
            None => stream,
        };
        match self.cuts.lock().unwrap_or_else(PoisonError::into_inner)[end as usize].take() {
            Some(cut) => Box::new(stream.under(cut)),
            None => stream,
        }
    }
}

/// A binding's runtime on the site of a scenario, for the driver to put its transports over.
#[derive(Clone)]
pub(super) struct Ground<R> {
    runtime: R,
    site: Arc<Site>,
}

impl<R> Ground<R> {
    pub(super) fn new(runtime: R, site: Arc<Site>) -> Ground<R> {
        Ground { runtime, site }
    }
}

/// What listens on the ground.
pub(super) enum Ear<L> {
    Pipe(Listening),
    Socket(L),
}

impl<R: Runtime> Runtime for Ground<R> {
    type Stream = Duplex;
    type Listener = Ear<R::Listener>;
    type Clock = R::Clock;

    fn clock(&self) -> R::Clock {
        self.runtime.clock()
    }

    fn spawner(&self) -> Arc<dyn Spawn> {
        self.runtime.spawner()
    }

    async fn connect(&self, address: &Address, socket: &SocketOptions) -> io::Result<(Duplex, Endpoints)> {
        let (stream, ends) = match self.site.sky {
            Some(sky) => self.site.backlog.connect(address, sky.capacity())?,
            None => {
                let (stream, ends) = self.runtime.connect(address, socket).await?;
                (Box::new(stream) as Duplex, ends)
            }
        };
        Ok((self.site.expose(End::Near, stream), ends))
    }

    async fn listen(&self, address: &Address) -> io::Result<(Self::Listener, Address)> {
        Ok(match self.site.sky {
            Some(_) => {
                let (listening, address) = self.site.backlog.listen();
                (Ear::Pipe(listening), address)
            }
            None => {
                let (listener, address) = self.runtime.listen(address).await?;
                (Ear::Socket(listener), address)
            }
        })
    }

    async fn accept(&self, ear: &Self::Listener, socket: &SocketOptions) -> io::Result<(Duplex, Endpoints)> {
        let (stream, ends) = match ear {
            Ear::Pipe(listening) => listening.accept().await?,
            Ear::Socket(listener) => {
                let (stream, ends) = self.runtime.accept(listener, socket).await?;
                (Box::new(stream) as Duplex, ends)
            }
        };
        Ok((self.site.expose(End::Far, stream), ends))
    }
}
