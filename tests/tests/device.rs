//! The example of a device with peers that keep to the rules, and with peers that do not.

use std::cell::Cell;
use std::io;
use std::process::Output;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::ErrorType;
use ropeway_conformance::watchdog::watchdog;
use ropeway_core::seal::{Anyone, ChaCha20Poly1305, Identity, Pattern, Psk, Sealer};
use ropeway_core::wire::{self, Frame, Response};
use ropeway_core::{Action, CloseCode, Code, Config, Connection, Field, PeerError, Reason, Side, Storage, Table};
use ropeway_driver::seal::Seal;
use ropeway_tests::hand::{PEER, bytes, frames, hello};
use ropeway_tests::say::{self, ACCEPTED, OPENED, body, data, notice, piece, request};
use ropeway_tokio::{Message, Server, ServerBuilder, Tokio, TokioIo, Uploading};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

#[path = "../../core/examples/device/device.rs"]
mod device;
#[path = "../../core/examples/device/host.rs"]
mod host;

/// What the firmware has, too.
const PSK: [u8; 32] = [0x5e; 32];
/// Octets of the file that a device takes at most.
const FILE: usize = 64 * 1024;
const DONE: Reason = Reason::ByUs(CloseCode::DONE);

/// What the firmware expects of the file, too.
fn content(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at >> 8) as u8 ^ at as u8).collect()
}

/// A server of what the device asks for, with a file of that size. It asks the device how warm it is, and passes on what
/// the device reports and answers.
async fn serve(address: &str, size: usize) -> (Server, Receiver<String>) {
    let (server, told) = server(address, size);
    (server.serve().await.expect("the address is free"), told)
}

/// The same, whose lines are sealed with that secret.
async fn serve_sealed(psk: [u8; 32]) -> (Server, Receiver<String>) {
    let (server, told) = server("mem://", FILE);
    (server.seal(Seal::anonymous().psk(Psk::new(psk))).serve().await.expect("the address is free"), told)
}

fn server(address: &str, size: usize) -> (ServerBuilder<Tokio>, Receiver<String>) {
    let (heard, told) = mpsc::channel();
    let said = heard.clone();
    let server = Server::bind(address)
        .on("log", move |text: String| {
            let _ = heard.send(text);
            async { Ok(()) }
        })
        .on("echo", |text: String| async move { Ok(text) })
        .on_message("files.get", move |mut message: Message| {
            let said = said.clone();
            async move {
                message.line().notify("noise", "of no interest").await?;
                let _ = said.send(message.line().request("how warm?", "").await?);
                let name: String = message.decode().await?;
                let line = message.line().clone();
                let uploads = message.respond(&()).file(Uploading::from_bytes(&name, content(size))).await?;
                if let Err(error) = uploads[0].finished().await {
                    let _ = said.send(error.to_string());
                    let _ = said.send(line.request("how warm?", "").await?);
                    line.close(CloseCode::DONE, "").await;
                }
                Ok(())
            }
        });
    (server, told)
}

/// A device at one end of a pipe: why its line ended, and the file it was given.
async fn run(port: DuplexStream) -> (Reason, Vec<u8>) {
    run_on(host::MEMORY, port).await
}

/// The same with a line that is sealed with [`PSK`], and otherwise is like that.
async fn run_sealed(port: DuplexStream) -> (Reason, Vec<u8>) {
    let identity = Identity { pattern: Pattern::Nn, key: None, psk: Some(Psk::new(PSK)), trust: Anyone };
    let sealer = Sealer::client(ChaCha20Poly1305, identity).expect("it needs no key");
    run_on(host::MEMORY.sealed_by(sealer), port).await
}

async fn run_on(memory: impl Storage, port: DuplexStream) -> (Reason, Vec<u8>) {
    // What is written to it goes when it is flushed.
    let port = BufWriter::new(port);
    let mut file = Vec::new();
    let keep = |offset: u64, bytes: &[u8]| {
        assert_eq!(offset, file.len() as u64, "pieces come one behind the other");
        file.extend_from_slice(bytes);
        Ok(())
    };
    let running = watchdog("a device", Duration::from_secs(60), host::run(memory, port, keep));
    let ended = running.await.expect("the pipe holds");
    (ended, file)
}

