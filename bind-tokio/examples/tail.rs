//! Streams each way at once, as tokio's readers and writers: what goes in comes back with its lines numbered.

use ropeway_tokio::{Client, Error, Failure, Message, Server};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    let server = Server::bind("tcp://127.0.0.1:0").on_message("number", number).serve().await?;
    let client = Client::connect(server.address()).await?;

    let (mut writer, reader) = client.open("number", &()).into_stream().await?;
    let writing = tokio::spawn(async move {
        for line in ["one line", "another", "and the last"] {
            writer.write_all(format!("{line}\n").as_bytes()).await?;
        }
        writer.shutdown().await
    });
    let mut lines = BufReader::new(reader).lines();
    while let Some(line) = lines.next_line().await? {
        println!("{line}");
    }
    writing.await.expect("it does not panic")?;
    Ok(())
}

async fn number(mut message: Message) -> Result<(), Failure> {
    let mut lines = BufReader::new(message.stream().await?).lines();
    let mut writer = message.respond(&()).stream().await?;
    let mut number = 0;
    while let Some(line) = lines.next_line().await? {
        number += 1;
        writer.send(format!("{number} {line}\n").as_bytes()).await?;
    }
    Ok(writer.finish().await?)
}
