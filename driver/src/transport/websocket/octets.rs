//! Octets both ways, in binary messages.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::protocol::frame::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use async_tungstenite::tungstenite::{Error as Tungstenite, Message};
use bytes::{Buf, Bytes};
use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};
use futures_sink::Sink;

use super::error::{WebSocketError, lower};

/// Octets in a message: what either end sends at most, and takes at most. Also what an end may make the other hold for a
/// message that never comes whole.
const MESSAGE: usize = 64 * 1024;
/// Octets read at once. Each line has a buffer of this size, so it is not larger.
const READ: usize = 16 * 1024;
/// Room for a message, its head, and the answers to a few pings.
const WRITE: usize = MESSAGE + 1024;
/// Messages without octets for us that are read before others get a turn.
const STEPS: usize = 64;

/// A WebSocket as a stream of octets. It holds no more than a message each way.
pub(in crate::transport) struct Octets<S> {
    inner: WebSocketStream<S>,
    /// What is left of the message last read.
    unread: Bytes,
    closing: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Octets<S> {
    /// After the upgrade, with what came right behind it.
    pub(super) async fn over(stream: S, rest: Vec<u8>, role: Role) -> Octets<S> {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ)
            // Each message is written as soon as there is one; what is to go together is gathered by the driver.
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE)
            .max_message_size(Some(MESSAGE))
            .max_frame_size(Some(MESSAGE));
        let inner = WebSocketStream::from_partially_read(stream, rest, role, Some(config)).await;
        Octets { inner, unread: Bytes::new(), closing: false }
    }

    fn inner(&mut self) -> Pin<&mut WebSocketStream<S>> {
        Pin::new(&mut self.inner)
    }

    /// Tells the peer why this is the end, if it is there to be told.
    fn refuse(&mut self, cx: &mut Context<'_>, code: CloseCode, why: WebSocketError) -> io::Error {
        let reason = why.to_string();
        // Whether it hears it changes nothing.
        let _ = self.inner().start_send(Message::Close(Some(CloseFrame { code, reason: reason.into() })));
        let _ = self.inner().poll_flush(cx);
        io::Error::new(io::ErrorKind::InvalidData, why)
    }

    fn failed(&mut self, cx: &mut Context<'_>, error: Tungstenite) -> io::Error {
        use async_tungstenite::tungstenite::error::ProtocolError;
        match error {
            Tungstenite::Io(error) => error,
            Tungstenite::ConnectionClosed
            | Tungstenite::AlreadyClosed
            | Tungstenite::Protocol(ProtocolError::SendAfterClosing) => io::ErrorKind::BrokenPipe.into(),
            Tungstenite::Protocol(ProtocolError::ResetWithoutClosingHandshake) => io::ErrorKind::UnexpectedEof.into(),
            error => {
                let code = match error {
                    Tungstenite::Capacity(_) => CloseCode::Size,
                    _ => CloseCode::Protocol,
                };
                self.refuse(cx, code, WebSocketError::BadFrame(lower(&error.to_string())))
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Octets<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        for _ in 0..STEPS {
            if !self.unread.is_empty() || out.is_empty() {
                let count = self.unread.len().min(out.len());
                self.unread.copy_to_slice(&mut out[..count]);
                return Poll::Ready(Ok(count));
            }
            match ready!(self.inner().poll_next(cx)) {
                Some(Ok(Message::Binary(octets))) => self.unread = octets,
                // Pings are answered further down.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) | None => return Poll::Ready(Ok(0)),
                Some(Ok(Message::Text(_))) => {
                    return Poll::Ready(Err(self.refuse(cx, CloseCode::Unsupported, WebSocketError::Text)));
                }
                Some(Err(error)) => return Poll::Ready(Err(self.failed(cx, error))),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Octets<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        // Of what was written before nothing is left behind, so there is room.
        ready!(self.as_mut().poll_flush(cx))?;
        let piece = &octets[..octets.len().min(MESSAGE)];
        let sent = self.inner().start_send(Message::Binary(Bytes::copy_from_slice(piece)));
        Poll::Ready(sent.map(|()| piece.len()).map_err(|error| self.failed(cx, error)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx).map_err(|error| self.failed(cx, error))
    }

    /// The peer reads what was written, and then the end. It still may write.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closing {
            ready!(self.inner().poll_flush(cx)).ok();
            self.closing = true;
            // The peer may have closed already, and been answered.
            let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
            let _ = self.inner().start_send(Message::Close(Some(frame)));
        }
        match ready!(self.inner().poll_flush(cx)) {
            Err(Tungstenite::Io(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Waker;

    use super::*;
    use crate::transport::mem::{Pipe, pair};

    fn ready<T>(work: impl Future<Output = T>) -> T {
        match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("it waits"),
        }
    }

    fn ends() -> (Octets<Pipe>, Octets<Pipe>) {
        let (near, far) = pair();
        let client = ready(Octets::over(near, Vec::new(), Role::Client));
        (client, ready(Octets::over(far, Vec::new(), Role::Server)))
    }

    fn write(end: &mut Octets<Pipe>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(end).poll_write(&mut Context::from_waker(Waker::noop()), octets)
    }

    fn read(end: &mut Octets<Pipe>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(end).poll_read(&mut Context::from_waker(Waker::noop()), out)
    }

    #[test]
    fn a_writer_waits_for_a_peer_that_does_not_read_and_nothing_is_lost() {
        let (mut client, mut server) = ends();
        let content: Vec<u8> = (0..1_000_000u32).map(|n| n as u8).collect();
        let (mut sent, mut received, mut waited) = (0, Vec::new(), 0);
        let mut out = vec![0; 1000];
        while received.len() < content.len() {
            while sent < content.len() {
                match write(&mut client, &content[sent..]) {
                    Poll::Ready(count) => sent += count.expect("the peer is there"),
                    Poll::Pending => break,
                }
            }
            // A message here, one in the pipe, one there.
            assert!(sent - received.len() <= 3 * MESSAGE, "{sent} octets taken, {} read", received.len());
            waited += usize::from(sent < content.len());
            let _ = Pin::new(&mut client).poll_flush(&mut Context::from_waker(Waker::noop()));
            if let Poll::Ready(count) = read(&mut server, &mut out) {
                received.extend_from_slice(&out[..count.expect("the peer is there")]);
            }
        }
        assert!(received == content && waited > 0);
    }

    #[test]
    fn an_end_comes_after_what_was_written_and_the_other_way_goes_on() {
        let (mut client, mut server) = ends();
        let mut out = [0; 9];
        assert!(matches!(write(&mut client, b"ab"), Poll::Ready(Ok(2))));
        assert!(matches!(
            Pin::new(&mut client).poll_close(&mut Context::from_waker(Waker::noop())),
            Poll::Ready(Ok(()))
        ));
        assert!(matches!(write(&mut server, b"cd"), Poll::Ready(Ok(2))));
        assert!(matches!(read(&mut server, &mut out[..1]), Poll::Ready(Ok(1))));
        assert!(matches!(read(&mut server, &mut out[1..]), Poll::Ready(Ok(1))));
        assert_eq!(out[..2], *b"ab");
        assert!(matches!(read(&mut server, &mut out), Poll::Ready(Ok(0))));
        assert!(matches!(read(&mut client, &mut out), Poll::Ready(Ok(2))));
        assert_eq!(out[..2], *b"cd");
        let failed = |poll: Poll<io::Result<usize>>| match poll {
            Poll::Ready(Err(error)) => error.kind(),
            other => panic!("{other:?}"),
        };
        assert_eq!(failed(write(&mut client, b"x")), io::ErrorKind::BrokenPipe);
        assert_eq!(failed(write(&mut server, b"x")), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_flood_of_pings_to_who_can_not_answer_holds_no_more_than_a_message() {
        let (near, far) = pair();
        let mut server = ready(Octets::over(far, Vec::new(), Role::Server));
        let (mut near, mut out) = (near, [0; 9]);
        let ping = [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[7; 125]].concat();
        for _ in 0..10_000 {
            let wrote = Pin::new(&mut near).poll_write(&mut Context::from_waker(Waker::noop()), &ping);
            assert!(matches!(wrote, Poll::Ready(Ok(131))), "the server reads on");
            assert!(read(&mut server, &mut out).is_pending());
        }
        // Nor does it break what the server itself says, which waits.
        assert!(write(&mut server, b"x").is_pending());
        let (mut answered, mut block) = (0, [0; 1000]);
        while let Poll::Ready(read) = Pin::new(&mut near).poll_read(&mut Context::from_waker(Waker::noop()), &mut block)
        {
            answered += read.expect("the server is there");
            let _ = Pin::new(&mut server).poll_flush(&mut Context::from_waker(Waker::noop()));
        }
        // The pipe was full, too.
        assert!(answered <= WRITE + MESSAGE + ping.len(), "{answered} octets of answers were held");
    }
}
