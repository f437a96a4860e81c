//! Answers echoes on many lines, whose memory comes from a pool of a fixed size.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time;

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use ropeway_core::{Action, CloseCode, Code, Connection, Event, Instant, Kind, Memory, Respond, Table};

use crate::line::{CONFIG, Hear, Line, Machine, Turn, fits};

/// Lines at once. Further ones wait in the system's queue until one of these ends.
const LINES: usize = 256;
const LISTENER: Token = Token(LINES);
const STOP: Token = Token(LINES + 1);

/// Listens, and serves every line that comes.
pub(crate) struct Server {
    poll: Poll,
    listener: TcpListener,
    stop: Arc<AtomicBool>,
    epoch: time::Instant,
    /// The pool: a line's number is its place here, and its token.
    lines: Box<[Option<Line<Echo>>]>,
    free: Vec<usize>,
    /// When lines are due, each once, as it said after its last turn.
    deadlines: BTreeSet<(Instant, usize)>,
    due: Box<[Option<Instant>]>,
    /// Lines that have more to do than one turn.
    again: BTreeSet<usize>,
}

impl Server {
    /// And what ends it from another thread, with a goodbye on all lines.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<(Server, impl Fn() -> io::Result<()> + Send)> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(address)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let (stop, waker) = (Arc::new(AtomicBool::new(false)), Waker::new(poll.registry(), STOP)?);
        let stopped = stop.clone();
        let server = Server {
            poll,
            listener,
            stop,
            epoch: time::Instant::now(),
            lines: (0..LINES).map(|_| None).collect(),
            free: (0..LINES).rev().collect(),
            deadlines: BTreeSet::new(),
            due: vec![None; LINES].into(),
            again: BTreeSet::new(),
        };
        let stop = move || {
            stopped.store(true, Ordering::Release);
            waker.wake()
        };
        Ok((server, stop))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap_or_else(|_| ([0, 0, 0, 0], 0).into())
    }

    /// Serves until it is stopped, and every line has gone. Of each that ends `log` has a line, if it takes it.
    pub(crate) fn run(mut self, mut log: impl Write) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        let mut stopped = false;
        while !stopped || self.free.len() < LINES {
            match self.poll.poll(&mut events, self.wait()) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let now = self.now();
            let mut turns = std::mem::take(&mut self.again);
            turns.extend(events.iter().map(|event| event.token().0).filter(|number| *number < LINES));
            while let Some((_, number)) = self.deadlines.first().filter(|(at, _)| *at <= now) {
                turns.insert(*number);
                self.deadlines.pop_first();
            }
            if !stopped && self.stop.load(Ordering::Acquire) {
                stopped = true;
                for (number, line) in self.lines.iter_mut().enumerate() {
                    turns.extend(line.as_mut().map(|line| line.machine.close(CloseCode::AWAY, "")).map(|()| number));
                }
            }
            for number in turns {
                self.turn(number, now, &mut log);
            }
            // Also those that found no place before: of them the poll does not tell again.
            if !stopped {
                self.accept(now, &mut log);
            }
        }
        Ok(())
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.epoch.elapsed().as_micros() as u64)
    }

    /// How long there is nothing to do, if no socket has anything.
    fn wait(&self) -> Option<time::Duration> {
        let due = self.deadlines.first().map(|(at, _)| at.since(self.now()));
        if self.again.is_empty() { due } else { Some(time::Duration::ZERO) }
    }

    /// Takes connections as long as there is memory for them.
    fn accept(&mut self, now: Instant, log: &mut impl Write) {
        while let Some(&number) = self.free.last() {
            let mut socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => continue,
                // Nobody waits, or the system is short of something: then it is tried again when anything happens.
                Err(_) => return,
            };
            let _ = socket.set_nodelay(true);
            let mut entropy = [0; 32];
            let both = Interest::READABLE | Interest::WRITABLE;
            let registered = self.poll.registry().register(&mut socket, Token(number), both);
            // What this one can't have, others need not pay for.
            if registered.is_err() || getrandom::fill(&mut entropy).is_err() {
                continue;
            }
            let machine = Connection::server(now, CONFIG, entropy, Memory::EMPTY);
            self.lines[number] = Some(Line::new(socket, machine, Echo(None)));
            self.free.pop();
            self.turn(number, now, log);
        }
    }

    /// One turn of a line, if it still is.
    fn turn(&mut self, number: usize, now: Instant, log: &mut impl Write) {
        let Some(line) = &mut self.lines[number] else { return };
        let turn = line.turn(now);
        let deadline = line.deadline().filter(|_| !matches!(turn, Turn::Over(_)));
        if let Some(before) = std::mem::replace(&mut self.due[number], deadline) {
            self.deadlines.remove(&(before, number));
        }
        self.deadlines.extend(deadline.map(|at| (at, number)));
        match turn {
            Turn::Waits => {}
            Turn::Again => _ = self.again.insert(number),
            Turn::Over(reason) => {
                let _ = writeln!(log, "line {number}: {reason}");
                self.lines[number] = None;
                self.free.push(number);
            }
        }
    }
}

/// What a line knows of its peer: under which index it asks for an echo.
struct Echo(Option<u16>);

impl Hear for Echo {
    fn hear(&mut self, machine: &mut Machine, _: Instant, event: &Event<&[u8]>) {
        match event {
            Event::Defined { table: Table::Actions, index, name: b"echo", .. } => self.0 = Some(*index),
            Event::Message(message) => {
                let Some(lane) = message.lane.filter(|_| message.wants_answer) else { return };
                let code = match message.body.kind {
                    _ if Some(message.action) != self.0.map(Action::Name) => Code::NOT_IMPLEMENTED,
                    Kind::Typed(_) => Code::WRONG_TYPE,
                    // All of a body that is in more than one piece would have to be kept.
                    _ if message.size > message.body.bytes.len() as u64 => Code::TOO_LARGE,
                    _ if !fits(machine, message.body.bytes) => Code::TOO_LARGE,
                    kind => match machine.respond(lane, &Respond::new(kind, message.body.bytes)) {
                        Ok(_) => return,
                        Err(_) => Code::BUSY,
                    },
                };
                // A bare code always finds room. It is refused if the peer has given up, and then nobody waits for it.
                let _ = machine.respond_code(lane, code);
            }
            _ => {}
        }
    }
}