#[tokio::test]
async fn a_device_reports_asks_answers_and_fetches_a_file() {
    // The pipe takes few octets at a time, so each end has to read while it writes.
    for room in [1, 16, 4096] {
        let (server, told) = serve("mem://", FILE).await;
        let (near, far) = duplex(room);
        server.serve_stream(TokioIo(far)).await;
        check(run(near).await, &told);
    }
}

#[tokio::test]
async fn a_sealed_device_does_all_that_too() {
    for room in [1, 16, 4096] {
        let (server, told) = serve_sealed(PSK).await;
        let (near, far) = duplex(room);
        server.serve_stream(TokioIo(far)).await;
        check(run_sealed(near).await, &told);
    }
}

#[tokio::test]
async fn a_sealed_device_talks_to_nobody_who_has_not_its_secret() {
    let (other, told) = serve_sealed([1; 32]).await;
    let (near, far) = duplex(4096);
    other.serve_stream(TokioIo(far)).await;
    let refused = Reason::ByPeer(PeerError::Handshake.code());
    assert_eq!(run_sealed(near).await, (refused, vec![]));

    let (near, mut far) = duplex(4096);
    far.write_all(&hello(false, PEER)).await.expect("there is room");
    let (heard, (ended, _)) = tokio::join!(heard(far), run_sealed(near));
    assert_eq!(ended, Reason::PeerError(PeerError::NotSealed));
    assert_eq!(heard, [format!("{:?}", goodbye(PeerError::NotSealed))]);
    assert!(told.try_iter().next().is_none());
}

/// What comes of a line on which all went well.
fn check((ended, file): (Reason, Vec<u8>), told: &Receiver<String>) {
    assert_eq!(ended, DONE);
    assert!(file == content(FILE), "{} octets came", file.len());
    assert_eq!(told.try_iter().collect::<Vec<_>>(), ["up", "21.5 °C"]);
}

/// What makes the device accept the file that it asks for, whose size that is.
fn file(size: u64) -> Vec<u8> {
    let response = Response { lane: 0, code: Code::OK, body: body(b""), more: false, size: None, attached: 1 };
    let frames = [say::response(b"yes", None, false), Frame::Response(response), say::offer(OPENED, false, Some(size))];
    frames.iter().flat_map(bytes).collect()
}

