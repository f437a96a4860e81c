//! Ropeway on async-std: messages, requests, streams and files between two programs.
//!
//! ```
//! use ropeway_async_std::{Client, Error, Server};
//!
//! # #[async_std::main]
//! # async fn main() -> Result<(), Error> {
//! let server = Server::bind("tcp://127.0.0.1:0").on("echo", |text: String| async move { Ok(text) }).serve().await?;
//! let client = Client::connect(server.address()).await?;
//! let text: String = client.request("echo", "Atreyuuuu!").await?;
//! assert_eq!(text, "Atreyuuuu!");
//! # Ok(())
//! # }
//! ```
//!
//! A program that ends does not end its tasks: [`close`](Line::close) a line whose last word matters.
//!
//! Async-std is discontinued. New programs do better with `ropeway-smol`, which stands on the same reactor.
//!
//! Everything but the tasks is in [`ropeway_driver`], the same for every runtime.

#![forbid(unsafe_code)]

mod runtime;

pub use ropeway_driver::reactor::{Listener, Socket};
pub use ropeway_driver::*;
pub use runtime::AsyncStd;

/// A line that this end opens.
pub type Client = ropeway_driver::Client<AsyncStd>;
/// Listens, and serves every line that comes.
pub type Server = ropeway_driver::Server<AsyncStd>;
