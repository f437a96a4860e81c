//! A line of two machines that are recorded, and disks to record it on.

use std::future::Future;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ropeway_core::{
    Accept, Action, Body, CloseCode, Code, Connection, Event, Instant, Kind, Offer, Respond, Send, Table,
};

use super::super::*;
use crate::config::Config;
use crate::line::Role;
use crate::machine::Machine;
use crate::memory::growing;
use crate::runtime::Spawn;

/// Does blocking work when told to, or at once.
#[derive(Default)]
pub(super) struct Pool {
    pub(super) waits: bool,
    pub(super) work: Mutex<Vec<Box<dyn FnOnce() + std::marker::Send>>>,
}

impl Pool {
    pub(super) fn run(&self) {
        let work = std::mem::take(&mut *self.work.lock().unwrap_or_else(PoisonError::into_inner));
        work.into_iter().for_each(|work| work());
    }
}

impl Spawn for Pool {
    fn spawn(&self, _: Pin<Box<dyn Future<Output = ()> + std::marker::Send>>) {}

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + std::marker::Send>) {
        self.work.lock().unwrap_or_else(PoisonError::into_inner).push(work);
        if !self.waits {
            self.run();
        }
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

/// A disk. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Disk {
    pub(super) octets: Arc<Mutex<Vec<u8>>>,
    /// More does not fit.
    pub(super) most: Option<usize>,
}

