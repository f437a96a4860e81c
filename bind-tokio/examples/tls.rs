//! A line over TLS, with a certificate from files and a client that trusts who signed it. Needs the feature `tls-ring`.

use std::path::Path;

use ropeway_tokio::{Client, ClientTls, Error, Server, ServerTls};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    // The tests' own, for localhost. Another's cost one command: see make.sh beside them.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/certificates");
    let showing = ServerTls::showing(folder.join("server.pem"), folder.join("server.key"))?;
    let server = Server::bind("tls://localhost:0").tls(showing).on("echo", |text: String| async move { Ok(text) });
    let server = server.serve().await?;

    let trusting = ClientTls::trusting(folder.join("authority.pem"))?;
    let client = Client::to(server.address()).tls(trusting).connect().await?;
    let text: String = client.request("echo", "Atreyuuuu!").await?;
    println!("{text}, over {}", server.address());

    // Who trusts nobody but itself is not let in.
    let stranger = ClientTls::trusting(folder.join("server.pem"))?;
    match Client::to(server.address()).tls(stranger).connect().await {
        Err(Error::Tls(why)) => println!("{why}"),
        other => drop(other?),
    }
    Ok(())
}
