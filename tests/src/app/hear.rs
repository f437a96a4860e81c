//! What the program makes of what happens.

use ropeway_core::{Accept, Action, Body, Code, Connection, Event, FlowId, Instant, LaneId, Refused, Storage, Table};

use super::{App, Take, Talk, Task, flow_key, key};
use crate::plan::{self, Fate, Flow, Who};

impl App {
    /// Something happened.
    pub fn hear<S: Storage>(&mut self, line: &mut Connection<S>, event: &Event<Vec<u8>>) {
        match event {
            Event::Ready(_) => self.ready = true,
            Event::Defined { table: Table::Actions, name, .. } => {
                let number = std::str::from_utf8(name).expect("UTF-8")[1..].parse().expect("a number");
                self.told.push(number);
            }
            Event::Message(message) => {
                self.takes.push_back(Take::Message(message.body.bytes.len()));
                let number = match message.action {
                    Action::Number(number) => number as usize - 1000,
                    Action::Name(index) => self.told[usize::from(index)],
                };
                let tag = format!("{number}m");
                self.begin_body(&tag, &message.body, message.size, message.attached);
                let whole = message.size == message.body.bytes.len() as u64;
                let exchange = self.plan.exchanges[number].clone();
                assert_eq!(exchange.answers.is_some(), message.wants_answer);
                let Some(lane) = message.lane else { return };
                let here = message.body.bytes.len() as u64;
                let talk = Talk { number, hearing: tag, at: here, responses: 0 };
                self.forget(lane);
                self.lanes.insert(key(lane), talk);
                if exchange.answers.is_some_and(|answers| answers.eager || whole) {
                    self.answer(lane, 0);
                }
                if let Some((Who::Accepter, after)) = exchange.given_up {
                    self.tasks.push(Task::GiveUp { lane, at: self.steps + after });
                }
            }
            Event::Response(answer) => {
                let lane = answer.lane;
                self.takes.push_back(Take::Lane(lane, answer.body.bytes.len()));
                let Some(talk) = self.lanes.get_mut(&key(lane)) else { panic!("{event:?}") };
                let tag = format!("{}r{}-", talk.number, talk.responses);
                talk.responses += 1;
                (talk.hearing, talk.at) = (tag.clone(), answer.body.bytes.len() as u64);
                self.begin_body(&tag, &answer.body, answer.size, answer.attached);
                if answer.last {
                    let number = self.lanes[&key(lane)].number;
                    self.word(&format!("{number}c"), "end");
                }
                self.forget_unsaid(line, lane);
            }
            Event::Code { lane, code } => {
                let number = self.lanes[&key(*lane)].number;
                self.word(&format!("{number}c"), format!("code {}", code.value()));
                self.forget_unsaid(line, *lane);
            }
            Event::Update { lane, body } => {
                self.takes.push_back(Take::Lane(*lane, body.bytes.len()));
                let talk = &self.lanes[&key(*lane)];
                let tag = format!("{}u{}", talk.number, talk.responses);
                let at = self.note(&tag).len() as u64;
                self.note(&tag).add(at, &body.bytes);
            }
            Event::Piece { lane, bytes, last } => {
                self.takes.push_back(Take::Lane(*lane, bytes.len()));
                let Some(talk) = self.lanes.get_mut(&key(*lane)) else { panic!("{event:?}") };
                let (tag, at) = (talk.hearing.clone(), talk.at);
                talk.at += bytes.len() as u64;
                let number = talk.number;
                self.note(&tag).add(at, bytes);
                if *last {
                    self.word(&tag, "whole");
                    let answers = self.plan.exchanges[number].answers.clone();
                    if tag.ends_with('m') && answers.is_some_and(|answers| !answers.eager) {
                        self.answer(*lane, 0);
                    }
                }
                self.forget_unsaid(line, *lane);
            }
            Event::Aborted { lane, .. } => self.forget(*lane),
            Event::Taken { lane } => {
                let number = self.lanes[&key(*lane)].number;
                self.word(&format!("{number}c"), "taken");
            }
            Event::Offer { flow, push, size, name, .. } => {
                let tag = String::from_utf8(name.clone()).expect("UTF-8");
                let flow_plan = self.plan.flows[&tag].clone();
                assert_eq!((*push, *size), (flow_plan.push, flow_plan.sized.then_some(flow_plan.len as u64)));
                self.word(&tag, "offer");
                self.flows.insert(flow_key(*flow), tag);
                self.on_offer(line, *flow, &flow_plan);
            }
            Event::Accepted { flow, start, end, prefix } => {
                let tag = &self.flows[&flow_key(*flow)];
                let len = self.plan.flows[tag].len as u64;
                let same = prefix.is_none_or(|prefix| prefix == [1; 32]);
                let start = if same { *start } else { 0 };
                self.tasks.push(Task::Begin { flow: *flow, start, end: end.unwrap_or(len).min(len) });
            }
            Event::Began { flow, start } => {
                let tag = self.flows[&flow_key(*flow)].clone();
                self.word(&tag, format!("from {start}"));
            }
            Event::Data { flow, offset, bytes } => {
                self.takes.push_back(Take::Flow(*flow, bytes.len()));
                let tag = self.flows[&flow_key(*flow)].clone();
                self.note(&tag).add(*offset, bytes);
                self.on_data(line, *flow, &tag);
            }
            Event::Finished { flow, digest } => self.on_finished(line, *flow, *digest),
            Event::Cancelled { flow, .. } => {
                let tag = self.flows[&flow_key(*flow)].clone();
                self.word(&tag, "cancelled");
                self.forget_flow(*flow);
            }
            Event::Done { flow, code } => {
                let tag = self.flows[&flow_key(*flow)].clone();
                self.word(&tag, format!("done {}", code.value()));
                self.forget_flow(*flow);
            }
            _ => {}
        }
    }

