//! A stream that comes back as it went, by tokio's readers and writers.

use ropeway_tokio::{Failure, Line, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A handler that answers a stream with what it brings, as it comes.
pub(crate) async fn mirror(mut message: Message) -> Result<(), Failure> {
    let mut reader = message.stream().await?;
    let mut writer = message.respond(&()).stream().await?;
    tokio::io::copy(&mut reader, &mut writer).await?;
    Ok(writer.shutdown().await?)
}

/// What goes to a [`mirror`] at the other end comes back.
pub(crate) async fn comes_back(line: &Line) {
    let (mut writer, mut reader) = line.open("mirror", &()).into_stream().await.expect("the line is up");
    let content: Vec<u8> = (0..1_000_000u32).map(|n| n as u8).collect();
    let sent = content.clone();
    let writing = tokio::spawn(async move {
        writer.write_all(&sent).await?;
        writer.shutdown().await
    });
    let mut mirrored = Vec::new();
    reader.read_to_end(&mut mirrored).await.expect("it is complete");
    assert!(mirrored == content);
    writing.await.expect("it does not panic").expect("it is read");
}
