//! What somebody on the way hears.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use crate::lab::Duplex;

/// The octets that passed, each way by itself.
#[derive(Clone, Default)]
pub(in crate::scenarios) struct Ear(Arc<Mutex<[Vec<u8>; 2]>>);

impl Ear {
    /// A stream that is listened to.
    pub(in crate::scenarios) fn at(&self, stream: Duplex) -> Duplex {
        Box::new(Overheard { stream, ear: self.clone() })
    }

    /// Whether that passed, either way, in the clear.
    pub(in crate::scenarios) fn heard(&self, what: &[u8]) -> bool {
        self.octets().iter().any(|way| way.windows(what.len()).any(|some| some == what))
    }

    fn octets(&self) -> MutexGuard<'_, [Vec<u8>; 2]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Overheard {
    stream: Duplex,
    ear: Ear,
}

impl AsyncRead for Overheard {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let len = ready!(Pin::new(&mut self.stream).poll_read(cx, out))?;
        self.ear.octets()[0].extend_from_slice(&out[..len]);
        Poll::Ready(Ok(len))
    }
}

impl AsyncWrite for Overheard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let len = ready!(Pin::new(&mut self.stream).poll_write(cx, octets))?;
        self.ear.octets()[1].extend_from_slice(&octets[..len]);
        Poll::Ready(Ok(len))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