/// More than it announced, or what is no protocol: the octets behind a hello, and what the device finds.
fn offences() -> Vec<(Vec<u8>, PeerError)> {
    let config = Config::SMALL;
    let (frame, message) = (config.max_frame, config.max_message);
    let octets = |frames: &[Frame<'_>]| frames.iter().flat_map(bytes).collect::<Vec<_>>();
    let behind = |begun: Vec<u8>, frames: &[Frame<'_>]| [begun, octets(frames)].concat();
    let defined = |index, name| Frame::Define(wire::Define { table: Table::Actions, index, fingerprint: None, name });
    let name = "x".repeat(usize::from(config.max_name) + 1);
    let named = wire::Offer { flow: 0, side: Side::Us, lane: 0, push: false, size: None, media: "", name: &name };
    let unknown = Frame::Notice(wire::Notice { action: Action::Name(0), body: body(b"") });
    let second_flow = Frame::Offer(wire::Offer { flow: 1, name: "f", ..named });
    let (large, piece_of_large) = ([7; 200], |bytes| piece(ACCEPTED, bytes));
    let definitions: Vec<_> = (0..=config.max_definitions).map(|index| defined(index, "x")).collect();
    vec![
        (octets(&[notice(&[0; 300])]), PeerError::FrameTooLarge { size: 304, limit: frame }),
        (octets(&[request(0, Some(message + 1), 0)]), PeerError::MessageTooLarge { size: message + 1, limit: message }),
        (
            octets(&[say::response(b"1", Some(message + 1), false)]),
            PeerError::MessageTooLarge { size: message + 1, limit: message },
        ),
        (octets(&[request(1, None, 0)]), PeerError::LaneLimit(1)),
        (octets(&[request(0, Some(9), 0), request(0, None, 0)]), PeerError::LaneInUse(0)),
        // Each counts for 32 more than it has.
        (octets(&[notice(&large); 3]), PeerError::Window),
        (octets(&[request(0, Some(message), 0), piece_of_large(&large), piece_of_large(&large)]), PeerError::Credit),
        (behind(file(FILE as u64), &[say::begin(0), data(&large), data(&large), data(&large)]), PeerError::Credit),
        (behind(file(9), &[say::begin(0), data(b"0123456789")]), PeerError::Range),
        (behind(file(9), &[say::begin(0), data(b"01234567"), say::FINISH]), PeerError::Range),
        (behind(file(9), &[say::begin(1), data(b"9")]), PeerError::Range),
        (octets(&[request(0, None, 3)]), PeerError::FlowLimit(3)),
        (octets(&[request(0, None, 2), second_flow]), PeerError::FlowLimit(1)),
        (
            octets(&[request(0, None, 2), say::offer(ACCEPTED, true, None), say::offer(ACCEPTED, true, None)]),
            PeerError::FlowInUse(0),
        ),
        (octets(&[request(0, None, 0), say::offer(ACCEPTED, true, None)]), PeerError::FlowInUse(0)),
        (octets(&[defined(0, &name)]), PeerError::BadName),
        (octets(&[request(0, None, 1), Frame::Offer(named)]), PeerError::BadName),
        (
            octets(&[request(0, None, 1), Frame::Offer(wire::Offer { name: "", media: &name, ..named })]),
            PeerError::BadName,
        ),
        (octets(&definitions), PeerError::Definition(config.max_definitions)),
        (octets(&[unknown]), PeerError::Definition(0)),
        (octets(&[Frame::Ack { count: 1000 }]), PeerError::BadAck),
        (octets(&[Frame::Window { limit: 1 << 62 }]), PeerError::CreditOverflow),
        (octets(&[request(0, Some(4), 0)]), PeerError::BodyOverrun),
        (octets(&[request(0, Some(6), 0), piece(ACCEPTED, b"123")]), PeerError::BodyOverrun),
        (octets(&[data(b"nobody asked")]), PeerError::Unexpected(13)),
        (octets(&[Frame::End { lane: 0 }]), PeerError::Unexpected(9)),
        (b"\xf2RWY again".to_vec(), PeerError::SecondHello),
        (b"\0garbage".to_vec(), PeerError::Unexpected(0)),
        (vec![2 << 3, 0x80, 0], PeerError::BadVarint),
    ]
}

/// The last that the device says when it is sent this, which has to be that error's code, and that the next line is fine.
async fn offended(said: Vec<u8>, error: PeerError) {
    // The pipe holds little and the peer reads once all that it says has gone: nothing that the device may give back,
    // window or credit, makes up for what is too much.
    let (near, mut far) = duplex(16);
    let peer = async {
        far.write_all(&said).await.expect("it reads");
        // What counts for nothing.
        let _ = far.write_all(&[7; 1000]).await;
        heard(far).await
    };
    let (heard, (ended, _)) = tokio::join!(peer, run(near));
    assert_eq!(ended, Reason::PeerError(error));
    assert_eq!(heard.last(), Some(&format!("{:?}", goodbye(error))), "{said:02x?}");

    let (server, told) = serve("mem://", FILE).await;
    let (near, far) = duplex(4096);
    server.serve_stream(TokioIo(far)).await;
    check(run(near).await, &told);
}

#[tokio::test]
async fn a_device_that_is_sent_too_much_says_the_code_and_opens_the_next_line() {
    for (offence, error) in offences() {
        offended([hello(false, PEER), offence].concat(), error).await;
    }
}

#[tokio::test]
async fn a_device_that_is_greeted_wrongly_says_the_code_and_opens_the_next_line() {
    let changed = |at: usize, octets: &[u8]| {
        let mut hello = hello(false, PEER);
        hello[at..at + octets.len()].copy_from_slice(octets);
        hello
    };
    for (said, error) in [
        (changed(4, &[1, 4]), PeerError::BadHello(Field::Length)),
        (changed(6, &[0]), PeerError::BadHello(Field::Versions)),
        (changed(6, &[2, 3]), PeerError::Version { oldest: 2, newest: 3 }),
        (changed(8, &[0; 16]), PeerError::BadHello(Field::Session)),
        // A frame of one octet.
        (changed(24, &[0x81, 0]), PeerError::BadHello(Field::Frame)),
    ] {
        offended(said, error).await;
    }
}

/// The last that is said of an error of the peer.
fn goodbye(error: PeerError) -> Frame<'static> {
    Frame::Close(wire::Close { code: error.code(), reason: "" })
}

/// All frames that the device says behind its hello, one line each, until it goes.
async fn heard(mut far: DuplexStream) -> Vec<String> {
    let mut octets = Vec::new();
    far.read_to_end(&mut octets).await.expect("it goes");
    let hello = 6 + usize::from(octets[4]);
    frames(&octets[hello..]).iter().map(|frame| format!("{frame:?}")).collect()
}

#[tokio::test]
async fn a_file_that_is_too_large_is_declined_and_the_line_goes_on() {
    let (server, told) = serve("mem://", FILE + 1).await;
    let (near, far) = duplex(4096);
    server.serve_stream(TokioIo(far)).await;
    let (ended, file) = run(near).await;
    assert_eq!((ended, file), (Reason::ByPeer(CloseCode::DONE), vec![]));
    let told: Vec<_> = told.try_iter().collect();
    assert_eq!(told, ["up", "21.5 °C", "given up by the peer: too large (9)", "21.5 °C"]);
}

#[tokio::test(start_paused = true)]
async fn a_device_waits_for_nobody_longer_than_it_may() {
    let greeting = hello(false, PEER);
    for (said, seconds, reason) in [
        (vec![], 3, Reason::HelloTimeout),
        (greeting.clone(), 5, Reason::ByUs(CloseCode::INTERNAL)),
        ([greeting, file(9)].concat(), 30, Reason::Dead),
    ] {
        let (near, mut far) = duplex(4096);
        far.write_all(&said).await.expect("there is room");
        let begun = Instant::now();
        assert_eq!(run(near).await.0, reason);
        assert_eq!(begun.elapsed().as_secs(), seconds, "{reason:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_waits_a_second_for_a_peer_that_takes_nothing() {
    let unasked = bytes(&data(b"nobody asked"));
    for (said, seconds, reason) in [
        (vec![], 4, Reason::HelloTimeout),
        (hello(false, PEER), 6, Reason::ByUs(CloseCode::INTERNAL)),
        ([hello(false, PEER), unasked].concat(), 1, Reason::PeerError(PeerError::Unexpected(13))),
    ] {
        for buffered in [false, true] {
            let (mut near, mut far) = duplex(4096);
            if !said.is_empty() {
                far.write_all(&said).await.expect("there is room");
            }
            // As much as the pipe takes, so that nothing more goes.
            near.write_all(&[0; 4096]).await.expect("there is room");
            let begun = Instant::now();
            let ended = if buffered { run(near).await.0 } else { bare(near).await.expect("the pipe holds") };
            assert_eq!((ended, begun.elapsed().as_secs()), (reason, seconds), "{buffered}");
        }
    }
}

#[tokio::test]
async fn a_device_ends_when_its_peer_goes_before_all_is_said() {
    for said in [vec![], hello(false, PEER)] {
        let (mut near, mut far) = duplex(4096);
        near.write_all(&[0; 4096]).await.expect("there is room");
        far.write_all(&said).await.expect("there is room");
        // It goes on one way: it says nothing more, and takes nothing.
        far.shutdown().await.expect("it is open");
        assert_eq!(bare(near).await.expect("the pipe holds"), Reason::Eof);
        drop(far);
    }
}

#[tokio::test]
async fn a_goodbye_reaches_a_peer_that_says_no_more() {
    // The pipe holds little, so what is said last has not gone when the device learns that nothing more comes.
    for buffered in [false, true] {
        let (near, mut far) = duplex(16);
        let peer = async {
            far.write_all(&[hello(false, PEER), bytes(&data(b"nobody asked"))].concat()).await.expect("it reads");
            far.shutdown().await.expect("it is open");
            tokio::task::yield_now().await;
            heard(far).await
        };
        let device = async { if buffered { run(near).await.0 } else { bare(near).await.expect("the pipe holds") } };
        let (heard, ended) = tokio::join!(peer, device);
        let error = PeerError::Unexpected(13);
        assert_eq!(ended, Reason::PeerError(error));
        assert_eq!(heard.last(), Some(&format!("{:?}", goodbye(error))), "{buffered}");
    }
}

#[tokio::test]
async fn a_device_ends_wherever_its_transport_does() {
    let frames = [say::begin(0), data(b"12345678"), request(0, None, 0), notice(b"of no interest")];
    let said = [hello(false, PEER), file(9), frames.iter().flat_map(bytes).collect()].concat();
    for len in 0..=said.len() {
        // It says no more, or it goes, which a port without a buffer tells when it is written to, and others when flushed.
        for (goes, buffered) in [(false, false), (true, false), (true, true)] {
            let (near, mut far) = duplex(4096);
            far.write_all(&said[..len]).await.expect("there is room");
            far.shutdown().await.expect("it is open");
            let far = Some(far).filter(|_| !goes);
            let ended = if buffered { bare(BufWriter::new(near)).await } else { bare(near).await };
            let ended = ended.map_err(|error| error.kind());
            let expected = if far.is_some() { Ok(Reason::Eof) } else { Err(io::ErrorKind::BrokenPipe) };
            assert_eq!(ended, expected, "{len} octets");
        }
    }
}

/// A port that gives these octets and then, once, the end.
struct Short<'a>(Option<&'a [u8]>);

impl ErrorType for Short<'_> {
    type Error = io::Error;
}

impl embedded_io_async::Read for Short<'_> {
    async fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let said = self.0.as_mut().expect("who has ended is not asked again");
        let len = io::Read::read(said, out)?;
        self.0 = self.0.filter(|_| len > 0);
        Ok(len)
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_does_not_read_behind_the_end() {
    let said = [hello(false, PEER), bytes(&data(b"nobody asked"))].concat();
    // As much as the pipe takes, so that the goodbye waits.
    let (mut near, _far) = duplex(4096);
    near.write_all(&[0; 4096]).await.expect("there is room");
    let begun = Instant::now();
    let now = || ropeway_core::Instant::from_millis(begun.elapsed().as_millis() as u64);
    let port = (Short(Some(&said)), FromTokio::new(near));
    let mut line = Connection::client(now(), Config::SMALL, [0; 32], host::MEMORY);
    let ended = device::run((&mut line, |_, _| Ok(())), port, (now, host::Timer)).await.expect("the pipe holds");
    assert_eq!((ended, begun.elapsed().as_secs()), (Reason::PeerError(PeerError::Unexpected(13)), 1));
}

#[tokio::test]
async fn a_device_ends_when_a_hello_is_longer_than_it_has_room_for() {
    // What it does not understand of a hello it may be told; it is an extension of a later version.
    let mut said = [hello(false, PEER), vec![2, 0x80, 4], vec![0; 512]].concat();
    let len = u16::try_from(said.len() - 6).expect("it is short");
    said[4..6].copy_from_slice(&len.to_le_bytes());
    let (near, mut far) = duplex(4096);
    far.write_all(&said).await.expect("there is room");
    assert_eq!(bare(near).await.expect("the pipe holds"), Reason::Eof);
}

/// Why the line of a device ended on that port as it is.
async fn bare(port: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<Reason> {
    watchdog("a device", Duration::from_secs(60), host::run(host::MEMORY, port, |_, _| Ok(()))).await
}

#[tokio::test]
async fn two_ends_with_buffers_do_not_wait_for_each_other() {
    let (near, mut far) = duplex(16);
    // It reads when all that it says has gone, and says more than the pipe takes.
    let said = [hello(false, PEER), bytes(&notice(&[0; 100])), bytes(&data(b"nobody asked"))].concat();
    let peer = async {
        far.write_all(&said).await.expect("it reads");
        heard(far).await
    };
    let (heard, (ended, _)) = tokio::join!(peer, run(near));
    assert_eq!(ended, Reason::PeerError(PeerError::Unexpected(13)));
    assert!(heard.last().is_some_and(|last| last.starts_with("Close")), "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn a_device_without_room_for_an_answer_says_busy() {
    for count in 1..=18 {
        // As many as its window allows. The pipe takes little, and the peer reads once all that it asks has gone: answers pile up.
        let (near, mut far) = duplex(16);
        let empty = wire::Open {
            lane: 0,
            action: say::ACTION,
            body: body(b""),
            wants_answer: true,
            timeout: None,
            size: None,
            attached: 0,
        };
        let asked = bytes(&Frame::Open(empty)).repeat(count);
        let peer = async {
            // Each makes it ask for the file again.
            let answers = bytes(&say::response(b"yes", None, false)).repeat(4);
            far.write_all(&[hello(false, PEER), answers, asked].concat()).await.expect("it reads");
            heard(far).await
        };
        // It ends when what it asks itself has no answer.
        let (heard, ended) = tokio::join!(peer, bare(near));
        assert_eq!(ended.expect("the pipe holds"), Reason::ByUs(CloseCode::INTERNAL));
        let answers: Vec<_> =
            heard.iter().filter(|said| said.starts_with("Response") || said.starts_with("Code")).collect();
        assert_eq!(answers.len(), count, "{heard:?}");
        if answers.last() == Some(&&format!("{:?}", Frame::Code { lane: 0, code: Code::BUSY })) {
            return;
        }
    }
    panic!("there is room for everything");
}

/// A peer that always has one more event for the device, and takes all it says. Each read takes a millisecond.
struct Flood<'a> {
    hello: &'a [u8],
    event: &'a [u8],
    at: usize,
    millis: &'a Cell<u64>,
}

impl ErrorType for Flood<'_> {
    type Error = io::Error;
}

impl embedded_io_async::Read for Flood<'_> {
    async fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.millis.set(self.millis.get() + 1);
        assert!(self.millis.get() < 60_000, "nothing ever expires");
        let said = self.hello.iter().chain(self.event.iter().cycle()).skip(self.at);
        let len = out.iter_mut().zip(said).map(|(to, octet)| *to = *octet).count();
        self.at += len;
        if self.at >= self.hello.len() + self.event.len() {
            self.at -= self.event.len();
        }
        Ok(len)
    }
}

