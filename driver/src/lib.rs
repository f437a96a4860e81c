//! The loop and the handles of Ropeway, once, for every runtime.
//!
//! A program uses a binding (`ropeway-tokio` and its like), which re-exports all of this; what a binding must supply is
//! in [`runtime`](Runtime).

#![forbid(unsafe_code)]

mod action;
mod address;
mod body;
mod client;
mod codec;
mod config;
mod depth;
mod driver;
mod error;
mod exchange;
mod file;
mod flow;
mod label;
mod line;
mod memory;
mod message;
mod messages;
mod router;
mod runtime;
mod scratch;
mod server;
mod serving;
mod shape;
mod slab;
mod state;
mod stream;
mod unwind;
mod waiters;

pub use action::{Action, To};
pub use address::{Address, AddressError, IntoAddress};
pub use body::{Body, BodyKind};
pub use client::{Client, ClientBuilder};
pub use config::Config;
pub use driver::Driver;
pub use error::{BodyError, Ended, Error, Failure};
pub use exchange::{Exchange, Open, Reply};
pub use file::{
    Download, Existing, FileError, FileReader, IntoSource, NameError, Offered, Progress, ProgressStream, SafeName,
    Save, Source, Target, Upload, Uploading, printable,
};
pub use futures_io;
pub use line::Line;
pub use message::{Message, Responding};
pub use messages::Messages;
pub use ropeway_core as core;
pub use ropeway_core::{CloseCode, Code, Limits, MessageId, Reason, Stats};
pub use router::Router;
pub use runtime::{Clock, Endpoint, Endpoints, Runtime, SocketOptions, Spawn};
pub use server::{Server, ServerBuilder, Shutdown};
pub use stream::{StreamReader, StreamWriter};

/// Thirty-two octets that nobody can guess.
fn entropy() -> std::io::Result<[u8; 32]> {
    let mut octets = [0; 32];
    getrandom::fill(&mut octets).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(octets)
}
