//! Asks a server for echoes.

use std::io;
use std::net::SocketAddr;
use std::time;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use ropeway_core::{Action, CloseCode, Code, Connection, Event, Instant, LaneId};
use ropeway_core::{Memory, Reason, Refused, Send, Table};

use crate::line::{CONFIG, Hear, LANES, Line, Machine, Turn, fits};

/// The answers to some texts, in the order in which they came.
pub(crate) fn ask(address: SocketAddr, texts: &[String]) -> io::Result<Vec<String>> {
    let epoch = time::Instant::now();
    let now = || Instant::from_micros(epoch.elapsed().as_micros() as u64);
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy)?;
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(16);
    let mut socket = TcpStream::connect(address)?;
    poll.registry().register(&mut socket, Token(0), Interest::READABLE | Interest::WRITABLE)?;
    let machine = Connection::client(now(), CONFIG, entropy, Memory::EMPTY);
    let mut line = Line::new(socket, machine, Asking { texts, ..Asking::default() });
    let mut again = false;
    loop {
        let wait = if again { Some(time::Duration::ZERO) } else { line.deadline().map(|at| at.since(now())) };
        match poll.poll(&mut events, wait) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        // Before it is connected, there is nothing to read or write.
        line.socket.take_error()?.map_or(Ok(()), Err)?;
        match line.turn(now()) {
            Turn::Over(Reason::ByUs(CloseCode::DONE)) => return Ok(line.app.answers),
            Turn::Over(reason) => return Err(io::Error::other(reason.to_string())),
            turn => again = turn == Turn::Again,
        }
    }
}

/// What is still to be asked, and what was answered.
#[derive(Default)]
pub(crate) struct Asking<'a> {
    pub(crate) texts: &'a [String],
    /// The index of the action.
    echo: u16,
    pub(crate) answers: Vec<String>,
    /// Of each lane, the answer that is coming in pieces.
    parts: [Vec<u8>; LANES],
}

impl Asking<'_> {
    fn part(&mut self, lane: LaneId, bytes: &[u8], is_last: bool) {
        let part = &mut self.parts[usize::from(lane.number())];
        part.extend_from_slice(bytes);
        if is_last {
            self.answers.push(String::from_utf8_lossy(&std::mem::take(part)).into_owned());
        }
    }

    fn end(&mut self, lane: LaneId, why: String) {
        self.parts[usize::from(lane.number())].clear();
        self.answers.push(why);
    }
}

impl Hear for Asking<'_> {
    fn hear(&mut self, machine: &mut Machine, _: Instant, event: &Event<&[u8]>) {
        match event {
            // Without a name, to ask will be refused.
            Event::Ready(_) => self.echo = machine.define(Table::Actions, "echo", None).unwrap_or_default(),
            Event::Response(said) => self.part(said.lane, said.body.bytes, said.body.bytes.len() as u64 == said.size),
            Event::Piece { lane, bytes, last } => self.part(*lane, bytes, *last),
            Event::Code { lane, code } | Event::Aborted { lane, code } => self.end(*lane, code.to_string()),
            Event::Expired { lane } => self.end(*lane, "no answer in time".into()),
            _ => {}
        }
    }

    /// Asks as much as there are lanes and room for.
    fn say(&mut self, machine: &mut Machine, now: Instant) {
        while let [text, rest @ ..] = self.texts {
            let request = Send::text(Action::Name(self.echo), text);
            match fits(machine, text.as_bytes()).then(|| machine.request(now, &request)) {
                Some(Ok(_)) => {}
                None | Some(Err(Refused::TooLarge(_))) => self.answers.push(Code::TOO_LARGE.to_string()),
                Some(Err(Refused::Later(_))) => return,
                Some(Err(refused)) => return machine.close(CloseCode::INTERNAL, &refused.to_string()),
            }
            self.texts = rest;
        }
        if machine.lanes().0 == 0 {
            machine.close(CloseCode::DONE, "");
        }
    }
}
