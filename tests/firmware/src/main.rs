//! The example of a device on a microcontroller: a Cortex-M4 with one serial port, and nothing else.
//!
//! It exits, by semihosting, once it has the file and the file is right. Whatever else ends a line, it opens the next when the
//! port is silent.

#![no_std]
#![no_main]

#[path = "../../../core/examples/device/device.rs"]
mod device;
mod executor;
mod hardware;
mod line;

use core::pin::pin;

use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{EXIT_FAILURE, EXIT_SUCCESS, exit};
use cortex_m_semihosting::hio;
use embassy_futures::select::{Either, select};
use embedded_hal_async::delay::DelayNs;
use embedded_io_async::Read;
use ropeway_core::{CloseCode, Reason};

use crate::executor::block_on;
use crate::hardware::{Receiver, Timer, Transmitter, now};

/// Longer than a peer pauses within what it says.
const SILENCE_MILLIS: u32 = 100;
/// Octets of the file.
const SIZE: u64 = 64 * 1024;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(EXIT_FAILURE);
    loop {}
}

#[entry]
fn main() -> ! {
    hardware::start();
    loop {
        let mut right = 0;
        let keep = |offset: u64, bytes: &[u8]| {
            let expected = (offset..).map(|at| (at >> 8) as u8 ^ at as u8);
            right += bytes.iter().zip(expected).filter(|(byte, expected)| **byte == *expected).count() as u64;
            Ok(())
        };
        let mut line = line::open();
        let Ok(reason) = block_on(pin!(device::run((&mut line, keep), (Receiver, Transmitter), (now, Timer))));
        if reason == Reason::ByUs(CloseCode::DONE) && right == SIZE {
            report(hardware::stack());
            exit(EXIT_SUCCESS);
        }
        block_on(pin!(silence()));
    }
}

/// Until nothing comes any more: what does is of the line that has ended, for a serial port has no end to tell.
async fn silence() {
    while let Either::First(_) = select(Receiver.read(&mut [0; 16]), Timer.delay_ms(SILENCE_MILLIS)).await {}
}

/// Prints the octets of stack, without the kilobytes that formatting takes.
fn report(stack: usize) {
    let digits = [10_000, 1000, 100, 10, 1].map(|place| b'0' + (stack / place % 10) as u8);
    if let Ok(mut out) = hio::hstdout() {
        let _ = out.write_all(b"stack ").and_then(|()| out.write_all(&digits));
    }
}
