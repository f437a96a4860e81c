//! What shows where all tasks share a thread, and each turn is taken in order.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use ropeway_tokio::{Client, Config, Line, Server, StreamReader, StreamWriter, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, copy, duplex, split};
use tokio::task::{spawn, yield_now};
use tokio::time::{Instant, timeout};

const HOUR: Duration = Duration::from_secs(3600);

/// Timers of a day, so that no heartbeat rescues who waits for another wake-up.
fn patient() -> Config {
    let mut config = Config::default();
    config.protocol.heartbeat = 24 * HOUR;
    config
}

/// A server, and both ends of a line to it; what the client writes goes by `shut`.
async fn pair(shut: &Arc<AtomicBool>) -> (Server, Line, Line) {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::bind("mem://").config(patient()).on_line(move |line| {
        let _ = tell.send(line);
        async { Ok(()) }
    });
    let server = server.serve().await.expect("there is a name left");
    let (near, far) = duplex(1 << 16);
    server.serve_stream(TokioIo(far)).await;
    let near = Client::over(TokioIo(Gated(near, shut.clone()))).config(patient()).connect().await;
    (server, near.expect("the server answers"), told.recv().await.expect("it has come"))
}

async fn stream(near: &Line, far: &Line) -> (StreamWriter, StreamReader) {
    let writer = near.open("any", &()).notify_stream().await.expect("the line is up");
    let mut message = far.messages().next().await.expect("it comes");
    (writer, message.stream().await.expect("it brings one"))
}

async fn turns(count: usize) {
    for _ in 0..count {
        yield_now().await;
    }
}

/// A task that says large messages without end, and one that writes a stream: each gets its part.
#[tokio::test]
async fn a_flood_of_large_messages_starves_no_stream() {
    for (tasks, len) in [(1, 60_000), (4, 60_000), (4, 10_000)] {
        let (_server, near, far) = pair(&Arc::default()).await;
        let (mut writer, mut reader) = stream(&near, &far).await;
        let (streamed, noticed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (came, heard) = (streamed.clone(), noticed.clone());
        spawn(async move {
            let mut messages = far.messages();
            while let Some(mut message) = messages.next().await {
                let body: Vec<u8> = message.decode().await.expect("it is whole");
                heard.fetch_add(body.len(), Ordering::Relaxed);
            }
        });
        spawn(async move {
            while let Ok(Some(chunk)) = reader.chunk().await {
                came.fetch_add(chunk.len(), Ordering::Relaxed);
            }
        });
        spawn(async move { while writer.send(&[7; 200_000]).await.is_ok() {} });
        for _ in 0..tasks {
            let line = near.clone();
            spawn(async move { while line.notify("large", &vec![7u8; len]).await.is_ok() {} });
        }
        let both = || (streamed.load(Ordering::Relaxed), noticed.load(Ordering::Relaxed));
        while both().0 + both().1 < 20_000_000 {
            yield_now().await;
        }
        near.cut();
        // The stream is one of so many: half of its share will do. Nor does it take all.
        let (streamed, noticed) = both();
        assert!(streamed * tasks * 2 >= noticed, "{tasks} times {len}: {noticed} octets, of the stream {streamed}");
        assert!(noticed * 8 >= streamed, "{tasks} times {len}: {noticed} octets, of the stream {streamed}");
    }
}

/// The word has come, and whoever it is for waits for room that never comes: it hears it all the same.
#[tokio::test(start_paused = true)]
async fn a_writer_that_waits_for_room_hears_that_its_reader_stopped() {
    let shut = Arc::new(AtomicBool::new(false));
    let (_server, near, far) = pair(&shut).await;
    let (mut writer, reader) = stream(&near, &far).await;
    turns(100).await;
    shut.store(true, Ordering::Relaxed);
    let writing = spawn(async move { while writer.send(&[7; 60_000]).await.is_ok() {} });
    turns(100).await;
    assert!(!writing.is_finished(), "there is no room");
    drop(reader);
    timeout(HOUR, writing).await.expect("it has come long ago").expect("it does not panic");
}

/// A client says hello and asks in one go, and the server shuts down at any moment: nobody waits for a request that is not
/// served.
#[tokio::test(start_paused = true)]
async fn a_shutdown_serves_what_it_waits_for() {
    let said = hello_and_request().await;
    for before in 0..60 {
        let server = Server::bind("mem://").config(patient()).on("echo", |text: String| async move { Ok(text) });
        let server = server.serve().await.expect("there is a name left");
        let (mut near, far) = duplex(1 << 16);
        near.write_all(&said).await.expect("there is room");
        server.serve_stream(TokioIo(far)).await;
        turns(before).await;
        let began = Instant::now();
        let went = server.shutdown(HOUR).await;
        assert!(began.elapsed() < HOUR, "after {before} turns it waited: {went:?}");
        drop(near);
    }
}

/// What a client says first: its hello, and behind it a request.
async fn hello_and_request() -> Vec<u8> {
    let server = Server::bind("mem://").on("echo", |text: String| async move { Ok(text) });
    let server = server.serve().await.expect("there is a name left");
    let ((near, middle), (other, far)) = (duplex(1 << 16), duplex(1 << 16));
    server.serve_stream(TokioIo(far)).await;
    let ((mut from_near, mut to_near), (mut from_far, mut to_far)) = (split(middle), split(other));
    let listening = spawn(async move {
        let (mut said, mut block) = (Vec::new(), [0; 4096]);
        while let Ok(len @ 1..) = from_near.read(&mut block).await {
            said.extend_from_slice(&block[..len]);
            to_far.write_all(&block[..len]).await.expect("the server reads");
        }
        said
    });
    let telling = spawn(async move { copy(&mut from_far, &mut to_near).await });
    let line = Client::over(TokioIo(near)).connect().await.expect("the server answers");
    line.request::<_, String>("echo", "Atreyuuuu!").await.expect("it is answered");
    line.cut();
    let said = listening.await.expect("it does not panic");
    telling.abort();
    said
}

/// Takes octets unless it is shut.
struct Gated(DuplexStream, Arc<AtomicBool>);

impl AsyncRead for Gated {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, out)
    }
}

impl AsyncWrite for Gated {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<std::io::Result<usize>> {
        if self.1.load(Ordering::Relaxed) { Poll::Pending } else { Pin::new(&mut self.0).poll_write(cx, octets) }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