#[tokio::test]
async fn a_flood_of_events_does_not_stop_time() {
    let millis = Cell::new(0);
    let (hello, event) = (hello(false, PEER), bytes(&Frame::Away));
    let flood = Flood { hello: &hello, event: &event, at: 0, millis: &millis };
    let now = || ropeway_core::Instant::from_millis(millis.get());
    let to = FromTokio::new(tokio::io::sink());
    let mut line = Connection::client(now(), Config::SMALL, [0; 32], host::MEMORY);
    let ended = device::run((&mut line, |_, _| Ok(())), (flood, to), (now, host::Timer)).await;
    // What it asked has no answer, which it waits 5 s for.
    assert_eq!(ended.expect("it can't fail"), Reason::ByUs(CloseCode::INTERNAL));
}

#[tokio::test]
async fn a_device_answers_pings_and_takes_what_it_has_no_use_for() {
    let (near, mut far) = duplex(4096);
    let said = [
        hello(false, PEER),
        // A request that is given up, which is the peer's own affair.
        bytes(&request(0, Some(6), 1)),
        bytes(&say::abort(ACCEPTED, Code::CANCELLED)),
        bytes(&request(0, None, 1)),
        bytes(&say::offer(ACCEPTED, false, None)),
        bytes(&say::CANCEL),
        bytes(&Frame::Ping { id: 77 }),
        bytes(&notice(b"of no interest")),
        bytes(&say::large_notice(6)),
        bytes(&piece(ACCEPTED, b"56")),
        bytes(&Frame::Skipped { kind: 29, bytes: b"of a later version" }),
    ];
    let peer = async {
        for frame in said {
            far.write_all(&frame).await.expect("it reads");
        }
        let (mut heard, pong) = (Vec::new(), bytes(&Frame::Pong { id: 77 }));
        while !heard.windows(pong.len()).any(|octets| octets == pong) {
            assert!(far.read_buf(&mut heard).await.expect("it speaks") > 0, "it goes without a pong");
        }
        far.write_all(&bytes(&Frame::Close(wire::Close { code: CloseCode::DONE, reason: "" })))
            .await
            .expect("it reads");
    };
    let ((), (ended, _)) = tokio::join!(peer, run(near));
    assert_eq!(ended, Reason::ByPeer(CloseCode::DONE));
}

