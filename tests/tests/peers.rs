//! A peer of each binding talks to a peer of every other: messages, requests both ways, a stream, a file.

mod bindings;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use ropeway_conformance::certificates;
use ropeway_conformance::watchdog::watchdog;
use ropeway_driver::seal::{AnySuite, SecretKey, Suites, aws_lc_rs, ring, rust_crypto};
use ropeway_driver::{Address, Client, CloseCode, Message, Runtime, Seal, Server};

use crate::bindings::{Job, Part, sides};

/// Octets of a stream and of a file: more than any window.
const MUCH: usize = 3 * 1024 * 1024;
const NOTICES: u32 = 100;

#[test]
fn peers_of_all_bindings_talk_over_tcp() {
    check(|_| Address::Tcp { host: "127.0.0.1".into(), port: 0 });
}

#[cfg(unix)]
#[test]
fn peers_of_all_bindings_talk_over_unix_sockets() {
    check(|folder| Address::Unix(folder.join("socket")));
}

#[test]
fn peers_of_all_bindings_talk_over_tls() {
    check(|_| Address::Tls { host: "localhost".into(), port: 0 });
}

#[test]
fn peers_of_all_bindings_talk_over_websocket() {
    check(|_| Address::Ws { host: "localhost".into(), port: 0, path: "/line".into() });
}

#[test]
fn peers_of_all_bindings_talk_over_websocket_and_tls() {
    check(|_| Address::Wss { host: "localhost".into(), port: 0, path: "/line".into() });
}

#[test]
fn peers_of_all_bindings_talk_within_a_process() {
    check(|_| Address::Mem(String::new()));
}

/// Whoever computes the suite at either end.
#[test]
fn peers_of_all_bindings_talk_sealed() {
    let address = |_: &Path| Address::Tcp { host: "127.0.0.1".into(), port: 0 };
    check_with(address, |turn| {
        let [client, server] = [1, 2].map(|octet| SecretKey::new([octet; 32]));
        let [near, far] = suites(turn);
        let near = Seal::with_key(client.clone()).trust(server.public()).suites(near);
        Some([near, Seal::with_key(server).trust(client.public()).suites(far)])
    });
}

/// The same suite of two providers.
fn suites(turn: usize) -> [Suites; 2] {
    fn both(one: impl AnySuite + 'static, other: impl AnySuite + 'static) -> [Suites; 2] {
        [Suites::none().and(one), Suites::none().and(other)]
    }
    match turn % 4 {
        0 => both(ring::Aes256Gcm, aws_lc_rs::Aes256Gcm),
        1 => both(aws_lc_rs::ChaCha20Poly1305, ring::ChaCha20Poly1305),
        2 => both(rust_crypto::ChaCha20Poly1305, aws_lc_rs::ChaCha20Poly1305),
        _ => both(ring::Aes256Gcm, rust_crypto::Aes256Gcm),
    }
}

fn check(address: fn(&Path) -> Address) {
    check_with(address, |_| None);
}

fn check_with(address: fn(&Path) -> Address, seal: fn(usize) -> Option<[Seal; 2]>) {
    let mut turns = 0..;
    for server in sides::<Ends>() {
        for client in sides::<Ends>() {
            let (near, far) = turns.next().and_then(seal).map(|[near, far]| (near, far)).unzip();
            let folder = tempfile::tempdir().expect("there is room");
            let folder = folder.path();
            let name = format!("a client on {} and a server on {}", client.name, server.name);
            let (serving, listens, done) = Serving::new(address(folder), folder.to_owned(), far);
            thread::scope(|scope| {
                // If the client fails, the server hears of it.
                let done = done;
                scope.spawn(|| (server.block_on)((server.part.serve)(serving)));
                let address = listens.recv().expect("it listens");
                let asking = (client.part.ask)(address, folder.to_owned(), near);
                (client.block_on)(Box::pin(watchdog(&name, Duration::from_secs(60), asking)));
                done.send(()).expect("it waits for that");
            });
        }
    }
}

/// What a binding does at either end.
struct Ends {
    serve: fn(Serving) -> Job,
    ask: fn(Address, PathBuf, Option<Seal>) -> Job,
}

impl Part for Ends {
    fn on<R: Runtime + Default>() -> Ends {
        Ends {
            serve: |serving| Box::pin(serve::<R>(serving)),
            ask: |address, folder, seal| Box::pin(ask::<R>(address, folder, seal)),
        }
    }
}

