//! The example of a loop of one's own: its server and its client with peers on tokio, and with each other.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use ropeway_conformance::watchdog::watchdog;
use ropeway_core::wire::{self, Frame, Piece, Response};
use ropeway_core::{Action, CloseCode, Connection, Event, Instant, Limits, Memory, Reason, Send, Side, Table};
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

/// Runs what needs a server of the example, and stops that. Its log is closed, as it is behind `| head`.
fn check(name: &str, asks: impl FnOnce(SocketAddr)) {
    check_with(Closed, name, asks);
}

/// What takes nothing.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn check_with(log: impl Write + std::marker::Send, name: &str, asks: impl FnOnce(SocketAddr)) {
    let (server, stop) = server::Server::bind(([127, 0, 0, 1], 0).into()).expect("a port is free");
    let address = server.address();
    thread::scope(|scope| {
        let serving = scope.spawn(|| server.run(log));
        let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| asks(address)));
        stop().expect("it runs");
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
        peers[0].write_all(&bytes(&Frame::Ping { id: 7 })).expect("it reads");
        heard(&mut peers[0], &bytes(&Frame::Pong { id: 7 }));
        peers.pop();
        next.read_exact(&mut [0]).expect("it has a place");
    });
}

struct Silent;

impl line::Hear for Silent {
    fn hear(&mut self, _: &mut line::Machine, _: Instant, _: &Event<&[u8]>) {}
}

fn at(secs: u64) -> Instant {
    Instant::from_millis(secs * 1000)
}

/// A line of the example since 0 s, and its peer.
fn line<H: line::Hear>(is_server: bool, app: H) -> (line::Line<H>, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let peer = connected(listener.local_addr().expect("it listens"));
    let socket = listener.accept().expect("one comes").0;
    socket.set_nonblocking(true).expect("it is open");
    let made = if is_server { Connection::server } else { Connection::client };
    let machine = made(at(0), line::CONFIG, [7; 32], Memory::EMPTY);
    (line::Line::new(mio::net::TcpStream::from_std(socket), machine, app), peer)
}

/// A server that has said hello, and as much more as its peer takes, which takes nothing.
fn clogged() -> (line::Line<Silent>, TcpStream) {
    let (mut line, mut peer) = line(true, Silent);
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
    (line, peer)
}

