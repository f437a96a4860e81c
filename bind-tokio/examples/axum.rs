//! A page and a line on one port: a server on a path of axum's. Needs the feature `mount`.

use axum::Router;
use axum::routing::get;
use axum::serve::ListenerExt;
use ropeway_tokio::{Client, Error, Mounts, Server};
use tokio::net::TcpListener;

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    // It listens nowhere else, and takes pages of one origin beside all that are no pages.
    let ropeway = Server::bind("mem://").origins(["https://example.org"]);
    let ropeway = ropeway.on("echo", |text: String| async move { Ok(text) }).serve().await?;

    let mounts = Mounts::new().mount("/ropeway", &ropeway)?;
    let app = Router::new().route("/", get(|| async { "a page" })).fallback_service(mounts);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("ws://{}/ropeway", listener.local_addr()?);
    // Small messages are to go at once, which is for whoever has the socket to say.
    let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
    tokio::spawn(async { axum::serve(listener, app).await });

    let client = Client::connect(&address).await?;
    let text: String = client.request("echo", "Atreyuuuu!").await?;
    println!("{text}, over {address}");
    Ok(())
}
