//! Ropeway on tokio: messages, requests, streams and files between two programs.
//!
//! ```
//! use ropeway_tokio::{Client, Error, Server};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Error> {
//! let server = Server::bind("tcp://127.0.0.1:0").on("echo", |text: String| async move { Ok(text) }).serve().await?;
//! let client = Client::connect(server.address()).await?;
//! let text: String = client.request("echo", "Atreyuuuu!").await?;
//! assert_eq!(text, "Atreyuuuu!");
//! # Ok(())
//! # }
//! ```
//!
//! A line runs over any stream that is connected already, too; tokio's become one by [`TokioIo`]:
//!
//! ```
//! use ropeway_tokio::{Client, Error, Server, TokioIo};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Error> {
//! let server = Server::bind("mem://").on("echo", |text: String| async move { Ok(text) }).serve().await?;
//! let (near, far) = tokio::io::duplex(64 * 1024);
//! server.serve_stream(TokioIo(far)).await;
//! let client = Client::over(TokioIo(near)).connect().await?;
//! assert_eq!(client.request::<_, String>("echo", "Atreyuuuu!").await?, "Atreyuuuu!");
//! # Ok(())
//! # }
//! ```
//!
//! Everything but the sockets, the clock and the tasks is in [`ropeway_driver`], the same for every runtime.

#![forbid(unsafe_code)]

mod net;
mod runtime;

pub use net::{Listener, Socket};
pub use ropeway_driver::*;
pub use runtime::Tokio;

/// A line that this end opens.
pub type Client = ropeway_driver::Client<Tokio>;
/// Listens, and serves every line that comes.
pub type Server = ropeway_driver::Server<Tokio>;
/// Servers on paths of an HTTP server, such as axum's.
#[cfg(feature = "mount")]
pub type Mounts = ropeway_driver::Mounts<Tokio>;
