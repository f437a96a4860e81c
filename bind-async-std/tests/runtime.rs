//! What is async-std's own: its sockets, its I/O traits.

use async_std::io::{self, ReadExt, WriteExt};
use async_std::task;
use ropeway_async_std::{AsyncStd, Client, Message, Server, Socket};
use ropeway_conformance::scenarios::small_segments_go_at_once_unless_told;

#[async_std::test]
async fn sockets_send_small_segments_at_once_unless_told() {
    small_segments_go_at_once_unless_told::<AsyncStd>(|socket| match socket {
        Socket::Tcp(stream) => stream.as_ref().nodelay().expect("it is open"),
        Socket::Unix(_) => panic!("it is of another kind"),
    })
    .await;
}

#[async_std::test]
async fn streams_are_async_stds_readers_and_writers() {
    let server = Server::bind("tcp://127.0.0.1:0").on_message("mirror", |mut message: Message| async move {
        let mut reader = message.stream().await?;
        let mut writer = message.respond(&()).stream().await?;
        io::copy(&mut reader, &mut writer).await?;
        Ok(writer.finish().await?)
    });
    let server = server.serve().await.expect("a port is free");
    let client = Client::connect(server.address()).await.expect("it listens");
    let (mut writer, mut reader) = client.open("mirror", &()).into_stream().await.expect("the line is up");
    let content = vec![7; 300_000];
    let sent = content.clone();
    let writing = task::spawn(async move {
        writer.write_all(&sent).await.expect("it is read");
        writer.finish().await.expect("it is read");
    });
    let mut mirrored = Vec::new();
    reader.read_to_end(&mut mirrored).await.expect("it is complete");
    assert!(mirrored == content);
    writing.await;
}
