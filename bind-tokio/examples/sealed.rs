//! A line that needs no TLS: sealed by keys from files, to a server that the client knows, from a client that says who it is by a
//! token. Needs the feature `seal`.

use ropeway_tokio::seal::{new_key, read_key, read_psk, read_public_key, write_new_key};
use ropeway_tokio::{Claim, Client, Code, Credential, Error, Grant, Message, Seal, Server};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    // Once: what `ropeway key new server.key` does, and `ropeway key show server.key > server.pub`. The token is made like a key.
    let folder = tempfile::tempdir()?;
    let [key, public, token] = ["server.key", "server.pub", "kiosk.token"].map(|name| folder.path().join(name));
    write_new_key(&key, &new_key()?)?;
    std::fs::write(&public, read_key(&key)?.public().to_string())?;
    write_new_key(&token, &new_key()?)?;

    // The server shows its key, and takes who has the token.
    let kiosks = read_psk(&token)?;
    let server = Server::bind("tcp://127.0.0.1:0")
        .seal(Seal::with_key(read_key(&key)?))
        .authenticate(move |claim: Claim| {
            let known = claim.name() == "kiosk" && claim.has(kiosks.octets());
            async move { if known { Ok(Grant::to("the kiosk").group("kiosks")) } else { Err(Code::UNAUTHORISED) } }
        })
        .on_message("who am i", |message: Message| async move {
            let identity = message.line().identity().ok_or(Code::UNAUTHORISED)?;
            Ok(message.answer(&identity.name).await?)
        })
        .serve()
        .await?;

    // The client talks to who has the server's key, and to nobody else.
    let secret = read_psk(&token)?;
    let client = Client::to(server.address())
        .seal(Seal::trusting(read_public_key(&public)?))
        .credential(Credential::token("kiosk", secret.octets().as_slice()))
        .connect()
        .await?;
    let name: String = client.request("who am i", &()).await?;
    println!("{name}, sealed by {}", client.sealing().map(|sealing| sealing.suite).unwrap_or_default());

    // Who knows another key hears that it is not this server's; who does not seal hears that it must.
    let stranger = Client::to(server.address()).seal(Seal::trusting(new_key()?.public())).connect();
    for refused in [stranger.await, Client::connect(server.address()).await] {
        match refused {
            Err(Error::Closed(why)) => println!("{why}"),
            other => drop(other?),
        }
    }
    Ok(())
}
