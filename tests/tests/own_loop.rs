//! The example of a loop of one's own: its server and its client with peers on tokio, and with each other.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use ropeway_conformance::watchdog::watchdog;
use ropeway_core::wire::Frame;
use ropeway_core::{CloseCode, Connection, Event, Instant, Limits, Memory, Reason, Send};
use ropeway_tests::hand::{PEER, bytes, hello};
use ropeway_tests::say;
use ropeway_tokio::{Client, Code, Error, Server};

#[path = "../../core/examples/own-loop/client.rs"]
mod client;
#[path = "../../core/examples/own-loop/line.rs"]
mod line;
#[path = "../../core/examples/own-loop/server.rs"]
mod server;

use line::Turn;

/// More than there are lanes for at once, and than the server has places.
const MANY: usize = 300;

/// Runs what needs a server of the example, and stops that.
fn check(name: &str, asks: impl FnOnce(SocketAddr)) {
    let (server, stop) = server::Server::bind(([127, 0, 0, 1], 0).into()).expect("a port is free");
    let address = server.address();
    thread::scope(|scope| {
        let serving = scope.spawn(|| server.run());
        let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| asks(address)));
        stop.stop().expect("it runs");
        serving.join().expect("it does not panic").expect("the system has all it needs");
        asked.unwrap_or_else(|_| panic!("{name}"));
    });
}

fn block_on<T>(name: &str, future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("the system has threads to spare").block_on(watchdog(name, Duration::from_secs(60), future))
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("text {number}")).collect()
}

#[test]
fn its_server_and_its_client_talk_to_each_other() {
    check("each other", |address| {
        let texts = texts(MANY);
        let mut answers = client::ask(address, &texts).expect("it answers");
        answers.sort_by_key(|answer| texts.iter().position(|text| text == answer));
        assert_eq!(answers, texts);
        assert_eq!(client::ask(address, &[]).expect("it has nothing to ask"), [""; 0]);
    });
}

#[test]
fn its_client_talks_to_a_server_on_tokio() {
    block_on("a server on tokio", async {
        let server = Server::bind("tcp://127.0.0.1:0").on("echo", |text: String| async move { Ok(text) });
        let server = server.serve().await.expect("a port is free");
        let address = server.address().to_string();
        let address = address.strip_prefix("tcp://").expect("it is of TCP").parse().expect("it is one");
        let asked = tokio::task::spawn_blocking(move || client::ask(address, &texts(20)));
        let answers = asked.await.expect("it does not panic").expect("it answers");
        assert_eq!(answers.len(), 20);
    });
}

#[test]
fn its_server_talks_to_more_clients_on_tokio_than_it_has_places() {
    check("clients on tokio", |address| {
        block_on("clients on tokio", async {
            let clients: Vec<_> = (0..MANY)
                .map(|number| {
                    tokio::spawn(async move {
                        // The last wait until others have gone.
                        let mut protocol = ropeway_tokio::Config::DEFAULT;
                        protocol.protocol.hello_timeout = Duration::ZERO;
                        let client = Client::to(format!("tcp://{address}")).config(protocol).connect().await?;
                        let text: String = client.request("echo", &format!("client {number}")).await?;
                        assert_eq!(text, format!("client {number}"));
                        let code = client.request::<_, String>("no such action", "").await;
                        assert!(matches!(code, Err(Error::Answered(Code::NOT_IMPLEMENTED, _))), "{code:?}");
                        let large = client.request::<_, String>("echo", &"x".repeat(4096)).await;
                        assert!(matches!(large, Err(Error::TooLarge { .. })), "{large:?}");
                        client.close(ropeway_tokio::CloseCode::DONE, "").await;
                        Ok::<_, Error>(())
                    })
                })
                .collect();
            for client in clients {
                client.await.expect("it does not panic").expect("it is served");
            }
        });
    });
}

