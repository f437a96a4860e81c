//! Ropeway on smol: messages, requests, streams and files between two programs.
//!
//! ```
//! use ropeway_smol::{Client, Error, Server};
//!
//! # fn main() -> Result<(), Error> {
//! smol::block_on(async {
//!     let server = Server::bind("tcp://127.0.0.1:0").on("echo", |text: String| async move { Ok(text) }).serve().await?;
//!     let client = Client::connect(server.address()).await?;
//!     let text: String = client.request("echo", "Atreyuuuu!").await?;
//!     assert_eq!(text, "Atreyuuuu!");
//!     Ok(())
//! })
//! # }
//! ```
//!
//! What runs in the background does so on smol's global executor, which has one thread unless `SMOL_THREADS` says otherwise.
//! A program that ends does not end its tasks: [`close`](Line::close) a line whose last word matters.
//!
//! Everything but the tasks is in [`ropeway_driver`], the same for every runtime.

#![forbid(unsafe_code)]

mod runtime;

pub use ropeway_driver::reactor::{Listener, Socket};
pub use ropeway_driver::*;
pub use runtime::Smol;

/// A line that this end opens.
pub type Client = ropeway_driver::Client<Smol>;
/// Listens, and serves every line that comes.
pub type Server = ropeway_driver::Server<Smol>;