/// What a server is to know and to tell.
struct Serving {
    address: Address,
    folder: PathBuf,
    seal: Option<Seal>,
    listens: Sender<Address>,
    done: Receiver<()>,
}

impl Serving {
    fn new(address: Address, folder: PathBuf, seal: Option<Seal>) -> (Serving, Receiver<Address>, Sender<()>) {
        let ((listens, listening), (done, is_done)) = (mpsc::channel(), mpsc::channel());
        (Serving { address, folder, seal, listens, done: is_done }, listening, done)
    }
}

async fn serve<R: Runtime + Default>(serving: Serving) {
    let Serving { address, folder, seal, listens, done } = serving;
    let count = Arc::new(AtomicU32::new(0));
    let counted = count.clone();
    let server = Server::<R>::bind(address)
        .tls(certificates::showing())
        .on("count", move |number: u32| {
            count.fetch_add(number, Ordering::Relaxed);
            async { Ok(()) }
        })
        .on("counted", move |()| {
            let counted = counted.load(Ordering::Relaxed);
            async move { Ok(counted) }
        })
        .on("echo", |text: String| async move { Ok(text) })
        .on_message("and you?", |mut message: Message| async move {
            let text: String = message.line().request("who", &()).await?;
            message.respond(&text).await?;
            Ok(())
        })
        .on_message("mirror", |mut message: Message| async move {
            let mut reader = message.stream().await?;
            let mut writer = message.respond(&()).stream().await?;
            while let Some(chunk) = reader.chunk().await? {
                writer.send(&chunk).await?;
            }
            Ok(writer.finish().await?)
        })
        .on_message("file", move |mut message: Message| {
            let inbox = folder.join("inbox");
            async move {
                let file = message.file().await?.expect("it brings one");
                file.save_in(&inbox).await?.finished().await?;
                Ok(())
            }
        });
    let server = match seal {
        Some(seal) => server.seal(seal),
        None => server,
    };
    let server = server.serve().await.expect("the address is free");
    listens.send(server.address().clone()).expect("somebody asks for it");
    // All else runs on the runtime's own threads.
    done.recv().expect("it is told");
    let went = server.shutdown(Duration::from_secs(30)).await;
    assert_eq!(went.cut, 0);
}

async fn ask<R: Runtime + Default>(address: Address, folder: PathBuf, seal: Option<Seal>) {
    let client =
        Client::<R>::to(address).tls(certificates::trusting()).on("who", |()| async { Ok("the client".to_owned()) });
    let is_sealed = seal.is_some();
    let client = match seal {
        Some(seal) => client.seal(seal),
        None => client,
    };
    let line = client.connect().await.expect("it listens");
    assert_eq!(line.sealing().is_some(), is_sealed);

    for _ in 0..NOTICES {
        line.notify("count", &1u32).await.expect("the line is up");
    }
    while line.request::<_, u32>("counted", &()).await.expect("it answers") < NOTICES {}

    let text: String = line.request("echo", "Atreyuuuu!").await.expect("it answers");
    assert_eq!(text, "Atreyuuuu!");
    let text: String = line.request("and you?", &()).await.expect("it answers");
    assert_eq!(text, "the client");

    let content: Vec<u8> = (0..MUCH).map(|at| (at / 7) as u8).collect();
    let (mut writer, mut reader) = line.open("mirror", &()).into_stream().await.expect("the line is up");
    let sent = content.clone();
    R::default().spawner().spawn(Box::pin(async move {
        writer.send(&sent).await.expect("it is read");
        writer.finish().await.expect("it is read to the end");
    }));
    let mut mirrored = Vec::new();
    while let Some(chunk) = reader.chunk().await.expect("it is complete") {
        mirrored.extend_from_slice(&chunk);
    }
    assert!(mirrored == content, "the stream differs");

    fs::create_dir(folder.join("inbox")).expect("there is room");
    fs::write(folder.join("file"), &content).expect("there is room");
    let upload = line.send_file(folder.join("file")).await.expect("it is offered");
    upload.finished().await.expect("it arrives");
    assert!(fs::read(folder.join("inbox/file")).expect("it is there") == content, "the file differs");

    line.close(CloseCode::DONE, "").await;
}
