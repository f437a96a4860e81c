//! Two ends of a sealed line, and all that can happen between them: every order of everything, up to a depth.

mod authentication;
mod glass;

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::vec::Vec;

use authentication::Terms;
use glass::{Glass, TAG};

use super::{Connection, Send, Step};
use crate::auth::AuthRules;
use crate::config::Config;
use crate::error::{CloseCode, PeerError};
use crate::event::Event;
use crate::flow::Flow;
use crate::id::{Action, Code, MessageId, Side};
use crate::lane::Lane;
use crate::memory::{Memory, Sealed};
use crate::seal::{Anyone, Identity, Pattern, Policy, Rule, Sealer};
use crate::sealing::Inner;
use crate::time::Instant;
use crate::wire::hello::MAGIC;
use crate::wire::seal::{HANDSHAKE, PREFIX, RECORD};
use crate::wire::{
    Accept, Body, Close, Define, FIRST_UNCOUNTED, Frame, Kind, Notice, Offer, Open, Pause, Piece, Rekey, Response,
    Switch, Table, Update, kind,
};

type Line = Connection<Sealed<Memory<[Lane; 1], [Flow; 1], [u8; 64]>, Sealer<Glass, Anyone>>>;

const NOW: Instant = Instant::from_millis(5);
const CONFIG: Config = Config { heartbeat: core::time::Duration::ZERO, ..Config::SMALL };

/// What can happen at an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    /// It switches, and says a notice behind that.
    Seal(bool),
    Ask(bool),
    Rekey,
    Afresh,
    Say,
    Close,
    /// It proves who it is, or does so anew.
    Prove,
    /// It takes that, for so many ticks.
    Grant(u32),
    Deny,
    /// It speaks as if the line were open: it has no manners.
    Barge,
    /// Time passes, a tick of it, and it is woken when it wants to be.
    Wait,
    /// It says a notice, if it has anything to say at all, and all goes on the wire. What a client says is heard at once: see [`walk`].
    Transmit,
    /// What the server put on the wire at once, the oldest, arrives.
    Hear,
}

/// What open ends do.
const LIFE: &[Move] =
    &[Move::Seal(true), Move::Seal(false), Move::Ask(true), Move::Ask(false), Move::Rekey, Move::Afresh];
/// What they do as soon as they may.
const BIRTH: &[Move] = &[Move::Say, Move::Close, Move::Rekey];

const CLIENT: usize = 0;
const SERVER: usize = 1;

#[derive(Clone)]
struct End {
    line: Line,
    /// Each has a clock of its own: what the other knows of time is what it hears.
    now: Instant,
    terms: Terms,
    /// What its application was told, or did itself, of what it says and of what it hears.
    told: [bool; 2],
    /// What waits to be heard: octets, and what everyone may know of them.
    inbox: VecDeque<Said>,
    /// Notices said, and heard.
    said: u64,
    heard: u64,
    is_over: bool,
}

/// Octets under way, and what everyone may know of them.
type Said = (Rc<[u8]>, Rc<[u8]>);

#[derive(Clone)]
struct World {
    ends: [Rc<End>; 2],
    hashes: [u64; 2],
}

fn sealer(policy: Policy, is_server: bool, rules: Option<AuthRules>) -> Sealer<Glass, Anyone> {
    let identity = Identity { pattern: Pattern::Nn, key: None, psk: None, trust: Anyone };
    let sealer = if is_server { Sealer::server(Glass, identity) } else { Sealer::client(Glass, identity) };
    let sealer = sealer.unwrap().policy(policy);
    match rules.filter(|_| is_server) {
        Some(rules) => sealer.authenticate(rules),
        None => sealer,
    }
}

impl World {
    fn new(client: Policy, server: Policy) -> World {
        World::asking(None, client, server)
    }

