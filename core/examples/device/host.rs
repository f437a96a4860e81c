//! What a computer has in place of a serial port and a timer: tokio's.

use std::io;
use std::time::Duration;

use embedded_hal_async::delay::DelayNs;
use embedded_io_adapters::tokio_1::FromTokio;
use ropeway_core::{Code, Instant, Reason};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::device;

/// The device at one end of a stream of tokio's.
pub(crate) async fn run(
    port: impl AsyncRead + AsyncWrite + Unpin,
    keep: impl FnMut(u64, &[u8]) -> Result<(), Code>,
) -> io::Result<Reason> {
    let epoch = tokio::time::Instant::now();
    let now = || Instant::from_micros(epoch.elapsed().as_micros() as u64);
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy)?;
    let (from, to) = tokio::io::split(port);
    device::run((FromTokio::new(from), FromTokio::new(to)), (now, Timer), (entropy, keep)).await
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
