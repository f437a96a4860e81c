//! Standard input, read on a thread that the end of the program does not wait for: nobody may ever type.

use std::future::poll_fn;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::thread;

use bytes::{Buf, Bytes};
use ropeway_tokio::futures_io::AsyncRead;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// What is read at once. A pipe holds as much.
const BLOCK: usize = 64 * 1024;
/// Blocks read before they are asked for.
const AHEAD: usize = 4;

/// All of it, once. What the thread has read when this is dropped is lost.
pub(crate) struct StandardInput {
    /// An empty block is the end.
    blocks: Receiver<io::Result<Bytes>>,
    block: Bytes,
    ended: bool,
}

impl StandardInput {
    pub(crate) fn open() -> StandardInput {
        let (to, blocks) = channel(AHEAD);
        thread::spawn(move || read(&to));
        StandardInput { blocks, block: Bytes::new(), ended: false }
    }

    /// All there is, to its end.
    pub(crate) async fn all(mut self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let block = poll_fn(|cx| self.poll_block(cx)).await?;
            if block.is_empty() {
                return Ok(all);
            }
            all.extend_from_slice(&block);
            self.block.clear();
        }
    }

    /// What is not taken yet, at least an octet; none at the end.
    fn poll_block(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if self.block.is_empty() && !self.ended {
            // A thread that is gone without a word did not come to the end.
            let gone = || Err(io::ErrorKind::BrokenPipe.into());
            self.block = ready!(self.blocks.poll_recv(cx)).unwrap_or_else(gone)?;
            self.ended = self.block.is_empty();
        }
        Poll::Ready(Ok(self.block.clone()))
    }
}

impl AsyncRead for StandardInput {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let block = ready!(self.poll_block(cx))?;
        let len = block.len().min(out.len());
        self.block.split_to(len).copy_to_slice(&mut out[..len]);
        Poll::Ready(Ok(len))
    }
}

/// Until its end, an error, or nobody wants more.
fn read(to: &Sender<io::Result<Bytes>>) {
    let mut input = io::stdin().lock();
    let mut block = vec![0; BLOCK];
    loop {
        let read = match input.read(&mut block) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map(|len| Bytes::copy_from_slice(&block[..len])),
        };
        let over = !matches!(&read, Ok(block) if !block.is_empty());
        if to.blocking_send(read).is_err() || over {
            return;
        }
    }
}
