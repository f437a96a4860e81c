//! The shared conformance suite of Ropeway: scenarios, hostile I/O, vectors.

#![deny(unsafe_code)]

mod block_on;
pub mod heap;
pub mod watchdog;
pub mod weather;

pub use block_on::block_on;
