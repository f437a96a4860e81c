//! Takes what people and programs said out of a trace, and leaves what the machine did with it.
//!
//! To a machine all octets of a body are alike. So another machine is told the same with zeros in their place, and what comes
//! of that is what is recorded: what it sends has the zeros where they belong, and the trace replays like any other.

use std::ops::Range;

use ropeway_core::wire::hello::Hello;
use ropeway_core::wire::{self, Frame};
use ropeway_core::{Accept, Instant};

use super::call::{Call, Given, MOST, Said};
use super::field::Fields;
use super::header::{self, Header};
use super::record::Held;
use super::replay::Replay;

pub(super) struct Redactor {
    machine: Replay,
    at: u64,
    /// The header has passed.
    begun: bool,
    block: Vec<u8>,
    input: Vec<u8>,
    out: Vec<u8>,
}

/// As many as can stand in the place of anything.
static ZEROS: [u8; MOST] = [0; MOST];

impl Redactor {
    pub(super) fn new(header: &Header) -> Redactor {
        Redactor {
            machine: Replay::new(header),
            at: header.start.as_micros(),
            begun: false,
            block: Vec::new(),
            input: Vec::new(),
            out: Vec::new(),
        }
    }

    /// What goes into the trace instead of these records, which are whole.
    pub(super) fn pass(&mut self, records: &[u8]) -> &[u8] {
        self.out.clear();
        let mut records = records;
        if !std::mem::replace(&mut self.begun, true) {
            let (header, rest) = records.split_at(header::len(records));
            self.out.extend_from_slice(header);
            records = rest;
        }
        let mut from = Fields::new(records);
        while !from.is_at_end() {
            let Ok(record) = from.field::<&[u8]>("record") else { break };
            self.record(record);
        }
        &self.out
    }

    fn record(&mut self, record: &[u8]) {
        let (delta, behind, call) = match Held::decode(record) {
            Ok(Held::Call { delta, behind, call, .. }) => (delta, behind, call),
            Ok(end @ Held::End { .. }) => return end.encode(&mut self.block, &mut self.out),
            // Only what was encoded here comes here.
            Err(_) => return,
        };
        self.at += delta;
        let now = Instant::from_micros(self.at - behind);
        let call = match call {
            Call::Input { octets } => {
                self.clear(octets);
                Call::Input { octets: &self.input }
            }
            call => redacted(call),
        };
        let outcome = self.machine.tell(&call, now);
        Held::Call { delta, behind, call, outcome }.encode(&mut self.block, &mut self.out);
    }
}

impl Redactor {
    /// Copies a frame with zeros where somebody wrote what is there. What is none is cut where that is certain, and of what is
    /// left, as of a hello, nothing is kept that is not needed to tell the same of it.
    fn clear(&mut self, octets: &[u8]) {
        let machine = self.machine.machine();
        let (limit, input) = (machine.limits().frame, &mut self.input);
        input.clear();
        input.extend_from_slice(octets);
        if machine.peer().is_none() {
            return match Hello::decode(octets) {
                Ok(Some(found)) => {
                    input.truncate(found.1);
                    keep_least(input, 0..found.1, &|octets| Hello::decode(octets) == Ok(Some(found)));
                }
                Ok(None) => input.clear(),
                Err(error) => show(input, |octets| Hello::decode(octets) == Err(error)),
            };
        }
        let (frame, len) = match Frame::decode(octets, limit) {
            Ok(Some(found)) => found,
            Ok(None) => return input.clear(),
            Err(error) => return show(input, |octets| Frame::decode(octets, limit) == Err(error)),
        };
        input.truncate(len);
        let mut clear = |part: &[u8]| {
            let at = part.as_ptr().addr().wrapping_sub(octets.as_ptr().addr());
            if let Some(part) = input.get_mut(at..at.wrapping_add(part.len())) {
                part.fill(0);
            }
        };
        match frame {
            Frame::Notice(wire::Notice { body, .. })
            | Frame::Open(wire::Open { body, .. })
            | Frame::Response(wire::Response { body, .. })
            | Frame::Update(wire::Update { body, .. }) => clear(body.bytes),
            Frame::Body(wire::Piece { bytes, .. }) | Frame::Data { bytes, .. } | Frame::Skipped { bytes, .. } => {
                clear(bytes)
            }
            Frame::Offer(wire::Offer { media, name, .. }) => {
                clear(media.as_bytes());
                clear(name.as_bytes());
            }
            Frame::Close(wire::Close { reason, .. }) => clear(reason.as_bytes()),
            // The digest is the last of the frame.
            Frame::Finish { digest: Some(_), .. } | Frame::Accept(wire::Accept { prefix: Some(_), .. }) => {
                clear(&octets[len.saturating_sub(32)..len]);
            }
            _ => {}
        }
    }
}

/// Leaves the shortest beginning that is so, and zeros in the place of what it does not need for that.
fn show(octets: &mut Vec<u8>, is_so: impl Fn(&[u8]) -> bool) {
    let len = (0..=octets.len()).find(|len| is_so(&octets[..*len])).unwrap_or(0);
    octets.truncate(len);
    keep_least(octets, 0..len, &is_so);
}

/// Puts zeros in the place of as much of a part as can be while all is so. Halving finds the few that are needed.
fn keep_least(octets: &mut [u8], part: Range<usize>, is_so: &impl Fn(&[u8]) -> bool) {
    let before = octets[part.clone()].to_vec();
    octets[part.clone()].fill(0);
    if is_so(octets) {
        return;
    }
    octets[part.clone()].copy_from_slice(&before);
    if part.len() > 1 {
        let middle = part.start + part.len() / 2;
        keep_least(octets, part.start..middle, is_so);
        keep_least(octets, middle..part.end, is_so);
    }
}

/// What is not input, with zeros.
fn redacted(call: Call<'_>) -> Call<'_> {
    match call {
        Call::Close { code, reason } => Call::Close { code, reason: blank(reason) },
        Call::Notify(said) => Call::Notify(Said { given: zeros(said.given), ..said }),
        Call::Request(said) => Call::Request(Said { given: zeros(said.given), ..said }),
        Call::Respond { lane, code, kind, size, attached, more, given } => {
            Call::Respond { lane, code, kind, size, attached, more, given: zeros(given) }
        }
        Call::Update { lane, kind, given } => Call::Update { lane, kind, given: zeros(given) },
        Call::Body { lane, given } => Call::Body { lane, given: zeros(given) },
        Call::Data { flow, given } => Call::Data { flow, given: zeros(given) },
        Call::Offer { lane, push, size, media, name } => {
            Call::Offer { lane, push, size, media: blank(media), name: blank(name) }
        }
        Call::Accept { flow, accept } => {
            Call::Accept { flow, accept: Accept { prefix: accept.prefix.map(|_| [0; 32]), ..accept } }
        }
        Call::Finish { flow, digest } => Call::Finish { flow, digest: digest.map(|_| [0; 32]) },
        other => other,
    }
}

fn zeros(given: Given<'_>) -> Given<'_> {
    Given { taken: &ZEROS[..given.taken.len().min(MOST)], ..given }
}

fn blank(text: &str) -> &str {
    std::str::from_utf8(&ZEROS[..text.len().min(MOST)]).unwrap_or_default()
}
