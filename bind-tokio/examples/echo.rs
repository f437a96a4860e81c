//! A server that answers what it is asked, and a client that asks it.

use ropeway_tokio::{Body, Client, Error, Server};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    let server = Server::bind("tcp://127.0.0.1:0").on("echo", |body: Body| async { Ok(body) }).serve().await?;
    let client = Client::connect(server.address()).await?;
    let text: String = client.request("echo", "Atreyuuuu!").await?;
    println!("{text}");
    Ok(())
}
