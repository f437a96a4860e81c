//! Two ends of a sealed line, and all that can happen between them: every order of everything, up to a depth.

mod authentication;
mod end;
mod glass;
mod octets;

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;
use std::vec::Vec;

use authentication::Terms;
use glass::Glass;
use octets::{parts, plain, seen};

use super::Connection;
use crate::auth::AuthRules;
use crate::config::Config;
use crate::error::CloseCode;
use crate::flow::Flow;
use crate::id::Side;
use crate::lane::Lane;
use crate::memory::{Memory, Sealed};
use crate::seal::{Anyone, Identity, Pattern, Policy, Rule, Sealer};
use crate::sealing::Inner;
use crate::time::Instant;
use crate::wire::seal::RECORD;

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
