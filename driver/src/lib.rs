//! The loop and the handles of Ropeway, once, for every runtime.
//!
//! A program uses a binding (`ropeway-tokio` and its like), which re-exports all of this. What a binding must supply is
//! [`Runtime`].
//!
//! What the handles are, and what becomes of each when it is dropped, is told at [`Line`].
//!
//! Either end of a line may do all of it: a client has handlers by [`ClientBuilder::on`], and a server asks its clients by
//! their lines. Settings are fields of [`Config`]: `let mut config = Config::DEFAULT; config.lanes = 64;`.
//!
//! What lies between two ends is said by an [`Address`]; a stream that is connected already is a line by [`Client::over`] and
//! [`Server::serve_stream`]. With the feature `mount`, `Mounts` puts servers on paths of an HTTP server that is there already.
//!
//! With the feature `seal`, lines are encrypted and authenticated by keys of their own, over any transport: see `Seal`,
//! `ServerBuilder::authenticate` and `ClientBuilder::credential`.
//!
//! Bodies are text, [`Bytes`](bytes::Bytes), or any serde value; values travel in postcard's format, under the name of
//! their type and with a number made of their shape, so that a type that differs is an error and not nonsense. What can
//! travel so, and what can't, is said at [`ToBody`] and [`FromBody`].
//! A [`Body`] that came is sent on as it is.
//!
//! Handlers fail with a [`Failure`], which their peer is told; `?` makes one of every error here and, by a `From`, of yours.

#![forbid(unsafe_code)]

mod action;
mod address;
mod blocking;
mod body;
mod builder;
mod chunked;
mod client;
mod codec;
mod config;
mod decode;
mod driver;
mod encode;
mod error;
mod exchange;
mod file;
mod flow;
mod here;
mod label;
mod line;
mod machine;
mod memory;
mod message;
mod messages;
mod options;
#[cfg(feature = "async-io")]
pub mod reactor;
mod recycled;
mod router;
mod runtime;
mod scratch;
#[cfg(feature = "seal")]
pub mod seal;
mod server;
mod serving;
mod shape;
mod slab;
pub mod socket;
mod start;
mod state;
mod stream;
#[cfg(feature = "tokio")]
mod tokio_io;
pub mod trace;
pub mod transport;
mod types;
mod unwind;
mod verdict;
mod waiters;
mod waiting;

pub use action::{Action, ActionError, To};
pub use address::{Address, AddressError, IntoAddress};
pub use body::{Body, BodyKind, FromBody, ToBody};
pub use client::{Client, ClientBuilder};
pub use config::Config;
pub use driver::Driver;
pub use error::{BodyError, Ended, Error, Failure};
pub use exchange::{Exchange, Open, Reply};
pub use file::{
    Download, Existing, FileError, FileReader, NameError, Offered, Progress, ProgressStream, SafeName, Save, Source,
    Target, Upload, Uploading, printable,
};
pub use futures_io;
#[cfg(feature = "tls")]
pub use futures_rustls::rustls;
pub use line::{Line, Role};
pub use message::{Message, Responding};
pub use messages::Messages;
pub use options::LineOptions;
pub use ropeway_core as protocol;
pub use ropeway_core::{CloseCode, Code, Limits, MessageId, Reason, Stats};
pub use router::Router;
pub use runtime::{Clock, Endpoint, Endpoints, Runtime, SocketOptions, Spawn};
#[cfg(feature = "seal")]
pub use seal::{Claim, Credential, Grant, Identity, Seal, SealError};
pub use server::{Server, ServerBuilder, Shutdown};
pub use stream::{StreamReader, StreamWriter};
#[cfg(feature = "tokio")]
pub use tokio_io::TokioIo;
#[cfg(feature = "websocket")]
pub use transport::WebSocketError;
#[cfg(feature = "tls")]
pub use transport::{ClientTls, ServerTls, TlsError};
#[cfg(feature = "mount")]
pub use transport::{MountError, Mounts};

/// Thirty-two octets that nobody can guess.
fn entropy() -> std::io::Result<[u8; 32]> {
    let mut octets = [0; 32];
    getrandom::fill(&mut octets).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(octets)
}
