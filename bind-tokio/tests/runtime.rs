//! What is tokio's own: its sockets, its clock, its I/O traits.

mod mirror;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use ropeway_conformance::scenarios::small_segments_go_at_once_unless_told;
use ropeway_tokio::{
    Client, CloseCode, Code, Config, Error, Line, Message, Reason, Server, Socket, Tokio, TokioIo, Uploading,
};
use tokio::io::AsyncReadExt;

use crate::mirror::{comes_back, mirror};

#[tokio::test]
async fn sockets_send_small_segments_at_once_unless_told() {
    small_segments_go_at_once_unless_told::<Tokio>(|socket| match socket {
        Socket::Tcp(TokioIo(stream)) => stream.nodelay().expect("it is open"),
        Socket::Unix(_) => panic!("it is of another kind"),
    })
    .await;
}

/// A program that ends right after its last word: the runtime goes before the driver has had a turn.
#[test]
fn what_was_said_last_goes_although_the_runtime_ends() {
    const ROUNDS: usize = 50;
    let (heard, hears) = std::sync::mpsc::channel();
    let (ended, ends) = std::sync::mpsc::channel();
    let serving = tokio::runtime::Runtime::new().expect("there are threads");
    let server = Server::bind("tcp://127.0.0.1:0")
        .on("note", move |number: usize| {
            let _ = heard.send(number);
            async { Ok(()) }
        })
        .on_line(move |line| {
            let ended = ended.clone();
            let line = line.clone();
            tokio::spawn(async move { ended.send(line.ended().await.reason) });
            async { Ok(()) }
        });
    let server = serving.block_on(server.serve()).expect("a port is free");
    for number in 0..ROUNDS {
        let program = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let program = program.expect("there are threads");
        program.block_on(async {
            let client = Client::connect(server.address()).await.expect("it listens");
            client.notify("note", &number).await.expect("the line is up");
        });
    }
    let patience = Duration::from_secs(10);
    for _ in 0..ROUNDS {
        assert_eq!(ends.recv_timeout(patience).expect("it ends"), Reason::ByPeer(CloseCode::DONE));
    }
    let mut numbers: Vec<_> = (0..ROUNDS).map(|_| hears.recv_timeout(patience).expect("it was sent")).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..ROUNDS));
}

/// Its last act wakes somebody, when all else that the thread had may be gone.
#[test]
fn a_line_may_be_kept_until_its_thread_ends() {
    struct Cuts(Line);
    impl Drop for Cuts {
        fn drop(&mut self) {
            self.0.cut();
        }
    }
    thread_local! {
        static KEPT: RefCell<Option<Cuts>> = const { RefCell::new(None) };
    }
    let serving = tokio::runtime::Runtime::new().expect("there are threads");
    let server = Server::bind("tcp://127.0.0.1:0").on("echo", |text: String| async move { Ok(text) });
    let server = serving.block_on(server.serve()).expect("a port is free");
    // Things of a thread end in an order of their making.
    for is_first in [true, false] {
        let awaited = || {
            let line = serving.block_on(Client::connect(server.address())).expect("it listens");
            let client = line.clone();
            let mut ended = Box::pin(async move { line.ended().await });
            let early = serving.block_on(poll_fn(|cx| Poll::Ready(ended.as_mut().poll(cx))));
            assert!(early.is_pending(), "{early:?}");
            (client, ended)
        };
        let ((client, ended), (other, other_ended)) = (awaited(), awaited());
        let thread = std::thread::spawn(move || {
            if is_first {
                KEPT.with_borrow_mut(|kept| *kept = None);
            }
            // Another that wakes somebody here, so that what that takes is there.
            drop(Cuts(other));
            KEPT.with_borrow_mut(|kept| *kept = Some(Cuts(client)));
        });
        thread.join().expect("it does not panic");
        assert_eq!(serving.block_on(ended).reason, Reason::Eof);
        assert_eq!(serving.block_on(other_ended).reason, Reason::Eof);
    }
}

#[tokio::test(start_paused = true)]
async fn the_clock_follows_paused_time() {
    let server = Server::bind("tcp://127.0.0.1:0").on_message("never", |message: Message| async move {
        std::future::pending::<()>().await;
        drop(message);
        Ok(())
    });
    let server = server.serve().await.expect("a port is free");
    let mut config = Config::default();
    config.protocol.timeout = Duration::from_secs(3600);
    let client = Client::to(server.address()).config(config).connect().await.expect("it listens");
    let begun = tokio::time::Instant::now();
    let answer = client.request::<_, ()>("never", "").await;
    assert!(matches!(answer, Err(Error::TimedOut)), "{answer:?}");
    assert!(begun.elapsed() >= Duration::from_secs(3600));
}

#[tokio::test]
async fn streams_are_tokios_readers_and_writers() {
    let server = Server::bind("tcp://127.0.0.1:0").on_message("mirror", mirror);
    let server = server.serve().await.expect("a port is free");
    let client = Client::connect(server.address()).await.expect("it listens");
    comes_back(&client).await;
    // A refusal is an error of reading.
    let (_writer, mut reader) = client.open("nobody", &()).into_stream().await.expect("the line is up");
    let error = reader.read_to_end(&mut Vec::new()).await.expect_err("nobody handles it");
    let error = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    assert!(matches!(error, Some(Error::Answered(Code::NOT_IMPLEMENTED, _))), "{error:?}");
}

#[tokio::test]
async fn files_come_from_tokios_readers_and_go_to_its_writers() {
    let server = Server::bind("tcp://127.0.0.1:0").on_message("file", |mut message: Message| async move {
        let file = message.file().await?.expect("it brings one");
        let (near, mut far) = tokio::io::duplex(1000);
        let download = file.write_to(TokioIo(near)).await?;
        let mut content = Vec::new();
        // The writer is given back, and its other end sees the end when that is dropped.
        let (_, written) = tokio::join!(async { download.finished().await.map(drop) }, far.read_to_end(&mut content));
        written?;
        assert!(content == vec![7; 300_000]);
        Ok(())
    });
    let server = server.serve().await.expect("a port is free");
    let client = Client::connect(server.address()).await.expect("it listens");
    let reader = TokioIo(tokio::io::repeat(7).take(300_000));
    let upload = client.send_file(Uploading::from_reader("sevens", reader)).await.expect("it is offered");
    upload.finished().await.expect("it is told that all is well");
}
