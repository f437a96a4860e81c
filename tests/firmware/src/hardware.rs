//! The serial port, the time and the stack of the board mps2-an386: all there is of hardware, and of `unsafe`.
//!
//! Interrupts stay masked. One that is pending ends the processor's sleep all the same, and no handler runs.

use core::convert::Infallible;
use core::future::poll_fn;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Poll;
use core::time::Duration;

use cortex_m::Peripherals;
use cortex_m::peripheral::SCB;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::STACK_PAINT_VALUE;
use embedded_hal_async::delay::DelayNs;
use embedded_io_async::{ErrorType, Read, Write};
use ropeway_core::Instant;

/// UART0, of the CMSDK.
const DATA: Register = Register(0x4000_4000);
const STATE: Register = Register(0x4000_4004);
const CONTROL: Register = Register(0x4000_4008);
const INTERRUPTS: Register = Register(0x4000_400c);
const DIVIDER: Register = Register(0x4000_4010);
/// Of interrupts 0 to 31: which end a sleep, and which are no longer pending.
const SET_ENABLE: Register = Register(0xe000_e100);
const CLEAR_PENDING: Register = Register(0xe000_e280);

const IS_FULL: u32 = 0b01;
const HAS_COME: u32 = 0b10;
/// Both directions of the port, and an interrupt of each.
const BOTH: u32 = 0b1111;
/// Those interrupts' bits among all.
const OF_PORT: u32 = 0b11;
/// The lowest that the port takes.
const FASTEST: u32 = 16;

/// Cycles of the processor in a tick, at 25 MHz.
const TICK: u32 = 250_000;
const TICK_MILLIS: u32 = 10;
/// Since the start. Wraps after more than a year.
static TICKS: AtomicU32 = AtomicU32::new(0);

unsafe extern "C" {
    fn DefaultHandler();
}

/// What of the table of vectors is the board's: the two interrupts of the port.
// SAFETY: each is a handler that exists, and it is never called.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".vector_table.interrupts")]
static __INTERRUPTS: [unsafe extern "C" fn(); 2] = [DefaultHandler; 2];

/// Sets up the port and the time.
pub(crate) fn start() {
    cortex_m::interrupt::disable();
    DIVIDER.write(FASTEST);
    CONTROL.write(BOTH);
    SET_ENABLE.write(OF_PORT);
    // It is there once, and this is called once.
    let Some(Peripherals { SYST: mut timer, .. }) = Peripherals::take() else { return };
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(TICK - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

/// Sleeps until the port or the time has moved.
pub(crate) fn sleep() {
    cortex_m::asm::wfi();
    // In this order, or what comes in between would not end the next sleep.
    INTERRUPTS.write(BOTH);
    CLEAR_PENDING.write(OF_PORT);
    if SCB::is_pendst_pending() {
        SCB::clear_pendst();
        TICKS.store(TICKS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}

pub(crate) fn now() -> Instant {
    Instant::from_millis(u64::from(TICKS.load(Ordering::Relaxed)) * u64::from(TICK_MILLIS))
}

/// Waits by ticks.
pub(crate) struct Timer;

impl DelayNs for Timer {
    async fn delay_ns(&mut self, ns: u32) {
        self.delay_ms(ns.div_ceil(1_000_000)).await;
    }

    async fn delay_us(&mut self, us: u32) {
        self.delay_ms(us.div_ceil(1000)).await;
    }

    async fn delay_ms(&mut self, ms: u32) {
        let at = now().after(Duration::from_millis(u64::from(ms)));
        poll_fn(|_| if now() >= at { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

/// What comes in over the port. Nothing is lost of a read that is dropped: it takes octets when it is ready.
pub(crate) struct Receiver;
/// What goes out; likewise.
pub(crate) struct Transmitter;

impl ErrorType for Receiver {
    type Error = Infallible;
}

impl ErrorType for Transmitter {
    type Error = Infallible;
}

impl Read for Receiver {
    async fn read(&mut self, out: &mut [u8]) -> Result<usize, Infallible> {
        let take = |out: &mut [u8]| {
            let has_come = |_: &&mut u8| STATE.read() & HAS_COME != 0;
            out.iter_mut().take_while(has_come).map(|octet| *octet = DATA.read() as u8).count()
        };
        poll_fn(|_| match take(out) {
            0 if !out.is_empty() => Poll::Pending,
            len => Poll::Ready(Ok(len)),
        })
        .await
    }
}

impl Write for Transmitter {
    async fn write(&mut self, octets: &[u8]) -> Result<usize, Infallible> {
        let give = || {
            let has_room = |_: &&u8| STATE.read() & IS_FULL == 0;
            octets.iter().take_while(has_room).map(|octet| DATA.write(u32::from(*octet))).count()
        };
        poll_fn(|_| match give() {
            0 if !octets.is_empty() => Poll::Pending,
            len => Poll::Ready(Ok(len)),
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        poll_fn(|_| if STATE.read() & IS_FULL == 0 { Poll::Ready(Ok(())) } else { Poll::Pending }).await
    }
}

/// How many octets of the stack were ever used.
pub(crate) fn stack() -> usize {
    unsafe extern "C" {
        static _stack_end: u32;
        static _stack_start: u32;
    }
    let (mut at, top) = (&raw const _stack_end, &raw const _stack_start);
    // SAFETY: all that lies between is the stack's, and was painted at the start.
    while at < top && unsafe { at.read_volatile() } == STACK_PAINT_VALUE {
        at = at.wrapping_add(1);
    }
    top as usize - at as usize
}

/// The address of a register of 32 bits. The constants above are all there are.
#[derive(Clone, Copy)]
struct Register(usize);

impl Register {
    fn read(self) -> u32 {
        // SAFETY: at each of these addresses the board has a register.
        unsafe { (self.0 as *const u32).read_volatile() }
    }

    fn write(self, value: u32) {
        // SAFETY: as above; none of them changes what memory holds.
        unsafe { (self.0 as *mut u32).write_volatile(value) }
    }
}
