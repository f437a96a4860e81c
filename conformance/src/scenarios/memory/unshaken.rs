//! Before the hello, in the handshakes of transports.

use std::time::Duration;

use ropeway_driver::{Address, Client, CloseCode, Config, Error, Runtime, Server, SocketOptions};

use super::{SMALL, small};
use crate::scenarios::by_hand::{read_to_end, turn, write_all};
use crate::{certificates, heap};

/// What a peer may cost that stops in a handshake, besides what it may send in one: rustls' state of a connection.
const UNSHAKEN: usize = 20 * 1024;
/// What a peer may cost that has a WebSocket: that, and a message that never comes whole.
const UPGRADED: usize = UNSHAKEN + 64 * 1024;

const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ropeway.1\r\n\r\n";

/// C1. Over TLS and WebSocket; and who does say hello is served meanwhile.
pub async fn handshakes_that_stop_cost_little_and_are_gone_in_time<R: Runtime + Default>() {
    // The largest handshake message, and the largest head, of which little comes; the largest message, of which nothing does.
    let (hello, head) =
        (&b"\x16\x03\x01\x40\x00\x01\x00\xff\xff\x03\x03"[..], [UPGRADE[..14].to_vec(), vec![b'x'; 7000]]);
    let message = [UPGRADE, &[0x82, 0x80 | 127], &65_536u64.to_be_bytes(), &[0; 4]].concat();
    for (address, says, each) in [
        ("tls://localhost:0", &b""[..], UNSHAKEN),
        ("tls://localhost:0", hello, UNSHAKEN),
        ("ws://localhost:0", b"", UNSHAKEN),
        ("ws://localhost:0", &head.concat(), UNSHAKEN),
        ("ws://localhost:0", &message, UPGRADED),
    ] {
        check::<R>(address, says, each).await;
    }
}

async fn check<R: Runtime + Default>(address: &str, says: &[u8], most: usize) {
    const PEERS: usize = 100;
    let mut config = Config::DEFAULT;
    config.protocol.hello_timeout = Duration::from_millis(500);
    let server = Server::<R>::bind(address).tls(certificates::showing()).config(config);
    let server = server.on("echo", |text: String| async move { Ok(text) }).serve().await.expect("it listens");
    let echo = async || {
        let client = Client::<R>::to(server.address()).tls(certificates::trusting()).connect().await?;
        let text: String = client.request("echo", small()).await?;
        client.close(CloseCode::DONE, "").await;
        assert_eq!(text, small());
        Ok::<_, Error>(())
    };
    // What all lines share is there from now on.
    echo().await.expect("it serves");
    let beneath = match server.address().clone() {
        Address::Tls { host, port } | Address::Ws { host, port, .. } => Address::Tcp { host, port },
        other => other,
    };
    let mut peers = Vec::with_capacity(PEERS);
    let mark = heap::mark();
    for _ in 0..PEERS {
        let connected = R::default().connect(&beneath, &SocketOptions::default()).await;
        let (mut stream, _) = connected.expect("it accepts");
        write_all(&mut stream, says).await.expect("it reads");
        peers.push(stream);
    }
    echo().await.expect("it serves all the same");
    for mut stream in peers {
        // Of an upgrade the answer, and the end.
        read_to_end(&mut stream).await;
    }
    // Both ends of the sockets are in this process.
    let each = mark.peak() / PEERS;
    assert!(each <= most, "{address}: {each} octets a peer");
    server.shutdown(Duration::from_secs(5)).await;
    // Tasks that waited for them are still to be told.
    for _ in 0..1000 {
        turn().await;
    }
    assert!(mark.held() < SMALL, "{address}: {} octets are left of them", mark.held());
}