    /// In which the server asks who the client is, if it has rules for that.
    fn asking(rules: Option<AuthRules>, client: Policy, server: Policy) -> World {
        let line = |is_server, policy| {
            let memory = Memory::EMPTY.sealed_by(sealer(policy, is_server, rules));
            let begin = if is_server { Line::server } else { Line::client };
            begin(NOW, CONFIG, [u8::from(is_server) + 1; 32], memory)
        };
        let end = |line, terms| {
            let (told, inbox) = ([false; 2], VecDeque::new());
            Rc::new(End { line, now: NOW, terms, told, inbox, said: 0, heard: 0, is_over: false })
        };
        let ends = [end(line(false, client), Terms::of(None)), end(line(true, server), Terms::of(rules))];
        let mut world = World { ends, hashes: [0; 2] };
        world.rehash(&[CLIENT, SERVER]);
        world
    }

    fn rehash(&mut self, changed: &[usize]) {
        for &who in changed {
            self.hashes[who] = self.ends[who].hash();
        }
    }

    /// Whether it could happen.
    fn apply(&mut self, who: usize, what: Move) -> bool {
        let end = Rc::make_mut(&mut self.ends[who]);
        match what {
            Move::Seal(on) => {
                if end.told[0] == on || end.line.seal(on).is_err() {
                    return false;
                }
                end.told[0] = on;
                end.say();
            }
            Move::Ask(on) => {
                if end.line.ask_to_seal(on).is_err() {
                    return false;
                }
            }
            Move::Rekey => _ = end.line.rekey(),
            Move::Afresh => _ = end.line.rekey_afresh([9; 32]),
            Move::Say => end.say(),
            Move::Close => end.line.close(CloseCode::DONE, ""),
            Move::Prove | Move::Grant(_) | Move::Deny | Move::Barge | Move::Wait => {
                if !end.authenticate(what) {
                    return false;
                }
            }
            Move::Transmit => {
                if !end.line.wants_transmit() {
                    return false;
                }
                end.say();
                self.send(who);
                if who == CLIENT {
                    self.hear(SERVER);
                }
                self.rehash(&[1 - who]);
            }
            Move::Hear => {
                if who == SERVER || end.inbox.is_empty() {
                    return false;
                }
                self.hear(who);
            }
        }
        self.rehash(&[who]);
        true
    }

    fn send(&mut self, who: usize) {
        let end = Rc::make_mut(&mut self.ends[who]);
        let octets = end.transmit();
        if !octets.is_empty() {
            let must = end.line.sealer.holds().sending == Rule::Required;
            let seen = seen(&octets, must);
            Rc::make_mut(&mut self.ends[1 - who]).inbox.push_back((octets.into(), seen.into()));
        }
    }

    fn hear(&mut self, who: usize) {
        let is_rude = self.ends[1 - who].terms.is_rude;
        let end = Rc::make_mut(&mut self.ends[who]);
        if let Some((octets, _)) = end.inbox.pop_front() {
            let heard = end.hear(&octets);
            assert!(heard.is_ok() || is_rude, "neither end does anything wrong: {heard:?}");
        }
    }

    /// Whatever is under way arrives, and all that follows from it: the ends agree then, and nothing is lost.
    fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 20, "it never comes to rest");
            for who in [CLIENT, SERVER] {
                while !self.ends[who].inbox.is_empty() {
                    self.hear(who);
                }
                self.send(who);
                let line = &self.ends[who].line;
                assert!(!line.wants_transmit(), "it wants to speak, and does not");
            }
            if self.ends.iter().all(|end| end.inbox.is_empty()) {
                break;
            }
        }
        self.rehash(&[CLIENT, SERVER]);
        let [a, b] = &self.ends;
        if a.line.closed().is_some() || b.line.closed().is_some() {
            return;
        }
        assert_eq!(a.line.is_ready(), b.line.is_ready(), "it is open at one end");
        assert!(a.line.is_ready() || b.terms.asks(), "it does not open");
        for (a, b) in [(a, b), (b, a)].into_iter().filter(|(a, _)| a.line.is_ready()) {
            a.is_sound();
            assert_eq!(a.line.is_sealed(Side::Us), b.line.is_sealed(Side::Them), "the ends differ");
            assert_eq!(a.line.is_sealed(Side::Us), a.told[0], "what was wished for did not come");
            assert_eq!(a.said, b.heard, "notices are lost");
        }
    }

    /// Whoever sits in between can do nothing to an end but end the line.
    fn withstands(&self, who: usize) {
        let (end, peer) = (&self.ends[who], &self.ends[1 - who]);
        if end.is_over || end.line.closed().is_some() || end.is_deaf() {
            return;
        }
        for octets in plain() {
            end.takes_nothing_of(&octets);
        }
        if !end.line.sealer.has_keys() {
            return;
        }
        // What the peer says next; and a record of its own, that comes back.
        let mut peer = End::clone(peer);
        let mut coming: Vec<u8> = end.inbox.iter().flat_map(|(octets, _)| octets.iter().copied()).collect();
        // One without manners is not heard anyway.
        for _ in 0..if peer.terms.is_rude { 0 } else { 2 } {
            peer.say_sealed();
            coming.extend(peer.transmit());
        }
        if peer.line.sealer.has_keys() {
            end.withstands_records(&coming);
        }
        let mut own = End::clone(end);
        own.say_sealed();
        let own = own.transmit();
        // One that is closing says no more of that kind.
        if let Some(record) = parts(&own).find(|part| part[0] == RECORD) {
            end.refuses(record, "a record that comes back");
        }
    }
}

