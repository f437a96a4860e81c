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
use ropeway_driver::{Address, Client, CloseCode, Message, Runtime, Server};

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

fn check(address: fn(&Path) -> Address) {
    for server in sides::<Ends>() {
        for client in sides::<Ends>() {
            let folder = tempfile::tempdir().expect("there is room");
            let folder = folder.path();
            let name = format!("a client on {} and a server on {}", client.name, server.name);
            let (serving, listens, done) = Serving::new(address(folder), folder.to_owned());
            thread::scope(|scope| {
                // If the client fails, the server hears of it.
                let done = done;
                scope.spawn(|| (server.block_on)((server.part.serve)(serving)));
                let address = listens.recv().expect("it listens");
                let asking = (client.part.ask)(address, folder.to_owned());
                (client.block_on)(Box::pin(watchdog(&name, Duration::from_secs(60), asking)));
                done.send(()).expect("it waits for that");
            });
        }
    }
}

/// What a binding does at either end.
struct Ends {
    serve: fn(Serving) -> Job,
    ask: fn(Address, PathBuf) -> Job,
}

impl Part for Ends {
    fn on<R: Runtime + Default>() -> Ends {
        Ends {
            serve: |serving| Box::pin(serve::<R>(serving)),
            ask: |address, folder| Box::pin(ask::<R>(address, folder)),
        }
    }
}

/// What a server is to know and to tell.
struct Serving {
    address: Address,
    folder: PathBuf,
    listens: Sender<Address>,
    done: Receiver<()>,
}

impl Serving {
    fn new(address: Address, folder: PathBuf) -> (Serving, Receiver<Address>, Sender<()>) {
        let ((listens, listening), (done, is_done)) = (mpsc::channel(), mpsc::channel());
        (Serving { address, folder, listens, done: is_done }, listening, done)
    }
}

async fn serve<R: Runtime + Default>(serving: Serving) {
    let Serving { address, folder, listens, done } = serving;
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
    let server = server.serve().await.expect("the address is free");
    listens.send(server.address().clone()).expect("somebody asks for it");
    // All else runs on the runtime's own threads.
    done.recv().expect("it is told");
    let went = server.shutdown(Duration::from_secs(30)).await;
    assert_eq!(went.cut, 0);
}

async fn ask<R: Runtime + Default>(address: Address, folder: PathBuf) {
    let client =
        Client::<R>::to(address).tls(certificates::trusting()).on("who", |()| async { Ok("the client".to_owned()) });
    let line = client.connect().await.expect("it listens");

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
