//! A binding's runtime without its type.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use ropeway_driver::transport::{self, ConnectOptions, ListenOptions, Listener};
use ropeway_driver::{Address, Clock, Endpoints, Runtime, SocketOptions, Spawn};

use super::Duplex;
use crate::certificates;

pub(super) type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a [`Runtime`] does.
pub(super) trait Host: Send + Sync {
    fn clock(&self) -> Box<dyn Clock>;

    fn spawner(&self) -> Arc<dyn Spawn>;

    fn connect<'a>(
        &'a self,
        address: &'a Address,
        socket: &'a SocketOptions,
    ) -> Work<'a, io::Result<(Duplex, Endpoints)>>;

    fn listen<'a>(&'a self, address: &'a Address) -> Work<'a, io::Result<(Box<dyn Listens>, Address)>>;
}

/// What a listener does.
pub(super) trait Listens: Send + Sync {
    fn accept(&self) -> Work<'_, io::Result<(Duplex, Endpoints)>>;
}

/// A runtime as a host.
pub(super) struct Hosted<R>(pub(super) R);

impl<R: Runtime> Host for Hosted<R> {
    fn clock(&self) -> Box<dyn Clock> {
        Box::new(self.0.clock())
    }

    fn spawner(&self) -> Arc<dyn Spawn> {
        self.0.spawner()
    }

    fn connect<'a>(
        &'a self,
        address: &'a Address,
        socket: &'a SocketOptions,
    ) -> Work<'a, io::Result<(Duplex, Endpoints)>> {
        Box::pin(async move {
            let mut options = ConnectOptions::default();
            options.socket = socket.clone();
            options.tls = Some(certificates::trusting());
            let (stream, ends) = transport::connect(&self.0, address, &options).await?;
            Ok((Box::new(stream) as Duplex, ends))
        })
    }

    fn listen<'a>(&'a self, address: &'a Address) -> Work<'a, io::Result<(Box<dyn Listens>, Address)>> {
        Box::pin(async move {
            let mut options = ListenOptions::default();
            options.tls = Some(certificates::showing());
            let (listener, address) = transport::listen(&self.0, address, options).await?;
            Ok((Box::new(listener) as Box<dyn Listens>, address))
        })
    }
}

impl<R: Runtime> Listens for Listener<R> {
    fn accept(&self) -> Work<'_, io::Result<(Duplex, Endpoints)>> {
        Box::pin(async {
            let (stream, ends) = Listener::accept(self).await?;
            Ok((Box::new(stream) as Duplex, ends))
        })
    }
}
