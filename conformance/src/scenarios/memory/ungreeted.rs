//! Before the hello.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use futures_io::AsyncRead;
use ropeway_driver::{Address, Client, CloseCode, Config, Error, Runtime, Server, SocketOptions};

use super::peer::{GREEDY, hello};
use super::{PIPE, SMALL, are_gone_in_time, small, warm};
use crate::heap;
use crate::scenarios::by_hand::{turn, write_all};
use crate::weather::pipe;

/// What a peer may cost that has not said hello.
const UNGREETED: usize = 8 * 1024;

/// C1. However much of a hello a peer says.
pub fn a_peer_without_hello_costs_little_and_is_gone_in_time() {
    let (hand, config) = (warm(), Config::DEFAULT);
    let whole = hello(GREEDY);
    let longest = [&b"\xf2RWY\x00\x04"[..], &[0; 1023]].concat();
    for (what, said) in
        [("nothing", &[][..]), ("a start", &whole[..3]), ("most", &whole[..whole.len() - 1]), ("the longest", &longest)]
    {
        const PEERS: usize = 200;
        let pipes: Vec<_> = (0..PEERS).map(|_| pipe(PIPE)).collect();
        let mut lines = Vec::with_capacity(PEERS);
        let mark = heap::mark();
        for (near, far) in pipes {
            lines.push((hand.server(far, config.clone()), near));
        }
        for (_, near) in &mut lines {
            // Slowly, and every piece is kept.
            for piece in said.chunks(7) {
                hand.finish(write_all(near, piece)).expect("it reads");
            }
        }
        hand.run();
        let each = mark.peak() / PEERS;
        assert!(each <= UNGREETED, "{what}: {each} octets a peer");
        are_gone_in_time(&hand, lines, config.protocol.hello_timeout, what);
        assert!(mark.held() < SMALL, "{what}: {} octets are left of them", mark.held());
    }
}

/// C1. Over sockets, with all that a server keeps for each; and who does say hello is served meanwhile.
pub async fn connections_without_hello_cost_little_and_are_gone_in_time<R: Runtime + Default>(address: Address) {
    const PEERS: usize = 200;
    let mut config = Config::DEFAULT;
    config.protocol.hello_timeout = Duration::from_millis(500);
    let server = Server::<R>::bind(address).config(config).on("echo", |text: String| async move { Ok(text) });
    let server = server.serve().await.expect("it listens");
    let echo = async || {
        let client = Client::<R>::connect(server.address()).await?;
        let text: String = client.request("echo", small()).await?;
        client.close(CloseCode::DONE, "").await;
        assert_eq!(text, small());
        Ok::<_, Error>(())
    };
    // What all lines share is there from now on.
    echo().await.expect("it serves");
    let mut peers = Vec::with_capacity(PEERS);
    let mark = heap::mark();
    for number in 0..PEERS {
        let connected = R::default().connect(server.address(), &SocketOptions::default()).await;
        let (mut stream, _) = connected.expect("it accepts");
        write_all(&mut stream, &hello(GREEDY)[..number % 40]).await.expect("it reads");
        peers.push(stream);
    }
    echo().await.expect("it serves all the same");
    for mut stream in peers {
        let gone = poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, &mut [0; 64])).await;
        assert!(matches!(gone, Ok(0) | Err(_)), "it says nothing: {gone:?}");
    }
    // Both ends of the sockets are in this process.
    let each = mark.peak() / PEERS;
    assert!(each <= UNGREETED, "{each} octets a peer");
    server.shutdown(Duration::from_secs(5)).await;
    // Tasks that waited for them are still to be told.
    for _ in 0..1000 {
        turn().await;
    }
    assert!(mark.held() < SMALL, "{} octets are left of them", mark.held());
}
