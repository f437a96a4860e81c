//! What is smol's own: its sockets, its executor, its I/O traits.

use std::thread;

use ropeway_conformance::scenarios::small_segments_go_at_once_unless_told;
use ropeway_smol::{Client, Server, Smol, Socket, StreamReader, StreamWriter};
use smol::io::{AsyncRead, AsyncWrite};

#[test]
fn sockets_send_small_segments_at_once_unless_told() {
    smol::block_on(small_segments_go_at_once_unless_told::<Smol>(|socket| match socket {
        Socket::Tcp(stream) => stream.as_ref().nodelay().expect("it is open"),
        Socket::Unix(_) => panic!("it is of another kind"),
    }));
}

#[test]
fn streams_are_smols_readers_and_writers() {
    fn reads<T: AsyncRead>() {}
    fn writes<T: AsyncWrite>() {}
    reads::<StreamReader>();
    writes::<StreamWriter>();
}

#[test]
fn lines_go_on_while_nobody_blocks_on_them() {
    let (server, client) = smol::block_on(async {
        let server = Server::bind("tcp://127.0.0.1:0").on("echo", |text: String| async move { Ok(text) });
        let server = server.serve().await.expect("a port is free");
        let client = Client::connect(server.address()).await.expect("it listens");
        (server, client)
    });
    // Elsewhere, and on an executor of its own.
    let elsewhere = thread::spawn(move || {
        let executor = smol::LocalExecutor::new();
        smol::block_on(executor.run(async { client.request::<_, String>("echo", "Atreyuuuu!").await }))
    });
    let text = elsewhere.join().expect("it does not panic").expect("it answers");
    assert_eq!(text, "Atreyuuuu!");
    drop(server);
}
