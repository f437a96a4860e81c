//! A way into a server for lines that neither it nor its listener awaits.

use std::sync::{Arc, Weak};

use super::coming::Coming;
use super::{Listening, NoPlace, Server};
use crate::runtime::{Endpoints, Runtime};
use crate::transport::Channel;

/// Leads into a server as long as that serves; it does not keep it.
#[derive(Clone)]
pub(crate) struct Entrance<R> {
    runtime: R,
    shared: Weak<Listening>,
    origins: Arc<[String]>,
}

impl<R: Runtime> Server<R> {
    pub(crate) fn entrance(&self) -> Entrance<R> {
        let (runtime, origins) = (self.runtime.clone(), self.origins.clone());
        Entrance { runtime, shared: Arc::downgrade(&self.shared), origins }
    }
}

impl<R: Runtime> Entrance<R> {
    /// The origins whose pages may come in.
    pub(crate) fn origins(&self) -> &[String] {
        &self.origins
    }

    /// Serves a line over the stream, if there is a place for it now; otherwise why there is none.
    pub(crate) fn enter(&self, stream: Channel<R::Stream>, endpoints: Endpoints) -> Result<(), &'static str> {
        const STOPPED: &str = "the server has stopped";
        let shared = self.shared.upgrade().ok_or(STOPPED)?;
        let coming = Coming::new(&self.runtime, stream, endpoints).ok_or("the server has no entropy")?;
        let entered = {
            let mut book = shared.book();
            book.place(shared.max_lines).map_err(|none| match none {
                NoPlace::Stopped => STOPPED,
                NoPlace::Full => "the server has as many lines as it may have",
            })?;
            coming.enter(&mut book, &shared)
        };
        entered.ok_or("the server's lines can't be sealed")?.run(&shared);
        Ok(())
    }
}