/// The image that this variable of the environment names, in qemu: its serial port, and what comes of it.
async fn boot(image: &str) -> (TcpStream, JoinHandle<io::Result<Output>>) {
    let image = std::env::var_os(image).expect("the path of the image");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
    let address = listener.local_addr().expect("it listens");
    let mut machine = tokio::process::Command::new("qemu-system-arm");
    machine.args(["-machine", "mps2-an386", "-cpu", "cortex-m4", "-display", "none", "-monitor", "none"]);
    machine.args(["-semihosting-config", "enable=on,target=native", "-serial", &format!("tcp:{address},nodelay=on")]);
    let output = tokio::spawn(machine.arg("-kernel").arg(image).kill_on_drop(true).output());
    (listener.accept().await.expect("it connects").0, output)
}

/// A peer that says this hears that goodbye.
async fn refused(port: &mut TcpStream, said: &[u8], error: PeerError) {
    port.write_all(said).await.expect("it reads");
    let (mut heard, goodbye) = (Vec::new(), bytes(&goodbye(error)));
    while !heard.ends_with(&goodbye) {
        heard.push(port.read_u8().await.expect("it goes on"));
    }
}

/// The image has done all that it should. Prints what it takes beyond the code: octets of stack at the deepest, as it says.
fn check_image(output: &Output, told: &Receiver<String>) {
    assert!(output.status.success(), "{output:?}");
    assert_eq!(told.try_iter().collect::<Vec<_>>(), ["up", "21.5 °C"]);
    println!("{}", String::from_utf8_lossy(&output.stdout));
}

