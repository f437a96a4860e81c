//! Asks a server for echoes.

use std::io;
use std::net::SocketAddr;
use std::time;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use ropeway_core::{Action, CloseCode, Connection, Event, Instant, Memory, Reason, Send, Table};

use crate::line::{CONFIG, Hear, Line, Machine, Turn};

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
    let mut line = Line::new(socket, machine, Asking { texts, echo: 0, answers: Vec::new() });
    let mut again = false;
    loop {
        let wait = line.deadline().map(|at| at.since(now())).filter(|_| !again);
        match poll.poll(&mut events, if again { Some(time::Duration::ZERO) } else { wait }) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        // Before it is connected, there is nothing to read or write.
        if let Some(error) = line.socket.take_error()? {
            return Err(error);
        }
        match line.turn(now()) {
            Turn::Over(Reason::ByUs(CloseCode::DONE)) => return Ok(line.app.answers),
            Turn::Over(reason) => return Err(io::Error::other(reason.to_string())),
            turn => again = turn == Turn::Again,
        }
    }
}

/// What is still to be asked, and what was answered.
struct Asking<'a> {
    texts: &'a [String],
    /// The index of the action.
    echo: u16,
    answers: Vec<String>,
}

impl Asking<'_> {
    /// Asks as much as there are lanes and room for. What is refused now is asked when an answer has come.
    fn ask(&mut self, machine: &mut Machine, now: Instant) {
        while let [text, rest @ ..] = self.texts {
            match machine.request(now, &Send::text(Action::Name(self.echo), text)) {
                Ok(_) => self.texts = rest,
                Err(ropeway_core::Refused::Later(_)) => return,
                Err(refused) => return machine.close(CloseCode::INTERNAL, &refused.to_string()),
            }
        }
        if machine.lanes().0 == 0 {
            machine.close(CloseCode::DONE, "");
        }
    }
}

impl Hear for Asking<'_> {
    fn hear(&mut self, machine: &mut Machine, now: Instant, event: &Event<&[u8]>) {
        match event {
            Event::Ready(_) => match machine.define(Table::Actions, "echo", None) {
                Ok(index) => self.echo = index,
                Err(refused) => machine.close(CloseCode::INTERNAL, &refused.to_string()),
            },
            Event::Response(answer) => self.answers.push(String::from_utf8_lossy(answer.body.bytes).into_owned()),
            Event::Code { code, .. } | Event::Aborted { code, .. } => self.answers.push(code.to_string()),
            Event::Expired { .. } => self.answers.push("no answer in time".into()),
            Event::Room(_) => {}
            _ => return,
        }
        self.ask(machine, now);
    }
}
