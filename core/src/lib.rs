//! Ropeway's protocol as a pure state machine: bytes and time go in, bytes and events come out.
//!
//! It opens no socket, reads no clock, throws no dice and allocates nothing. What to read next:
//! [`Connection`], then [`Event`], then [`Memory`] and [`Config`].
//!
//! # The contract
//!
//! - **Four kinds of method.** `handle_*`: the world tells the machine. Verbs (`notify`, `respond`, `data`): the
//!   application tells it. `poll_*`: it tells the world. Nouns (`stats`, `peer`): how things stand.
//! - **You own the buffers.** [`handle_input`](Connection::handle_input) takes one frame from the start of your buffer and
//!   gives at most one event that borrows from it. `consumed: 0` means: come back with more bytes.
//! - **You own the memory.** [`Memory`] holds slots for exchanges and flows, and octets for what waits to be sent. Their
//!   lengths are the limits that the peer is told.
//! - **Time and entropy are arguments.** The same inputs give the same bytes.
//! - **Say what you have taken.** [`take`](Connection::take) gives the peer back the credit that an event used up.
//! - **Reading never waits for writing.** What the peer provokes waits in the slot it concerns; nothing piles up.
//! - **Errors say who erred.** [`PeerError`] is fatal; [`Refused`] means that nothing changed.
//!
//! # A running loop
//!
//! ```
//! use ropeway_core::{Action, Config, Connection, Event, Flow, Instant, Lane, Memory, Respond, Send};
//!
//! const MEMORY: Memory<[Lane; 2], [Flow; 1], [u8; 1024]> = Memory::EMPTY;
//!
//! let now = Instant::ZERO;
//! let mut client = Connection::client(now, Config::SMALL, [1; 32], MEMORY);
//! let mut server = Connection::server(now, Config::SMALL, [2; 32], MEMORY);
//! let mut wire = [0; 512];
//! let (mut ready, mut answer) = (false, None);
//!
//! // Each turn moves what the client has to say to the server, and back.
//! for _ in 0..4 {
//!     let mut len = client.poll_transmit(now, &mut wire);
//!     while len > 0 {
//!         let step = server.handle_input(now, &mut wire[..len])?;
//!         if let Some(Event::Message(message)) = step.event {
//!             assert_eq!(message.body.bytes, b"ping");
//!             server.respond(message.lane.unwrap(), &Respond::text("pong"))?;
//!         }
//!         if let Some(event) = &step.event {
//!             server.take(event);
//!         }
//!         let consumed = step.consumed;
//!         wire.copy_within(consumed..len, 0);
//!         len -= consumed;
//!     }
//!     let mut len = server.poll_transmit(now, &mut wire);
//!     while len > 0 {
//!         let step = client.handle_input(now, &mut wire[..len])?;
//!         match step.event {
//!             Some(Event::Ready(_)) => ready = true,
//!             Some(Event::Response(response)) => answer = Some(response.body.bytes.to_vec()),
//!             _ => {}
//!         }
//!         let consumed = step.consumed;
//!         wire.copy_within(consumed..len, 0);
//!         len -= consumed;
//!     }
//!     if std::mem::take(&mut ready) {
//!         client.request(now, &Send::text(Action::Number(7), "ping"))?;
//!     }
//! }
//! assert_eq!(answer.as_deref(), Some(&b"pong"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

#[cfg(test)]
extern crate std;

mod auth;
mod config;
mod connection;
mod error;
mod event;
mod flow;
mod id;
mod lane;
mod liveness;
mod memory;
mod outbox;
mod pool;
mod reassembly;
#[cfg(feature = "seal")]
pub mod seal;
mod sealing;
mod stats;
#[cfg(test)]
mod testing;
mod time;
mod window;
pub mod wire;

pub use auth::{AuthRules, Credential};
pub use config::Config;
pub use connection::{Accept, BULK, Connection, Offer, Respond, Send, Sent, Step};
pub use error::{CloseCode, Foreign, Limit, PeerError, Reason, Refused, Until};
pub use event::{Answer, Event, Message, Ready, Room};
pub use flow::Flow;
pub use id::{Action, Code, FlowId, LaneId, MessageId, Side};
pub use lane::Lane;
pub use memory::{Memory, Parts, Sealed, Slots, Space, Storage};
pub use reassembly::{Gap, Reassembly};
pub use sealing::Sealing;
pub use stats::{Dropped, Stats, Traffic};
pub use time::Instant;
pub use wire::hello::{CHARGE, Field, Limits, MAGIC, VERSION};
pub use wire::seal::SEALED_BY;
pub use wire::{Body, Kind, Table};
