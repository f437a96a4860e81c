//! A request with several answers, and reports of progress between them.

use ropeway_tokio::{Client, Code, Error, Message, Server};

const POEM: &str = "\
    Die Mitternacht zog näher schon;\n\
    In stummer Ruh' lag Babylon.\n\
    Nur oben in des Königs Schloss,\n\
    Da flackert's, da lärmt des Königs Tross.";

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    let server = Server::bind("tcp://127.0.0.1:0").on_message("search", |mut message: Message| async move {
        let word: String = message.decode().await?;
        for (number, line) in (1u32..).zip(POEM.lines()) {
            message.update(&number).await?; // keeps the client from giving up on long work
            if line.contains(&word) {
                message.respond(&(number, line)).more().await?;
            }
        }
        message.code(Code::OK);
        Ok(())
    });
    let server = server.serve().await?;
    let client = Client::connect(server.address()).await?;

    let mut search = client.open("search", "König").await?;
    while let Some(reply) = search.next().await {
        let reply = reply?;
        if reply.is_last() {
            println!("that is all");
        } else if reply.is_update() {
            println!("... line {}", reply.decode::<u32>()?);
        } else {
            let (number, line): (u32, String) = reply.decode()?;
            println!("{number}: {line}");
        }
    }
    Ok(())
}