/// First with a peer that sends too much, then with one that keeps to the rules.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs qemu-system-arm and the image, in FIRMWARE"]
async fn the_firmware_talks_over_its_serial_line() {
    let talk = async {
        let (mut port, output) = boot("FIRMWARE").await;
        let (offence, error) = offences().swap_remove(0);
        refused(&mut port, &[hello(false, PEER), offence].concat(), error).await;
        let (server, told) = serve("mem://", FILE).await;
        server.serve_stream(TokioIo(port)).await;
        let output = output.await.expect("it does not panic").expect("it runs");
        check_image(&output, &told);
    };
    timeout(Duration::from_secs(120), talk).await.expect("it ends");
}

/// First with a peer that does not seal, then with one that has another secret, then with one that has the same.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs qemu-system-arm and the image, in FIRMWARE_SEALED"]
async fn the_sealed_firmware_talks_to_who_has_its_secret_alone() {
    let talk = async {
        let (mut port, output) = boot("FIRMWARE_SEALED").await;
        refused(&mut port, &hello(false, PEER), PeerError::NotSealed).await;
        let (other, untold) = serve_sealed([1; 32]).await;
        let (near, mut far) = duplex(4096);
        other.serve_stream(TokioIo(near)).await;
        // What it hangs up is not the serial line.
        let (mut said, mut heard) = ([0; 256], [0; 256]);
        loop {
            select! {
                len = port.read(&mut said) => {
                    // It may have gone.
                    let _ = far.write_all(&said[..len.expect("it goes on")]).await;
                }
                len = far.read(&mut heard) => match len.expect("a pipe does not fail") {
                    0 => break,
                    len => port.write_all(&heard[..len]).await.expect("it reads"),
                },
            }
        }
        assert_eq!(untold.try_iter().next(), None);
        let (server, told) = serve_sealed(PSK).await;
        server.serve_stream(TokioIo(port)).await;
        let output = output.await.expect("it does not panic").expect("it runs");
        check_image(&output, &told);
    };
    timeout(Duration::from_secs(240), talk).await.expect("it ends");
}