    fn begin_body(&mut self, tag: &str, body: &Body<Vec<u8>>, size: u64, attached: u16) {
        self.note(tag).add(0, &body.bytes);
        self.word(tag, format!("{:?} {size} {attached}", body.kind));
        if size == body.bytes.len() as u64 {
            self.word(tag, "whole");
        }
    }

    /// An answer may have ended what this end had to say.
    fn forget_unsaid<S: Storage>(&mut self, line: &mut Connection<S>, lane: LaneId) {
        let unsaid = |task: &Task| matches!(task, Task::Body { lane: of, .. } if *of == lane);
        let over = self.lanes[&key(lane)].hearing.contains('r') || self.notes.contains_key(&self.code_tag(lane));
        if over && self.tasks.iter().any(unsaid) && line.body(Instant::ZERO, lane, &[0; 4096]) == Err(Refused::NoLane) {
            self.forget(lane);
        }
    }

    fn code_tag(&self, lane: LaneId) -> String {
        format!("{}c", self.lanes[&key(lane)].number)
    }

    /// Nothing more is said on a lane.
    pub(super) fn forget(&mut self, lane: LaneId) {
        self.tasks.retain(|task| match task {
            Task::Body { lane: of, .. }
            | Task::Offer { lane: of, .. }
            | Task::Answer { lane: of, .. }
            | Task::GiveUp { lane: of, .. } => *of != lane,
            _ => true,
        });
    }

    fn forget_flow(&mut self, flow: FlowId) {
        self.tasks.retain(|task| match task {
            Task::Accept { flow: of, .. }
            | Task::Begin { flow: of, .. }
            | Task::Data { flow: of, .. }
            | Task::Resume { flow: of, .. } => *of != flow,
            _ => true,
        });
    }

    pub(super) fn answer(&mut self, lane: LaneId, next: usize) {
        let answers = self.plan.exchanges[self.lanes[&key(lane)].number].answers.as_ref();
        let updates = answers.and_then(|answers| answers.responses.get(next)).map_or(0, |(updates, _)| *updates);
        self.tasks.push(Task::Answer { lane, next, updates });
    }

    fn on_offer<S: Storage>(&mut self, line: &mut Connection<S>, flow: FlowId, plan: &Flow) {
        if plan.push {
            if plan.fate == Fate::Stopped(0) {
                line.done(flow, Code::CANCELLED).expect("it is open");
            }
            return;
        }
        let accept = match &plan.fate {
            Fate::Declined => {
                line.done(flow, Code::REJECTED).expect("it is open");
                return;
            }
            Fate::Tail(start, same) => {
                Accept { start: *start as u64, end: None, prefix: Some(if *same { [1; 32] } else { [2; 32] }) }
            }
            Fate::Ranges(ranges) => range(ranges[0]),
            _ => Accept::default(),
        };
        self.tasks.push(Task::Accept { flow, accept });
    }

    fn on_data<S: Storage>(&mut self, line: &mut Connection<S>, flow: FlowId, tag: &str) {
        let heard = self.notes[tag].len();
        let words = &self.notes[tag].words;
        match self.plan.flows[tag].fate {
            Fate::Stopped(at) if heard >= at => {
                line.done(flow, Code::CANCELLED).expect("it is open");
                self.word(tag, "stopped");
                self.forget_flow(flow);
            }
            Fate::Paused(Who::Accepter, at) if heard >= at && !words.contains(&"pause".into()) => {
                line.pause(flow, true).expect("it is open");
                self.word(tag, "pause");
                self.tasks.push(Task::Resume { flow, at: self.steps + 6 });
            }
            _ => {}
        }
    }

    fn on_finished<S: Storage>(&mut self, line: &mut Connection<S>, flow: FlowId, digest: Option<[u8; 32]>) {
        let tag = self.flows[&flow_key(flow)].clone();
        let flow_plan = self.plan.flows[&tag].clone();
        assert_eq!(digest, Some(plan::digest(&tag, flow_plan.len)));
        self.word(&tag, "finished");
        self.tasks.retain(|task| !matches!(task, Task::Resume { flow: of, .. } if *of == flow));
        if flow_plan.push {
            return;
        }
        if let Fate::Ranges(ranges) = &flow_plan.fate {
            let had = self.notes[&tag].words.iter().filter(|word| *word == "finished").count();
            if let Some(next) = ranges.get(had) {
                self.tasks.push(Task::Accept { flow, accept: range(*next) });
                return;
            }
        }
        line.done(flow, Code::OK).expect("it is finished");
    }
}

fn range((start, end): (usize, usize)) -> Accept {
    Accept { start: start as u64, end: Some(end as u64), prefix: None }
}
