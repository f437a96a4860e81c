//! The heads of requests and answers, as they are read and written.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;

use async_tungstenite::tungstenite::handshake::machine::TryParse;
use futures_io::{AsyncRead, AsyncWrite};

use super::error::WebSocketError;
use crate::error::Error;

/// Octets of a head, as many as servers commonly take.
const MOST: usize = 8 * 1024;
/// Octets read at once: most heads are smaller.
const PIECE: usize = 1024;
/// Where a head ends.
const END: &[u8] = b"\r\n\r\n";

/// Reads a head that begins so, and what came right behind it.
pub(super) async fn read<T: TryParse>(
    stream: &mut (impl AsyncRead + Unpin),
    begins: &[u8],
) -> Result<(T, Vec<u8>), Error> {
    let mut head = Vec::new();
    loop {
        let had = head.len();
        if had == MOST {
            return Err(WebSocketError::HeadTooLarge.into());
        }
        head.resize(MOST.min(had + PIECE), 0);
        let read = poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut head[had..])).await?;
        head.truncate(had + read);
        if read == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        // Another protocol is told at once, and not when it has said enough.
        if !head.iter().zip(begins).all(|(has, wanted)| has == wanted) {
            return Err(WebSocketError::NoUpgrade("the peer does not speak http".into()).into());
        }
        // Parsed but once, or a peer that drips it would cost more than it takes.
        let from = had.saturating_sub(END.len() - 1);
        if let Some(end) = head[from..].windows(END.len()).position(|octets| octets == END) {
            let rest = head.split_off(from + end + END.len());
            return match T::try_parse(&head).map_err(WebSocketError::no_upgrade)? {
                Some((_, parsed)) => Ok((parsed, rest)),
                None => Err(WebSocketError::NoUpgrade("its head has no end".into()).into()),
            };
        }
    }
}

/// Writes all of a head.
pub(super) async fn write(stream: &mut (impl AsyncWrite + Unpin), mut head: &[u8]) -> io::Result<()> {
    while !head.is_empty() {
        let wrote = poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, head)).await?;
        if wrote == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        head = &head[wrote..];
    }
    poll_fn(|cx| Pin::new(&mut *stream).poll_flush(cx)).await
}