impl End {
    fn say(&mut self) {
        self.say_as(false);
    }

    fn say_sealed(&mut self) {
        self.say_as(true);
    }

    fn say_as(&mut self, sealed: bool) {
        let body = Body { kind: Kind::None, bytes: &[][..] };
        let sent = self.line.notify(self.now, &Send { body, sealed, ..Send::bytes(Action::Number(1), &[]) });
        self.said += u64::from(sent.is_ok());
    }

    fn transmit(&mut self) -> Vec<u8> {
        let mut out = [0; 1024];
        let len = self.line.poll_transmit(self.now, &mut out);
        out[..len].to_vec()
    }

    fn hear(&mut self, octets: &[u8]) -> Result<(), PeerError> {
        let mut octets = octets.to_vec();
        let mut at = 0;
        while at < octets.len() {
            let before = self.heard_so_far();
            let step = self.line.handle_input(self.now, &mut octets[at..]);
            self.hears_only_whom_it_knows(&step, &before);
            let Step { consumed, event } = step?;
            assert!(consumed > 0, "whole frames are transmitted");
            match event {
                Some(Event::Message(message)) => {
                    let id = MessageId::new(&self.line.session, !self.line.is_server, self.heard);
                    assert_eq!(id, message.id, "a notice is lost, or comes twice");
                    self.heard += 1;
                }
                Some(Event::Sealed { by, on }) => {
                    let told = &mut self.told[usize::from(by == Side::Them)];
                    assert_ne!(*told, on, "the application knows that already");
                    *told = on;
                }
                Some(Event::Ready(_)) => self.opens(),
                Some(Event::Granted { .. }) if !self.terms.was_open => self.opens(),
                Some(Event::Claim { name, proof: Some(proof) }) => self.hears_claim(name, &proof),
                Some(Event::Closed { .. }) => self.is_over = true,
                _ => {}
            }
            self.begins_to_wait();
            at += consumed;
        }
        Ok(())
    }

    /// It is open, as its application is told.
    fn opens(&mut self) {
        let holds = self.line.sealer.holds();
        self.told = [holds.sending, holds.receiving].map(|rule| rule != Rule::Plain);
        self.terms.was_open = true;
    }

    /// What the application believes is true, or will be when all that was wished for is said.
    fn is_sound(&self) {
        if self.line.is_ready() {
            let holds = self.line.sealer.holds();
            assert_eq!(self.told, [self.line.sealer.asked_or_will(), self.line.is_sealed(Side::Them)]);
            for (rule, on) in [(holds.sending, self.line.is_sealed(Side::Us)), (holds.receiving, self.told[1])] {
                assert!(rule == Rule::Optional || on == (rule == Rule::Required), "against the policy");
            }
        }
    }

