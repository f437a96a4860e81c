use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;

use ropeway_core::{CloseCode, Connection, Event, Instant, Reason, Refused, Storage};

/// What there is to do after a turn.
#[derive(Debug, PartialEq)]
enum Turn {
    /// Nothing, before the port moves or `poll_timeout`.
    Wait,
    /// Another turn, once others had theirs.
    Again,
    /// Close the port.
    Over(Reason),
}

/// One turn on a port that does not block. `unsent` of `output` is what the port has not taken yet.
fn turn<S: Storage>(
    line: &mut Connection<S>,
    now: Instant,
    port: &mut (impl Read + Write),
    (input, held): (&mut [u8], &mut usize),
    (output, unsent): (&mut [u8], &mut Range<usize>),
    hear: &mut impl FnMut(&mut Connection<S>, Instant, &Event<&[u8]>) -> Result<(), Refused>,
) -> io::Result<Turn> {
    // 1. What time brings.
    while let Some(event) = line.handle_timeout(now) {
        let _ = hear(line, now, &event);
    }
    // No more than so much in a turn: a peer may be faster than you, and time goes on.
    for _ in 0..16 {
        // 2. What goes out. What the port does not take is kept: the machine has forgotten it.
        loop {
            if Range::is_empty(unsent) {
                *unsent = 0..line.poll_transmit(now, output);
            }
            if Range::is_empty(unsent) {
                break;
            }
            match port.write(&output[unsent.clone()]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => unsent.start += len,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if let Some(reason) = line.closed().filter(|_| Range::is_empty(unsent)) {
            return Ok(Turn::Over(reason));
        }
        // 3. What comes in, no more of it than is needed. If that is there already, it is of a record that had several frames.
        let want = line.needs().min(input.len());
        if *held < want {
            match port.read(&mut input[*held..want]) {
                // Who says no more may still take the goodbye.
                Ok(0) if line.ending().is_some() && !Range::is_empty(unsent) => return Ok(Turn::Wait),
                Ok(0) => {
                    line.handle_eof();
                    return Ok(line.closed().map_or(Turn::Again, Turn::Over));
                }
                Ok(len) => *held += len,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Turn::Wait),
                Err(error) => return Err(error),
            }
        }
        match line.handle_input(now, &mut input[..*held]) {
            Ok(step) => {
                if let Some(event) = &step.event {
                    // 4. What the application does about it.
                    if hear(line, now, event).is_err() {
                        line.close(CloseCode::INTERNAL, "");
                    }
                    line.take(event);
                }
                let consumed = step.consumed;
                input.copy_within(consumed..*held, 0);
                *held -= consumed;
                // A peer whose hello is longer than the input.
                if consumed == 0 && *held == input.len() {
                    line.handle_eof();
                    return Ok(line.closed().map_or(Turn::Again, Turn::Over));
                }
            }
            // The peer's fault. Its code is in the goodbye that is due now.
            Err(_) => *held = 0,
        }
    }
    Ok(Turn::Again)
}
