//! What two programs want to say to each other, as data.
//!
//! Every body and flow has a tag, and its octets follow from the tag: so each end knows what the other should say.

use std::collections::BTreeMap;

use ropeway_core::{Code, Kind};

use crate::dice::Dice;

/// All that is to be said on one line.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Every exchange, by number; its action tells which one it is.
    pub exchanges: Vec<Exchange>,
    /// Every flow, by tag.
    pub flows: BTreeMap<String, Flow>,
}

/// A message and its answers.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Whether the client opens it.
    pub by_client: bool,
    /// Whether its action has a name.
    pub named: bool,
    /// The message.
    pub body: Body,
    /// The answers; `None` for a notice.
    pub answers: Option<Answers>,
    /// Who gives it up, and after how many steps.
    pub given_up: Option<(Who, u32)>,
}

/// One of the two ends of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The end that opened it.
    Opener,
    /// The other.
    Accepter,
}

/// A body, and the flows that come with it.
#[derive(Clone, Debug)]
pub struct Body {
    /// What is said of the octets.
    pub kind: Kind,
    /// How many.
    pub len: usize,
    /// Tags of the flows.
    pub flows: Vec<String>,
}

/// How a request is answered.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Responses, each behind some updates.
    pub responses: Vec<(u8, Body)>,
    /// The code that ends them; without it the last response does.
    pub code: Option<Code>,
    /// Whether they begin before all of the request's body has come.
    pub eager: bool,
}

/// A stream or file.
#[derive(Clone, Debug)]
pub struct Flow {
    /// A stream.
    pub push: bool,
    /// Its octets.
    pub len: usize,
    /// Whether its size is told.
    pub sized: bool,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// All of it is sent and taken.
    Whole,
    /// It is not wanted.
    Declined,
    /// It is wanted from an offset on; whether what lies before is the same at both ends.
    Tail(usize, bool),
    /// These ranges are wanted, one after another.
    Ranges(Vec<(usize, usize)>),
    /// The receiver has enough after so many octets.
    Stopped(usize),
    /// The sender gives up after so many octets.
    Cancelled(usize),
    /// An end pauses after so many octets, for a while.
    Paused(Who, usize),
}

impl Plan {
    /// A plan that fits what [`Config::SMALL`](ropeway_core::Config::SMALL) takes.
    pub fn draw(dice: &mut Dice<'_>, most: usize) -> Plan {
        let mut plan = Plan { exchanges: Vec::new(), flows: BTreeMap::new() };
        while dice.has_more() && plan.exchanges.len() < most {
            let number = plan.exchanges.len();
            let body = plan.body(dice, format!("{number}m"));
            let answers = if dice.once_in(3) { None } else { Some(plan.answers(dice, number)) };
            let given_up = dice.once_in(6).then(|| (dice.pick(&[Who::Opener, Who::Accepter]), dice.below(12) as u32));
            let (by_client, named) = (dice.once_in(2), dice.once_in(3) && number < 16);
            plan.exchanges.push(Exchange { by_client, named, body, answers, given_up });
        }
        plan
    }

    fn answers(&mut self, dice: &mut Dice<'_>, number: usize) -> Answers {
        let count = dice.below(4) as usize;
        let responses = (0..count)
            .map(|i| (dice.pick(&[0, 0, 1, 2]), self.body(dice, format!("{number}r{i}-"))))
            .collect::<Vec<_>>();
        let coded = count == 0 || dice.once_in(2);
        let code = coded.then(|| Code::new(dice.below(4096) as u16).expect("below 4096"));
        Answers { responses, code, eager: dice.once_in(4) }
    }

    fn body(&mut self, dice: &mut Dice<'_>, tag: String) -> Body {
        let kind = dice.pick(&[Kind::Bytes, Kind::Text, Kind::Typed(0), Kind::None]);
        let len = if kind == Kind::None { 0 } else { dice.pick(&[3, 0, 1, 64, 200, 260, 500, 1024]) };
        let count = if dice.once_in(3) { 1 + dice.below(2) } else { 0 };
        let mut flows = Vec::new();
        for i in 0..count {
            let tag = format!("{tag}f{i}");
            self.flows.insert(tag.clone(), Flow::draw(dice));
            flows.push(tag);
        }
        Body { kind, len, flows }
    }
}

impl Flow {
    fn draw(dice: &mut Dice<'_>) -> Flow {
        let len = dice.pick(&[10, 0, 1, 300, 900, 3000]);
        let push = dice.once_in(2);
        let some = |dice: &mut Dice<'_>| dice.below(len as u64 + 1) as usize;
        let fate = match dice.below(if push { 5 } else { 8 }) {
            0 => Fate::Whole,
            1 => Fate::Stopped(some(dice)),
            2 => Fate::Cancelled(some(dice)),
            3 => Fate::Paused(Who::Opener, some(dice)),
            4 => Fate::Paused(Who::Accepter, some(dice)),
            5 => Fate::Declined,
            6 => Fate::Tail(some(dice), dice.once_in(2)),
            _ => {
                let cut = some(dice);
                let ranges = [(cut, len), (0, cut), (cut / 2, cut)];
                Fate::Ranges(ranges.into_iter().filter(|(start, end)| start < end).collect())
            }
        };
        let fate = if fate == Fate::Ranges(vec![]) { Fate::Whole } else { fate };
        Flow { push, len, sized: dice.once_in(2), fate }
    }
}

/// The octets behind a tag.
pub fn octets(tag: &str, len: usize) -> Vec<u8> {
    octets_at(tag, 0, len)
}

/// Those of them from `start` on.
pub fn octets_at(tag: &str, start: usize, len: usize) -> Vec<u8> {
    let seed = tag.bytes().fold(7u64, |sum, byte| sum.wrapping_mul(131).wrapping_add(u64::from(byte)));
    (start..start + len)
        .map(|i| (seed.wrapping_add(i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
        .collect()
}

/// What stands for the digest of a flow.
pub fn digest(tag: &str, len: usize) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(&octets(&format!("{tag}/{len}"), 32));
    digest
}
