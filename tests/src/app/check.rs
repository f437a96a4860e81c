//! Whether what was heard is what the plan says.

use super::{App, Note};
use crate::plan::{self, Fate, octets};

impl App {
    /// Checks all that was heard here against the plan. `all` may be false when the line was cut.
    pub fn check(&self, all: bool) {
        for (number, exchange) in self.plan.exchanges.iter().enumerate() {
            let whole = all && exchange.given_up.is_none();
            let eager = exchange.answers.as_ref().is_some_and(|answers| answers.eager);
            if exchange.by_client != self.is_client {
                self.check_body(&format!("{number}m"), &exchange.body, whole && !eager, whole);
                continue;
            }
            for (i, (updates, body)) in exchange.answers.iter().flat_map(|a| &a.responses).enumerate() {
                self.check_body(&format!("{number}r{i}-"), body, whole, whole);
                let said: Vec<u8> = (1..=*updates).rev().flat_map(|u| [number as u8, i as u8, u]).collect();
                let heard = self.notes.get(&format!("{number}u{i}")).cloned().unwrap_or_default();
                let heard: Vec<u8> = heard.stretches.into_iter().flat_map(|(_, bytes)| bytes).collect();
                assert!(said.starts_with(&heard) && (!whole || said == heard), "updates of {number}");
            }
            let end = self.notes.get(&format!("{number}c")).map(|note| note.words.join(","));
            let code = exchange.answers.as_ref().and_then(|answers| answers.code);
            let right = match (&exchange.answers, code) {
                (Some(_), Some(code)) => format!("code {}", code.value()),
                (Some(_), None) => "end".into(),
                (None, _) => "taken".into(),
            };
            match end {
                Some(end) => assert_eq!(end, right, "the end of {number}"),
                None => assert!(!whole || exchange.answers.is_none(), "no answer to {number}"),
            }
        }
    }

    fn check_body(&self, tag: &str, body: &plan::Body, whole: bool, begun: bool) {
        let Some(note) = self.notes.get(tag) else {
            assert!(!begun, "{tag} was not heard");
            return;
        };
        self.check_octets(tag, note, body.len);
        assert_eq!(note.words[0], format!("{:?} {} {}", body.kind, body.len, body.flows.len()), "{tag}");
        assert_eq!(note.len() == body.len, note.words.last().is_some_and(|word| word == "whole"), "{tag}");
        assert!(!whole || note.len() == body.len, "{tag}: {} of {} octets", note.len(), body.len);
        for flow in &body.flows {
            self.check_flow(flow, begun && whole);
        }
    }

    /// What was heard of a flow sent by the other end.
    fn check_flow(&self, tag: &str, whole: bool) {
        let flow = &self.plan.flows[tag];
        let Some(note) = self.notes.get(tag) else {
            assert!(!whole, "{tag} was not offered");
            return;
        };
        let heard = note.len();
        self.check_octets(tag, note, flow.len);
        if !whole {
            return;
        }
        let right = match &flow.fate {
            Fate::Whole | Fate::Paused(..) => heard == flow.len,
            Fate::Declined => heard == 0,
            Fate::Tail(start, same) => heard == if *same { flow.len - start } else { flow.len },
            Fate::Ranges(ranges) => heard == ranges.iter().map(|(start, end)| end - start).sum(),
            Fate::Stopped(at) => heard >= *at,
            Fate::Cancelled(at) => heard >= *at,
        };
        assert!(right, "{tag}: {heard} octets of {flow:?}: {:?}", note.words);
    }

    fn check_octets(&self, tag: &str, note: &Note, len: usize) {
        let said = octets(tag, len);
        for (offset, bytes) in &note.stretches {
            let start = *offset as usize;
            assert_eq!(said.get(start..start + bytes.len()), Some(&bytes[..]), "{tag} at {offset}");
        }
    }
}
