//! A program that carries out its side of a [`Plan`], and notes what it hears.
//!
//! It is a driver in miniature: what is refused for want of room is tried again, and what was heard is taken some time
//! later.

mod check;
mod hear;
mod say;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use ropeway_core::{Accept, FlowId, LaneId, Side};

use crate::plan::Plan;

/// One of the two programs.
#[derive(Debug)]
pub struct App {
    is_client: bool,
    plan: Rc<Plan>,
    /// What was heard, by tag.
    pub notes: BTreeMap<String, Note>,
    ready: bool,
    unopened: VecDeque<usize>,
    /// Names of actions: those we defined, those we were told.
    defined: BTreeMap<usize, u16>,
    told: Vec<usize>,
    /// Whether the type of bodies is defined.
    typed: bool,
    /// The exchange on each lane, and the flow behind each number, by who opened or sends it.
    lanes: BTreeMap<(bool, u16), Talk>,
    flows: BTreeMap<(bool, u16), String>,
    tasks: Vec<Task>,
    takes: VecDeque<Take>,
    /// How many takes are held back, so that credit comes late.
    lag: usize,
    steps: u32,
}

/// What was heard of one body or flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// Stretches of octets, each with its offset.
    pub stretches: Vec<(u64, Vec<u8>)>,
    /// What else was heard, in order.
    pub words: Vec<String>,
}

impl Note {
    fn add(&mut self, offset: u64, bytes: &[u8]) {
        match self.stretches.last_mut() {
            Some((start, stretch)) if *start + stretch.len() as u64 == offset => stretch.extend_from_slice(bytes),
            _ => self.stretches.push((offset, bytes.to_vec())),
        }
    }

    /// All octets heard.
    pub fn len(&self) -> usize {
        self.stretches.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// Whether no octets were heard.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What is known of the exchange on a lane.
#[derive(Clone, Debug)]
struct Talk {
    number: usize,
    /// The body that comes in now, and how much of it has.
    hearing: String,
    at: u64,
    /// Responses begun.
    responses: usize,
}

/// Something still to be said.
#[derive(Clone, Debug)]
enum Task {
    /// The rest of a body.
    Body {
        lane: LaneId,
        octets: Vec<u8>,
        at: usize,
    },
    Offer {
        lane: LaneId,
        tag: String,
    },
    /// The next answer; `updates` of them are to be said before it.
    Answer {
        lane: LaneId,
        next: usize,
        updates: u8,
    },
    GiveUp {
        lane: LaneId,
        at: u32,
    },
    Accept {
        flow: FlowId,
        accept: Accept,
    },
    Begin {
        flow: FlowId,
        start: u64,
        end: u64,
    },
    Data {
        flow: FlowId,
        at: u64,
        end: u64,
    },
    Resume {
        flow: FlowId,
        at: u32,
    },
}

#[derive(Clone, Debug)]
enum Take {
    Message(usize),
    Lane(LaneId, usize),
    Flow(FlowId, usize),
}

impl App {
    /// A program for one end. It holds back `lag` takes.
    pub fn new(is_client: bool, plan: Rc<Plan>, lag: usize) -> App {
        let unopened = (0..plan.exchanges.len()).filter(|i| plan.exchanges[*i].by_client == is_client).collect();
        App {
            is_client,
            plan,
            notes: BTreeMap::new(),
            ready: false,
            unopened,
            defined: BTreeMap::new(),
            told: Vec::new(),
            typed: false,
            lanes: BTreeMap::new(),
            flows: BTreeMap::new(),
            tasks: Vec::new(),
            takes: VecDeque::new(),
            lag,
            steps: 0,
        }
    }

    /// Whether it has said and taken all.
    pub fn is_idle(&self) -> bool {
        self.ready && self.unopened.is_empty() && self.tasks.is_empty() && self.takes.is_empty()
    }

    fn note(&mut self, tag: &str) -> &mut Note {
        self.notes.entry(tag.into()).or_default()
    }

    fn word(&mut self, tag: &str, word: impl Into<String>) {
        let word = word.into();
        self.note(tag).words.push(word);
    }
}

fn key(lane: LaneId) -> (bool, u16) {
    (lane.opened_by() == Side::Us, lane.number())
}

fn flow_key(flow: FlowId) -> (bool, u16) {
    (flow.sent_by() == Side::Us, flow.number())
}
