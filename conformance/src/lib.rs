//! The shared conformance suite of Ropeway: scenarios, hostile I/O, vectors.
//!
//! A [`scenario`](scenarios) is written once, over a [`World`]: a binding's tasks and sockets, a transport, and time that
//! stands still until it is moved. A binding runs them all, each over each transport, as a test target without a harness
//! that holds one line: [`suite!`].
//!
//! Three rules keep a lost wake-up from hiding: each side of a scenario is a task of its own, no timer goes off by
//! itself, and a [`watchdog`] ends the process when a scenario hangs.

#![deny(unsafe_code)]

mod binding;
mod block_on;
pub mod certificates;
pub mod heap;
mod lab;
pub mod ledger;
pub mod scenarios;
mod tapes;
mod time;
mod transport;
pub mod watchdog;
pub mod weather;
mod world;

pub use binding::{Binding, record, run};
pub use block_on::block_on;
pub use lab::{Duplex, Lab, LabClock, LabListener, Stream};
pub use time::{Clock, Time};
pub use transport::{Layer, Sky, Transport};
pub use world::{Side, World, patient, tight};