    /// Octets that anybody could have made are refused, or not heard, where what is heard must be sealed; all that can be brought
    /// about is the end that an error has, by who could have cut the line. What is said of records is refused everywhere.
    fn takes_nothing_of(&self, octets: &[u8]) {
        let mut end = End::clone(self);
        let head = octets[0] >> 3;
        let of_records = matches!(head, 0 | 1 | 19 | 27);
        // A client that was granted nothing yet hears what is not counted.
        let may_come = head == kind::CLOSE || head >= FIRST_UNCOUNTED && !self.line.is_server;
        let keys = self.line.sealer.is_agreed();
        let hears = self.terms.was_open || may_come && self.line.sealer.has_keys();
        if keys && hears && !self.line.is_sealed(Side::Them) && !of_records {
            return;
        }
        let mut input = octets.to_vec();
        match end.line.handle_input(self.now, &mut input) {
            Err(error) if octets[0] != RECORD && self.line.is_ready() && self.line.is_sealed(Side::Them) => {
                assert_eq!(error, PeerError::NotSealed, "{octets:?}")
            }
            Err(_) => {}
            Ok(Step { event: Some(Event::Closed { .. }), .. }) => {
                let close = Frame::read(octets, u32::MAX).map(|(frame, _)| frame);
                let is_error = matches!(close, Ok(Frame::Close(Close { code, .. })) if code.is_error());
                assert!(is_error && !self.line.sealer.has_opened(), "a goodbye that anyone can forge: {octets:?}");
            }
            Ok(step) => assert_eq!((step.consumed, step.event), (0, None), "{octets:?} in the clear were taken"),
        }
    }

    fn refuses(&self, octets: &[u8], why: &str) {
        let mut end = End::clone(self);
        let mut input = octets.to_vec();
        // One that says that it is longer than it is waits for what is missing.
        input.resize(input.len() + 400, 0x5a);
        let step = end.line.handle_input(self.now, &mut input);
        assert!(step.is_err(), "{why} was taken: {step:?}, {octets:?}");
        assert_eq!(
            end.line.handle_input(self.now, &mut octets.to_vec()).map(|step| step.event),
            Ok(None),
            "{why}: it goes on"
        );
    }

    /// All that can be done to the next record that comes.
    fn withstands_records(&self, coming: &[u8]) {
        let before: usize = parts(coming).take_while(|part| part[0] != RECORD).map(<[u8]>::len).sum();
        let (plain, coming) = coming.split_at(before);
        let mut end = End::clone(self);
        assert_eq!(end.hear(plain), Ok(()));
        let mut records = parts(coming).filter(|part| part[0] == RECORD);
        let (Some(first), Some(second)) = (records.next(), records.next()) else { return };
        for at in 0..first.len() {
            // In the clear another head is another frame.
            if at > 0 || end.line.is_sealed(Side::Them) {
                let mut changed = first.to_vec();
                changed[at] ^= 1 << (at % 8);
                end.refuses(&changed, "a changed record");
            }
        }
        let mut cut = first[..first.len() - 1].to_vec();
        cut[1] -= 1;
        end.refuses(&cut, "a cut record");
        end.refuses(second, "a record before its time");
        let mut behind = End::clone(&end);
        assert_eq!(behind.hear(first), Ok(()));
        if !behind.is_over && behind.line.closed().is_none() {
            behind.refuses(first, "a record that comes twice");
        }
    }

    /// It gives something if it wants to.
    fn speaks(&self) {
        let mut end = End::clone(self);
        if end.line.wants_transmit() {
            assert!(!end.transmit().is_empty(), "it wants to speak, and gives nothing");
        }
    }

    /// What decides what it takes: all but what it is still to say or to hear.
    fn hears_by(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        std::mem::discriminant(&self.line.state).hash(&mut hasher);
        let (holds, flags, sealed) = self.line.sealer.standing();
        (holds.octet(), flags, sealed, self.is_over, self.is_deaf()).hash(&mut hasher);
        self.hash_terms(&mut hasher);
        hasher.finish()
    }

    /// What decides how it goes on, at this end. Left out are
    /// - secrets, and numbers of records: nothing is decided by what they are as long as both ends have the same, and if they had not
    ///   the next record would fail, which no record does;
    /// - what is owed for changes of keys: it never counts, as [`Sealer::standing`] asserts;
    /// - counts of notices, acknowledgements, and credit: they ride along, and there is always enough;
    /// - what its application was told: that follows, as [`End::is_sound`] asserts.
    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let mut waiting = [0; 64];
        let len = self.line.outbox.clone().transmit(usize::MAX, &mut waiting);
        waiting[..len].hash(&mut hasher);
        self.hears_by().hash(&mut hasher);
        self.inbox.iter().for_each(|(_, seen)| seen.hash(&mut hasher));
        hasher.finish()
    }
}

