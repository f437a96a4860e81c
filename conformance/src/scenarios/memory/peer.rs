//! A peer written by hand, frame by frame, that keeps to nothing but the hello.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;

use futures_io::{AsyncRead, AsyncWrite};
use ropeway_driver::protocol::wire::Frame;
use ropeway_driver::protocol::wire::hello::Hello;
use ropeway_driver::protocol::{Limits, VERSION};

/// Takes everything, so that nothing but memory stops the other end.
pub(in crate::scenarios) const GREEDY: Limits = Limits {
    frame: 32 * 1024,
    message: Limits::MAX_OCTETS,
    lanes: Limits::MAX_LANES,
    flows: Limits::MAX_FLOWS,
    window: Limits::MAX_OCTETS,
    lane_credit: Limits::MAX_OCTETS,
    flow_credit: Limits::MAX_OCTETS,
    name: Limits::MAX_NAME,
    definitions: u16::MAX,
    attached: Limits::MAX_FLOWS,
    timeout: 0,
};

/// The client's end of a transport.
pub(in crate::scenarios) struct Peer<S> {
    stream: S,
    /// What came, and was not looked at yet.
    heard: Vec<u8>,
    /// What is to be said and was not written yet.
    unsaid: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// Says a hello that announces `limits`, and hears the server's.
    pub(in crate::scenarios) async fn greet(stream: S, limits: Limits) -> io::Result<Peer<S>> {
        // Room for all that is said at once, so that a heap measured later does not grow by it.
        let room = || Vec::with_capacity(4 * Limits::MAX_FRAME as usize);
        let mut peer = Peer { stream, heard: room(), unsaid: room() };
        peer.say_octets(&hello(limits)).await?;
        // Magic, length, and as much as that says.
        peer.hear_octets(6).await?;
        let len = 6 + usize::from(u16::from_le_bytes([peer.heard[4], peer.heard[5]]));
        peer.hear_octets(len).await?;
        peer.heard.drain(..len);
        Ok(peer)
    }

    pub(in crate::scenarios) async fn say(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        self.put(frame);
        self.say_octets(&[]).await
    }

    /// To be said with what is said next.
    pub(in crate::scenarios) fn put(&mut self, frame: &Frame<'_>) {
        let at = self.unsaid.len();
        self.unsaid.resize(at + Limits::MAX_FRAME as usize, 0);
        let len = frame.encode(&mut self.unsaid[at..]).expect("no frame is larger");
        self.unsaid.truncate(at + len);
    }

    pub(in crate::scenarios) async fn say_octets(&mut self, octets: &[u8]) -> io::Result<()> {
        self.unsaid.extend_from_slice(octets);
        while !self.unsaid.is_empty() {
            let written = poll_fn(|cx| Pin::new(&mut self.stream).poll_write(cx, &self.unsaid)).await?;
            self.unsaid.drain(..written);
        }
        poll_fn(|cx| Pin::new(&mut self.stream).poll_flush(cx)).await
    }

    /// Hears frames until one is to the taste of `wanted`; `None` if the transport ends before.
    pub(in crate::scenarios) async fn hear<T>(
        &mut self,
        mut wanted: impl FnMut(Frame<'_>) -> Option<T>,
    ) -> io::Result<Option<T>> {
        loop {
            let mut at = 0;
            let mut found = None;
            while found.is_none()
                && let Some((frame, len)) =
                    Frame::decode(&self.heard[at..], Limits::MAX_FRAME).expect("what is said here is right")
            {
                at += len;
                found = wanted(frame);
            }
            self.heard.drain(..at);
            if found.is_some() || self.read().await? == 0 {
                return Ok(found);
            }
        }
    }

    async fn hear_octets(&mut self, len: usize) -> io::Result<()> {
        while self.heard.len() < len {
            if self.read().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    async fn read(&mut self) -> io::Result<usize> {
        let mut block = [0; 4096];
        let read = poll_fn(|cx| Pin::new(&mut self.stream).poll_read(cx, &mut block)).await?;
        self.heard.extend_from_slice(&block[..read]);
        Ok(read)
    }
}

/// The hello of a client.
pub(in crate::scenarios) fn hello(limits: Limits) -> Vec<u8> {
    let mut octets = vec![0; 1024];
    let hello = Hello { oldest: VERSION, newest: VERSION, session: [0; 16], limits };
    let len = hello.encode(&mut octets).expect("it has less than 1024 octets");
    octets.truncate(len);
    octets
}
