//! A socket and the machine that speaks over it, whichever end that is.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use mio::net::TcpStream;
use ropeway_core::{Config, Connection, Event, Flow, Instant, Lane, Memory, Reason};

/// The machine of a line, in arrays: 4 requests at once each way, no flows, and an outbox that takes an answer to each.
pub(crate) type Machine = Connection<Memory<[Lane; LANES], [Flow; 0], [u8; OUTBOX]>>;

pub(crate) const LANES: usize = 4;
const OUTBOX: usize = 8192;
/// The most octets of a message's head, or an answer's.
const HEAD: usize = 40;
const FRAME: usize = 2048;
/// Reads in one turn, before others have theirs.
const TURN: usize = 16;
/// How long the peer has to take the goodbye, with what is due before it, and to go.
const PARTING: Duration = Duration::from_secs(1);

/// Messages go in one frame.
pub(crate) const CONFIG: Config = Config {
    max_frame: FRAME as u32,
    max_message: FRAME as u64 - 64,
    window: 4 * FRAME as u64,
    lane_credit: 2 * FRAME as u64,
    flow_credit: 2 * FRAME as u64,
    ..Config::SMALL
};

/// What the program does about what happens on a line.
pub(crate) trait Hear {
    fn hear(&mut self, machine: &mut Machine, now: Instant, event: &Event<&[u8]>);

    /// What it says of its own accord: asked while the line is up, whenever that may have changed.
    fn say(&mut self, _: &mut Machine, _: Instant) {}
}

/// One line: what it holds is all that it ever takes.
pub(crate) struct Line<H> {
    pub(crate) socket: TcpStream,
    pub(crate) machine: Machine,
    pub(crate) app: H,
    /// Octets that came and are no whole frame yet.
    input: [u8; FRAME],
    held: usize,
    /// Octets that the machine gave and the socket has not taken.
    output: [u8; FRAME],
    sent: usize,
    due: usize,
    /// The line ends: until when the peer may take what is due, and go.
    parting: Option<Instant>,
    /// All is said.
    said: bool,
}

/// Where a line stands after its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It waits for the socket, or for [`Line::deadline`].
    Waits,
    /// It had its share, and there may be more.
    Again,
    /// It is over, and why.
    Over(Reason),
}

impl<H: Hear> Line<H> {
    pub(crate) fn new(socket: TcpStream, machine: Machine, app: H) -> Line<H> {
        let (input, output) = ([0; FRAME], [0; FRAME]);
        Line { socket, machine, app, input, held: 0, output, sent: 0, due: 0, parting: None, said: false }
    }

    /// When the next turn is due, whatever the socket does.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.parting.or_else(|| self.machine.poll_timeout())
    }

    /// Moves what can be moved now. The poll tells of changes only, so both directions go on until they would block.
    pub(crate) fn turn(&mut self, now: Instant) -> Turn {
        while let Some(event) = self.machine.handle_timeout(now) {
            self.app.hear(&mut self.machine, now, &event);
        }
        for _ in 0..TURN {
            if self.machine.is_ready() {
                self.app.say(&mut self.machine, now);
            }
            let wrote = self.write(now);
            // A socket that fails is an end of the transport like any other.
            let read = wrote.and_then(|()| self.socket.read(&mut self.input[self.held..]));
            match read {
                // Who says no more may still take the goodbye.
                Ok(0) if self.parting.is_some() && self.sent < self.due => {
                    return self.over(now).map_or(Turn::Waits, Turn::Over);
                }
                Ok(0) => self.end(now),
                Ok(len) => self.take(now, len),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if would_block(&error) => return self.over(now).map_or(Turn::Waits, Turn::Over),
                Err(_) => self.end(now),
            }
            if let Some(reason) = self.over(now) {
                return Turn::Over(reason);
            }
        }
        Turn::Again
    }

    /// Feeds what came to the machine, frame by frame.
    fn take(&mut self, now: Instant, len: usize) {
        self.held += len;
        let mut taken = 0;
        loop {
            // An error is the peer's. Its code goes out with the goodbye, and what else comes is consumed unseen.
            let Ok(step) = self.machine.handle_input(now, &mut self.input[taken..self.held]) else { continue };
            if let Some(event) = &step.event {
                self.app.hear(&mut self.machine, now, event);
                self.machine.take(event);
            }
            taken += step.consumed;
            if step.consumed == 0 || taken == self.held {
                break;
            }
        }
        self.input.copy_within(taken..self.held, 0);
        self.held -= taken;
    }

    /// Writes until nothing is due or the socket takes no more.
    fn write(&mut self, now: Instant) -> io::Result<()> {
        loop {
            if self.sent == self.due {
                (self.sent, self.due) = (0, self.machine.poll_transmit(now, &mut self.output));
            }
            if self.due == 0 {
                break;
            }
            match self.socket.write(&self.output[self.sent..self.due]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => self.sent += len,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if would_block(&error) => break,
                Err(error) => return Err(error),
            }
        }
        if self.machine.ending().is_some() {
            self.parting.get_or_insert(now.after(PARTING));
        }
        if self.machine.closed().is_some() && self.sent == self.due && !self.said {
            // Closed with octets unread, a socket would take the goodbye back. So the peer goes first.
            self.said = true;
            self.socket.shutdown(Shutdown::Write)?;
        }
        Ok(())
    }

    /// Nothing more comes, and nothing more goes.
    fn end(&mut self, now: Instant) {
        if let Some(event) = self.machine.handle_eof() {
            self.app.hear(&mut self.machine, now, &event);
        }
        (self.sent, self.due) = (0, 0);
        self.parting = Some(now);
    }

    /// Why the line is over, once the peer had its time to part.
    fn over(&self, now: Instant) -> Option<Reason> {
        self.machine.ending().filter(|_| self.parting.is_some_and(|until| until <= now))
    }
}

/// Whether a body goes in one frame. Of one that does not, the rest would have to be kept until it is said.
pub(crate) fn fits(machine: &Machine, body: &[u8]) -> bool {
    body.len() + HEAD <= machine.largest()
}

/// Not now: nothing has come, there is no room, or it is still being connected.
fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected)
}
