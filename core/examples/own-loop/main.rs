//! A server and a client without a runtime: the machine in a loop around mio's poll.
//!
//! ```sh
//! cargo run -p ropeway-core --example own-loop -- serve 127.0.0.1:7000
//! cargo run -p ropeway-core --example own-loop -- ask 127.0.0.1:7000 hello there
//! ```

mod client;
mod line;
mod server;

use std::error::Error;
use std::io::{Write, stdin, stdout};
use std::net::SocketAddr;
use std::thread;

use server::Server;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (verb, address) = (args.next(), args.next());
    let address: SocketAddr = address.as_deref().unwrap_or("127.0.0.1:7000").parse()?;
    match verb.as_deref() {
        Some("serve") => {
            let (server, stop) = Server::bind(address)?;
            writeln!(stdout(), "listening on {}; Enter ends it", server.address())?;
            thread::spawn(move || stdin().read_line(&mut String::new()).and_then(|_| stop()));
            server.run(stdout())?;
        }
        Some("ask") => {
            let texts: Vec<String> = args.collect();
            for answer in client::ask(address, &texts)? {
                writeln!(stdout(), "{answer}")?;
            }
        }
        _ => return Err("serve ADDRESS, or ask ADDRESS TEXT...".into()),
    }
    Ok(())
}