/// The hello, messages of the handshake, records and frames, one by one.
fn parts(mut octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let u16 = |at: usize| usize::from(u16::from_le_bytes([octets[at], octets[at + 1]]));
        let (part, rest) = octets.split_at(match *octets.first()? {
            _ if octets.starts_with(&MAGIC) => 6 + u16(4),
            HANDSHAKE | RECORD => PREFIX + u16(1),
            _ => Frame::read(octets, u32::MAX).unwrap().1,
        });
        octets = rest;
        Some(part)
    })
}

/// What everyone may know of octets: kinds of frames, in records or not; acknowledgements left out. What `must` be sealed is.
fn seen(octets: &[u8], must: bool) -> Vec<u8> {
    let mut seen = Vec::new();
    for part in parts(octets) {
        seen.push(part[0]);
        assert!(!must || part.starts_with(&MAGIC) || matches!(part[0], HANDSHAKE | RECORD), "in the clear: {part:?}");
        let mut content = if part[0] == RECORD { &part[PREFIX..part.len() - TAG] } else { &[] };
        while !content.is_empty() {
            let (frame, len) = Frame::read(content, u32::MAX).unwrap();
            if !matches!(frame, Frame::Ack { .. }) {
                seen.push(content[0]);
            }
            content = &content[len..];
        }
        seen.push(0xff);
    }
    seen
}

/// A frame of each type, as anybody could say it, and what belongs before them.
fn plain() -> Vec<Vec<u8>> {
    let body = Body { kind: Kind::Bytes, bytes: &b"x"[..] };
    let (lane, flow, code, side) = (0, 0, Code::OK, Side::Us);
    let action = Action::Number(1);
    let frames = [
        Frame::Auth(crate::wire::Auth::Key),
        Frame::Define(Define { table: Table::Actions, index: 0, fingerprint: None, name: "n" }),
        Frame::Notice(Notice { action, body }),
        Frame::Open(Open { lane, action, body, wants_answer: true, timeout: None, size: None, attached: 0 }),
        Frame::Response(Response { lane, code, body, more: false, size: None, attached: 0 }),
        Frame::Code { lane, code },
        Frame::Update(Update { lane, body }),
        Frame::Body(Piece { side, lane, bytes: b"x" }),
        Frame::Abort { side, lane, code },
        Frame::End { lane },
        Frame::Offer(Offer { flow, side, lane, push: true, size: None, media: "", name: "" }),
        Frame::Accept(Accept { flow, start: 0, end: None, prefix: None }),
        Frame::Begin { flow, start: 0 },
        Frame::Data { flow, bytes: b"x" },
        Frame::Finish { flow, digest: None },
        Frame::Cancel { flow, code },
        Frame::Done { flow, code },
        Frame::Pause(Pause { flow, on: true, by_receiver: true }),
        Frame::Away,
        Frame::Switch(Switch { on: true, ask: false }),
        Frame::Switch(Switch { on: false, ask: false }),
        Frame::Switch(Switch { on: false, ask: true }),
        Frame::Close(Close { code: CloseCode::DONE, reason: "" }),
        Frame::Close(Close { code: PeerError::Forged.code(), reason: "" }),
        Frame::Ack { count: 0 },
        Frame::Ping { id: 1 },
        Frame::Pong { id: 1 },
        Frame::Window { limit: 1 << 20 },
        Frame::LaneCredit { side, lane, limit: 1 << 20 },
        Frame::Credit { flow, limit: 1 << 20 },
        Frame::Rekey(Rekey::Next),
        Frame::Rekey(Rekey::Share([9; 32])),
        Frame::Rekey(Rekey::Fresh),
        Frame::Skipped { kind: 28, bytes: b"x" },
        Frame::Skipped { kind: 31, bytes: b"" },
    ];
    let mut kinds: Vec<u8> = frames.iter().map(Frame::kind).collect();
    kinds.dedup();
    assert_eq!(kinds[..28], (0..28).collect::<Vec<u8>>()[..]);
    let mut octets = [0; 64];
    let encoded = frames.iter().map(|frame| {
        let len = frame.encode(&mut octets).unwrap();
        octets[..len].to_vec()
    });
    let encoded: Vec<_> = encoded.collect();
    [encoded, [HANDSHAKE, RECORD].map(|head| std::vec![head, 2, 0, 1, 2]).to_vec()].concat()
}

