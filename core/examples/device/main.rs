//! The device on a computer, which asks a server that has a file `image.bin`:
//!
//! ```sh
//! ropeway serve tcp://127.0.0.1:7000 --dir FOLDER
//! cargo run -p ropeway-core --example device -- 127.0.0.1:7000
//! ```

mod device;
mod host;

use std::io;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).ok_or(io::Error::other("where to? HOST:PORT"))?;
    let port = tokio::net::TcpStream::connect(address).await?;
    let show = |offset, bytes: &[u8]| {
        println!("{} octets at {offset}", bytes.len());
        Ok(())
    };
    let ended = host::run(host::MEMORY, port, show).await?;
    println!("{ended}");
    Ok(())
}
