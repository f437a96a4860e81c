//! What a computer has in place of a serial port and a timer: tokio's.

use std::io;
use std::time::Duration;

use embedded_hal_async::delay::DelayNs;
use embedded_io_adapters::tokio_1::FromTokio;
use ropeway_core::{Code, Config, Connection, Flow, Instant, Lane, Memory, Reason, Storage};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::device;

/// What a device has room for. Its line is plain.
pub(crate) const MEMORY: Memory<[Lane; 1], [Flow; 1], [u8; 256]> = Memory::EMPTY;

/// The device at one end of a stream of tokio's.
pub(crate) async fn run(
    memory: impl Storage,
    port: impl AsyncRead + AsyncWrite + Unpin,
    keep: impl FnMut(u64, &[u8]) -> Result<(), Code>,
) -> io::Result<Reason> {
    let epoch = tokio::time::Instant::now();
    let now = || Instant::from_micros(epoch.elapsed().as_micros() as u64);
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy)?;
    let (from, to) = tokio::io::split(port);
    let mut line = Connection::client(now(), Config::SMALL, entropy, memory);
    device::run((&mut line, keep), (FromTokio::new(from), FromTokio::new(to)), (now, Timer)).await
}

/// Waits by tokio's clock.
pub(crate) struct Timer;

impl DelayNs for Timer {
    async fn delay_ns(&mut self, ns: u32) {
        tokio::time::sleep(Duration::from_nanos(ns.into())).await;
    }

    async fn delay_us(&mut self, us: u32) {
        tokio::time::sleep(Duration::from_micros(us.into())).await;
    }
}
