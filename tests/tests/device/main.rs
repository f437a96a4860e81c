//! The example of a device with peers that keep to the rules; with those that do not, and with the image of it, in files of their own.

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

#[path = "../../../core/examples/device/device.rs"]
mod device;
#[path = "../../../core/examples/device/host.rs"]
mod host;

mod endings;
mod firmware;
mod load;
mod offences;

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

/// What makes the device accept the file that it asks for, whose size that is.
fn file(size: u64) -> Vec<u8> {
    let response = Response { lane: 0, code: Code::OK, body: body(b""), more: false, size: None, attached: 1 };
    let frames = [say::response(b"yes", None, false), Frame::Response(response), say::offer(OPENED, false, Some(size))];
    frames.iter().flat_map(bytes).collect()
}

/// Why the line of a device ended on that port as it is.
async fn bare(port: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<Reason> {
    watchdog("a device", Duration::from_secs(60), host::run(host::MEMORY, port, |_, _| Ok(()))).await
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