impl Disk {
    pub(super) fn octets(&self) -> Vec<u8> {
        self.octets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Write for Disk {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut all = self.octets.lock().unwrap_or_else(PoisonError::into_inner);
        if self.most.is_some_and(|most| all.len() + octets.len() > most) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        all.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Two machines, both recorded, and time that moves with each step.
pub(super) struct Pair {
    pub(super) ends: [(Machine, Arc<Recorder>); 2],
    pub(super) now: u64,
}

pub(super) const NEAR: usize = 0;
pub(super) const FAR: usize = 1;
const NUMBER: Action = Action::Number(7);

impl Pair {
    pub(super) fn new(pool: &Arc<Pool>, recordings: [Recording; 2]) -> Pair {
        let mut config = Config::DEFAULT;
        (config.protocol.max_frame, config.protocol.window, config.outbox) = (2048, 4096, 8192);
        let now = Instant::from_micros(1000);
        let mut role = Role::Client;
        let ends = recordings.map(|recording| {
            let memory = growing(config.lanes, config.flows, config.outbox, Default::default());
            let (entropy, header) = ([7; 32], Header::new(role, now, &config, &[7; 32]));
            let machine = match role {
                Role::Client => Connection::client(now, config.protocol, entropy, memory),
                Role::Server => Connection::server(now, config.protocol, entropy, memory),
            };
            role = Role::Server;
            let (tap, recorder) = recording.begin(pool.clone(), header);
            (Machine::new(machine, Some(Box::new(tap))), recorder)
        });
        Pair { ends, now: 1000 }
    }

    pub(super) fn now(&mut self) -> Instant {
        self.now += 10;
        Instant::from_micros(self.now)
    }

    pub(super) fn near(&mut self) -> &mut Machine {
        &mut self.ends[NEAR].0
    }

    pub(super) fn far(&mut self) -> &mut Machine {
        &mut self.ends[FAR].0
    }

    /// Moves what there is from both ends to the others, in pieces; what happened at each.
    pub(super) fn settle(&mut self) -> Vec<(usize, Event<Vec<u8>>)> {
        let mut all = Vec::new();
        for end in [NEAR, FAR, NEAR, FAR] {
            let mut block = vec![0; 5000];
            let now = self.now();
            let len = self.ends[end].0.poll_transmit(now, &mut block);
            let other = 1 - end;
            let mut at = 0;
            for upto in [len / 2, len] {
                while at < upto {
                    let now = self.now();
                    let Ok(step) = self.ends[other].0.handle_input(now, &mut block[at..upto]) else { break };
                    all.extend(step.event.map(|event| (other, event.map(<[u8]>::to_vec))));
                    at += step.consumed;
                    if step.consumed == 0 {
                        break;
                    }
                }
            }
            self.hand_over(end);
        }
        all
    }

    pub(super) fn hand_over(&mut self, end: usize) {
        let (machine, recorder) = &mut self.ends[end];
        let notes = machine.take_notes();
        if !notes.is_empty() {
            recorder.push(notes, false);
        }
    }

    pub(super) fn end(mut self) {
        for (machine, recorder) in &mut self.ends {
            machine.handle_eof();
            recorder.push(machine.end_notes().expect("it is recorded"), true);
        }
    }
}

/// The one of these events that came to this end and is wanted.
pub(super) fn came<T>(
    events: &[(usize, Event<Vec<u8>>)],
    at: usize,
    wanted: impl Fn(&Event<Vec<u8>>) -> Option<T>,
) -> T {
    events.iter().filter(|(end, _)| *end == at).find_map(|(_, event)| wanted(event)).expect("it came")
}

/// A line on which there is something of everything.
pub(super) fn talk(pair: &mut Pair) {
    assert!(pair.near().ping().is_err(), "too early");
    pair.settle();
    let now = pair.now();
    let action = Action::Name(pair.near().define(Table::Actions, "echo", None).expect("room"));
    let kind = Kind::Typed(pair.near().define(Table::Types, "Entry", Some(9)).expect("room"));
    pair.near().notify(Instant::ZERO, &Send::text(NUMBER, "a secret notice")).expect("room");
    pair.near().ping().expect("open");
    let timeout = Some(Duration::from_secs(3600));
    let request = Send { timeout, attached: 2, ..Send::new(action, kind, b"a secret question") };
    let ours = pair.near().request(now, &request).expect("room").lane.expect("a request has one");
    let offer = Offer { media: "secret/type", ..Offer::file("secret.txt", 3000) };
    let file = pair.near().offer(ours, &offer).expect("room");
    let stream = pair.near().offer(ours, &Offer::STREAM).expect("room");
    assert!(pair.near().offer(ours, &Offer::STREAM).is_err(), "two were announced");
    let events = pair.settle();
    let theirs = came(&events, FAR, |event| if let Event::Message(message) = event { message.lane } else { None });
    pair.far().take_messages([17].into_iter());
    pair.far().update(theirs, Body { kind: Kind::Text, bytes: b"half of the secret" }).expect("room");
    let [file_there, stream_there] = [false, true].map(|wanted| {
        came(&events, FAR, |event| match event {
            Event::Offer { flow, push, .. } if *push == wanted => Some(*flow),
            _ => None,
        })
    });
    pair.far().accept(file_there, &Accept { start: 100, end: None, prefix: Some([0x5e; 32]) }).expect("offered");
    pair.settle();
    let content = [b's'; 3000];
    let now = pair.now();
    pair.near().begin(now, file, 100).expect("accepted");
    let mut at = 100;
    while at < content.len() {
        let now = pair.now();
        match pair.near().data(now, file, &content[at..]) {
            Ok(taken) => at += taken,
            Err(_) => drop(pair.settle()),
        }
    }
    pair.settle();
    let now = pair.now();
    pair.near().pause(file, true).expect("it runs");
    pair.near().pause(file, false).expect("it rests");
    pair.near().finish(now, file, Some([0xd1; 32])).expect("all was sent");
    let _ = pair.near().data(now, stream, b"secret");
    pair.settle();
    pair.far().take_flow(file_there, 2900);
    pair.far().done(file_there, Code::OK).expect("it is there");
    pair.far().done(stream_there, Code::CANCELLED).expect("open");
    pair.near().cancel(stream, Code::INTERNAL).expect("open");
    // An answer larger than a frame, and than there is room for at once.
    let answer = vec![b'S'; 100_000];
    let sent = pair.far().respond(theirs, &Respond::bytes(&answer)).expect("room");
    let mut at = sent.taken;
    while at < answer.len() {
        let now = pair.now();
        match pair.far().body(now, theirs, &answer[at..]) {
            Ok(taken) => at += taken,
            Err(_) => {
                let events = pair.settle();
                for (_, event) in events {
                    match event {
                        Event::Response(answer) => pair.near().take_lane(ours, answer.body.bytes.len()),
                        Event::Piece { bytes, .. } => pair.near().take_lane(ours, bytes.len()),
                        _ => {}
                    }
                }
            }
        }
    }
    pair.settle();
    let now = pair.now();
    let second = pair.near().request(now, &Send::bytes(NUMBER, &[])).expect("room").lane.expect("a request has one");
    pair.near().request(now, &Send::bytes(NUMBER, &[])).expect("room");
    pair.near().abort(second, Code::CANCELLED).expect("open");
    let events = pair.settle();
    let lane = came(&events, FAR, |event| match event {
        Event::Message(message) if message.lane.is_some_and(|lane| lane.number() != second.number()) => message.lane,
        _ => None,
    });
    pair.far().respond_code(lane, Code::REJECTED).expect("open");
    pair.settle();
    // A message whose deadline passes, and pings that are due by then.
    let timeout = Some(Duration::from_millis(1));
    let now = pair.now();
    pair.near().request(now, &Send { timeout, ..Send::text(NUMBER, "") }).expect("room");
    pair.now += 20_000_000;
    for end in [NEAR, FAR] {
        let now = pair.now();
        while pair.ends[end].0.handle_timeout(now).is_some() {}
    }
    pair.settle();
    pair.far().go_away().expect("open");
    pair.settle();
    let now = pair.now();
    assert!(pair.near().notify(now, &Send::text(NUMBER, "")).is_err(), "away");
    pair.near().close(CloseCode::DONE, "a secret reason");
    pair.settle();
    let now = pair.now();
    let _ = pair.far().handle_input(now, &mut [1, 2, 3]);
}
