//! Two machines exchange a request in a program that has neither std nor an allocator.
//!
//! That it links is the proof: with std there would be two panic handlers, with `alloc` no global allocator. That it
//! exits with 0 shows that it also runs.

#![no_std]
#![no_main]

use ropeway_core::{Action, Config, Connection, Event, Flow, Instant, Lane, Memory, Respond, Send};

type Machine = Connection<Memory<[Lane; 2], [Flow; 1], [u8; 1024]>>;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

// For its start-up code and memcpy; a device brings its own.
#[link(name = "c")]
unsafe extern "C" {}

// The C library's entry point, so that nothing of Rust's runtime is needed.
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    let now = Instant::ZERO;
    let mut client = Connection::client(now, Config::SMALL, [1; 32], Memory::EMPTY);
    let mut server = Connection::server(now, Config::SMALL, [2; 32], Memory::EMPTY);
    let mut asked = false;
    for _ in 0..8 {
        if client.is_ready() && !asked {
            asked = client.request(now, &Send::text(Action::Number(1), "ping")).is_ok();
        }
        carry(&mut client, &mut server);
        if carry(&mut server, &mut client) {
            return 0;
        }
    }
    1
}

/// Moves what `from` has to say to `to`; whether the answer was among it.
fn carry(from: &mut Machine, to: &mut Machine) -> bool {
    let now = Instant::ZERO;
    let mut wire = [0; 512];
    let mut answered = false;
    let mut end = from.poll_transmit(now, &mut wire);
    let mut start = 0;
    while start < end {
        let Some(input) = wire.get_mut(start..end) else { return false };
        let Ok(step) = to.handle_input(now, input) else { return false };
        let lane = match step.event {
            Some(Event::Message(message)) => message.lane,
            Some(Event::Response(response)) => {
                answered = response.body.bytes == b"pong";
                None
            }
            _ => None,
        };
        start += step.consumed;
        if step.consumed == 0 {
            end = 0;
        }
        if let Some(lane) = lane {
            to.take_message(4);
            let _ = to.respond(lane, &Respond::text("pong"));
        }
    }
    answered
}