/// Goes through every state that so many moves lead to.
///
/// What a client says is heard at once, and that leaves out nothing: of any order of things that a server hears what a client had said
/// earlier, each end sees the same if the client said it just then; so it is of time, which passes for each end by itself. The last move
/// is one that somebody hears, or time: another would change nothing that an end takes. Each end, in each state that decides what it takes, has to withstand whoever sits in between, and what is
/// reached last has to come to rest, as what lies before it then does by the way.
fn walk(start: World, moves: &[Move], depth: usize) -> [usize; 2] {
    let mut known = HashSet::from([start.hashes]);
    let (mut looked_at, mut spoken) = (HashSet::new(), HashSet::new());
    let mut edge = std::vec![start];
    for left in (0..depth).rev() {
        let mut next = Vec::new();
        for world in &edge {
            // What an end takes depends on time, too.
            let verbs = moves.iter().filter(|what| left > 0 || **what == Move::Wait);
            for what in verbs.chain(&[Move::Transmit, Move::Hear]) {
                for who in [CLIENT, SERVER] {
                    let mut world = world.clone();
                    if !world.apply(who, *what) || !known.insert(world.hashes) {
                        continue;
                    }
                    for end in [CLIENT, SERVER] {
                        if spoken.insert((end, world.hashes[end])) {
                            world.ends[end].speaks();
                        }
                        world.ends[end].is_sound();
                        world.ends[end].keeps_terms();
                        if looked_at.insert((end, world.ends[end].hears_by())) {
                            world.withstands(end);
                        }
                    }
                    if left == 0 {
                        world.settle();
                    } else {
                        next.push(world);
                    }
                }
            }
        }
        edge = next;
    }
    [known.len(), looked_at.len()]
}

const RULES: [Rule; 3] = [Rule::Plain, Rule::Optional, Rule::Required];

/// Each policy that two ends can have in common, but that of a line without keys.
fn policies() -> impl Iterator<Item = (Policy, Policy)> {
    let pairs = RULES.into_iter().flat_map(|sending| RULES.map(|receiving| Policy { sending, receiving }));
    pairs.filter(|policy| *policy != Policy::both(Rule::Plain)).map(|policy| {
        let server = Policy { sending: policy.receiving, receiving: policy.sending };
        (policy, server)
    })
}

fn lives(filter: impl Fn(Policy) -> bool, depth: usize) {
    for (client, server) in policies().filter(|(client, _)| filter(*client)) {
        let mut world = World::new(client, server);
        world.settle();
        let [states, ends] = walk(world, LIFE, depth);
        std::println!("{client:?}: {states} states, {ends} of ends");
    }
}

#[test]
fn nothing_in_the_clear_is_taken_where_both_may_switch_whatever_happens() {
    lives(|policy| policy == Policy::both(Rule::Optional), 7);
}

#[test]
#[ignore = "a minute, and a GiB"]
fn nothing_in_the_clear_is_taken_whatever_happens_to_depth_8() {
    lives(|policy| policy == Policy::both(Rule::Optional), 8);
}

#[test]
fn nothing_in_the_clear_is_taken_where_one_may_switch_or_none_whatever_happens() {
    lives(|policy| policy != Policy::both(Rule::Optional), 8);
}

#[test]
fn nothing_in_the_clear_is_taken_or_said_before_there_are_keys_and_while_a_line_ends() {
    for (client, server) in policies() {
        let [states, ends] = walk(World::new(client, server), BIRTH, 10);
        std::println!("{client:?}: {states} states, {ends} of ends");
    }
}