#[test]
fn its_server_has_a_place_for_the_next_when_a_line_ends() {
    check("a place", |address| {
        let mut peers: Vec<_> = (0..256).map(|_| greeted(address)).collect();
        let mut next = connected(address);
        next.write_all(&hello(true, PEER)).expect("there is room");
        // Once this is answered the server has seen that the next one waits.
        let (pong, mut said) = (bytes(&Frame::Pong { id: 7 }), Vec::new());
        peers[0].write_all(&bytes(&Frame::Ping { id: 7 })).expect("it reads");
        while !said.ends_with(&pong) {
            let mut octet = [0];
            peers[0].read_exact(&mut octet).expect("it answers");
            said.extend(octet);
        }
        peers.pop();
        next.read_exact(&mut [0]).expect("it has a place");
    });
}

struct Silent;

impl line::Hear for Silent {
    fn hear(&mut self, _: &mut line::Machine, _: Instant, _: &Event<&[u8]>) {}
}

#[test]
fn a_line_whose_peer_takes_nothing_ends() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let at = |secs: u64| Instant::from_millis(secs * 1000);
    // One peer has died; the other one goes on talking while this end says goodbye.
    for (says, begun) in [(vec![], 30), (bytes(&Frame::Ping { id: 7 }), 20)] {
        let mut peer = connected(listener.local_addr().expect("it listens"));
        let socket = listener.accept().expect("one comes").0;
        socket.set_nonblocking(true).expect("it is open");
        let machine = Connection::server(at(0), line::CONFIG, [7; 32], Memory::EMPTY);
        let mut line = line::Line::new(mio::net::TcpStream::from_std(socket), machine, Silent);
        peer.write_all(&hello(true, Limits { window: 1 << 40, ..PEER })).expect("there is room");
        while line.machine.peer().is_none() {
            line.turn(at(0));
        }
        // Until neither the socket nor the outbox takes more. Of large ones the outbox would hold but two.
        let message = Send::bytes(say::ACTION, &[7; 100]);
        let mut refused = 0;
        while refused < 1000 {
            refused = if line.machine.notify(at(0), &message).is_ok() { 0 } else { refused + 1 };
            // What the peer says tells of room that its socket still had.
            if refused % 100 == 1 {
                peer.write_all(&bytes(&Frame::Ping { id: 6 })).expect("there is room");
            }
            line.turn(at(0));
        }
        if !says.is_empty() {
            line.machine.close(CloseCode::AWAY, "");
        }
        peer.write_all(&says).expect("there is room");
        let first = line.turn(at(begun));
        assert_eq!((first, line.deadline()), (Turn::Waits, Some(at(begun + 1))));
        peer.write_all(&says).expect("there is room");
        let last = line.turn(at(begun + 1));
        assert!(matches!(last, Turn::Over(Reason::Dead | Reason::ByUs(CloseCode::AWAY))), "{last:?}");
    }
}

/// A peer written by hand. It waits for nothing longer than a minute.
fn connected(address: SocketAddr) -> TcpStream {
    let peer = TcpStream::connect(address).expect("it listens");
    peer.set_read_timeout(Some(Duration::from_secs(60))).expect("it is not zero");
    peer
}

/// One that the server has said hello to, of which an octet is read.
fn greeted(address: SocketAddr) -> TcpStream {
    let mut peer = connected(address);
    peer.write_all(&hello(true, PEER)).expect("it reads");
    peer.read_exact(&mut [0]).expect("it answers");
    peer
}

#[test]
fn its_server_says_goodbye_when_it_stops_and_to_who_breaks_the_protocol() {
    let mut idle = None;
    check("goodbye", |address| {
        // Trickled in, too large a frame is answered with its code, behind the server's hello.
        let mut peer = connected(address);
        let offence = say::notice(&[7; 3000]);
        for octets in [hello(true, PEER), bytes(&offence)].concat().chunks(7) {
            if peer.write_all(octets).is_err() {
                break;
            }
        }
        let mut said = Vec::new();
        peer.read_to_end(&mut said).expect("it goes in peace");
        assert_eq!(said.last_chunk(), Some(&[20 << 3, 22, 0]), "{said:02x?}");

        idle = Some(greeted(address));
    });
    let mut said = Vec::new();
    idle.expect("it is up").read_to_end(&mut said).expect("it goes in peace");
    assert_eq!(said.last_chunk(), Some(&[20 << 3, 1, 0]), "{said:02x?}");
}