#[test]
fn a_line_whose_peer_takes_nothing_ends() {
    // One peer has died; the other one goes on talking while this end says goodbye.
    for (says, begun) in [(vec![], 30), (bytes(&Frame::Ping { id: 7 }), 20)] {
        let (mut line, mut peer) = clogged();
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

#[test]
fn a_goodbye_reaches_a_peer_that_says_no_more() {
    let (mut line, mut peer) = clogged();
    line.machine.close(CloseCode::AWAY, "");
    peer.shutdown(Shutdown::Write).expect("it is open");
    let hears = thread::spawn(move || {
        let mut said = Vec::new();
        peer.read_to_end(&mut said).map(|_| said)
    });
    let last = loop {
        match line.turn(at(1)) {
            Turn::Over(reason) => break reason,
            _ => thread::yield_now(),
        }
    };
    drop(line);
    let said = hears.join().expect("it does not panic").expect("it goes in peace");
    assert_eq!((last, said.last_chunk()), (Reason::ByUs(CloseCode::AWAY), Some(&[20 << 3, 1, 0])));
}

#[test]
fn a_line_whose_peer_never_says_hello_ends() {
    let begun = hello(true, PEER);
    for said in [&[][..], &begun[..begun.len() - 1]] {
        let (mut line, mut peer) = line(true, Silent);
        // However slowly: it is no time but its own that it may take.
        for octet in said {
            peer.write_all(&[*octet]).expect("there is room");
            assert_eq!(line.turn(at(2)), Turn::Waits);
        }
        let turns = [3, 4].map(|secs| line.turn(at(secs)));
        assert_eq!(turns, [Turn::Waits, Turn::Over(Reason::HelloTimeout)]);
    }
}

/// A client that asks these, and has said all that it could to a peer that has said hello.
fn asking(texts: &[String], limits: Limits) -> (line::Line<client::Asking<'_>>, TcpStream) {
    let (mut line, mut peer) = line(false, client::Asking::default());
    line.app.texts = texts;
    peer.write_all(&hello(false, limits)).expect("there is room");
    while line.machine.peer().is_none() {
        line.turn(at(0));
    }
    (line, peer)
}

/// What comes of it when the peer says this, one after the other, and no more: why the line is over, and what was answered.
fn told(
    (mut line, mut peer): (line::Line<client::Asking<'_>>, TcpStream),
    now: Instant,
    said: &[Frame<'_>],
) -> (Reason, Vec<String>) {
    for frame in said {
        let heard = line.machine.stats().received.frames;
        peer.write_all(&bytes(frame)).expect("there is room");
        while line.machine.stats().received.frames == heard && line.machine.ending().is_none() {
            line.turn(now);
        }
    }
    peer.shutdown(Shutdown::Write).expect("it is open");
    loop {
        match line.turn(now) {
            Turn::Over(reason) => return (reason, line.app.answers),
            _ => thread::yield_now(),
        }
    }
}

const DONE: Reason = Reason::ByUs(CloseCode::DONE);

#[test]
fn its_client_goes_on_when_it_is_answered_in_any_way() {
    let part = |lane, bytes| Frame::Body(Piece { side: Side::Them, lane, bytes });
    let begun = |lane| Frame::Response(Response { lane, ..response() });
    let said = [
        begun(1),
        begun(0),
        begun(3),
        Frame::Abort { side: Side::Them, lane: 3, code: Code::INTERNAL },
        part(0, b"56"),
        part(1, b"78"),
        Frame::Code { lane: 2, code: Code::BUSY },
        // To the fifth, on the lane that was free first: nothing is left of what had begun there.
        begun(3),
        part(3, b"90"),
    ];
    let texts = texts(5);
    let (reason, answers) = told(asking(&texts, PEER), at(1), &said);
    assert_eq!((reason, answers.join(", ")), (DONE, "internal error (5), 123456, 123478, busy (10), 123490".into()));
}

/// The first four octets of an answer of six.
fn response() -> Response<'static> {
    Response { lane: 0, code: Code::OK, body: say::body(b"1234"), more: false, size: Some(6), attached: 0 }
}

#[test]
fn its_client_does_not_wait_for_who_never_answers() {
    let texts = texts(6);
    let (mut line, peer) = asking(&texts, PEER);
    // The first four run out of time. When the peer lets go of their lanes, no event tells.
    line.turn(at(5));
    let aborts = [0, 1, 2, 3].map(|lane| Frame::Abort { side: Side::Them, lane, code: Code::CANCELLED });
    let answers = [0, 1].map(|lane| Frame::Code { lane, code: Code::OK });
    let (reason, answers) = told((line, peer), at(6), &[&aborts[..], &answers].concat());
    assert_eq!(reason, DONE);
    assert_eq!(answers.len(), 6, "{answers:?}");
    assert_eq!(answers[..4], ["no answer in time"; 4]);
}

#[test]
fn its_client_gives_up_a_peer_that_takes_nothing() {
    let texts = texts(6);
    let (mut line, _peer) = asking(&texts, PEER);
    let turns = [5, 30, 31].map(|secs| line.turn(at(secs)));
    assert_eq!(turns, [Turn::Waits, Turn::Waits, Turn::Over(Reason::Dead)]);
    assert_eq!(line.app.answers, ["no answer in time"; 4]);
}

#[test]
fn what_does_not_fit_a_frame_is_too_large() {
    // Of texts: for the peer's messages, its frames, and this end's outbox.
    for (limits, len) in [(Limits { message: 99, ..PEER }, 100), (Limits { frame: 256, ..PEER }, 250), (PEER, 10_000)] {
        let texts = ["x".repeat(len), "small".into()];
        let (reason, answers) = told(asking(&texts, limits), at(1), &[say::CODE]);
        assert_eq!((reason, answers), (DONE, vec!["too large (9)".into(), "ok (0)".into()]), "{len}");
    }
    // Of answers.
    check("too large", |address| {
        let mut peer = connected(address);
        let define = wire::Define { table: Table::Actions, index: 0, fingerprint: None, name: "echo" };
        let text = [b'x'; 250];
        let open = wire::Open {
            lane: 0,
            action: Action::Name(0),
            body: say::body(&text),
            wants_answer: true,
            timeout: None,
            size: None,
            attached: 0,
        };
        let greeting = hello(true, Limits { frame: 256, ..PEER });
        let said = [greeting, bytes(&Frame::Define(define)), bytes(&Frame::Open(open))].concat();
        peer.write_all(&said).expect("it reads");
        heard(&mut peer, &bytes(&Frame::Code { lane: 0, code: Code::TOO_LARGE }));
    });
}

#[test]
fn its_client_tells_why_there_is_no_line() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let address = listener.local_addr().expect("it listens");
    thread::scope(|scope| {
        let asks = scope.spawn(|| client::ask(address, &texts(1)).map_err(|error| error.to_string()));
        // It goes once it has read the hello, or the system would reset what it has not read.
        let mut peer = listener.accept().expect("one comes").0;
        let mut head = [0; 6];
        peer.read_exact(&mut head).expect("it says hello");
        peer.read_exact(&mut vec![0; head[4].into()]).expect("and all of it");
        drop(peer);
        let asked = asks.join().expect("it does not panic");
        assert_eq!(asked, Err("the transport ended without a goodbye".into()));
    });
    drop(listener);
    let refused = client::ask(address, &texts(1)).map_err(|error| error.kind());
    assert_eq!(refused, Err(io::ErrorKind::ConnectionRefused));
}

#[test]
fn its_server_logs_why_each_line_ended() {
    let mut log = Vec::new();
    check_with(&mut log, "a log", |address| {
        client::ask(address, &texts(1)).expect("it answers");
    });
    assert_eq!(String::from_utf8_lossy(&log), "line 0: closed by the peer: done (0)\n");
}

/// A peer written by hand. It waits for nothing longer than a minute.
fn connected(address: SocketAddr) -> TcpStream {
    let peer = TcpStream::connect(address).expect("it listens");
    peer.set_read_timeout(Some(Duration::from_secs(60))).expect("it is not zero");
    peer
}

/// Reads until that was said.
fn heard(peer: &mut TcpStream, wanted: &[u8]) {
    let mut said = Vec::new();
    while !said.ends_with(wanted) {
        let mut octet = [0];
        peer.read_exact(&mut octet).expect("it answers");
        said.extend(octet);
    }
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
