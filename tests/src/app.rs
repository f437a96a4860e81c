//! A program that carries out its side of a [`Plan`], and notes what it hears.
//!
//! It is a driver in miniature: what is refused for want of room is tried again, and what was heard is taken some time
//! later.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use ropeway_core::{
    Accept, Action, Body, Code, Connection, Event, FlowId, Instant, LaneId, Offer, Refused, Respond, Send, Side,
    Storage, Table,
};

use crate::plan::{self, Fate, Flow, Plan, Who, digest, octets, octets_at};

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
    Body { lane: LaneId, octets: Vec<u8>, at: usize },
    Offer { lane: LaneId, tag: String },
    /// The next answer; `updates` of them are to be said before it.
    Answer { lane: LaneId, next: usize, updates: u8 },
    GiveUp { lane: LaneId, at: u32 },
    Accept { flow: FlowId, accept: Accept },
    Begin { flow: FlowId, start: u64, end: u64 },
    Data { flow: FlowId, at: u64, end: u64 },
    Resume { flow: FlowId, at: u32 },
}

#[derive(Clone, Debug)]
enum Take {
    Message(usize),
    Lane(LaneId, usize),
    Flow(FlowId, usize),
}

/// What became of a task.
enum Done {
    Yes,
    /// Tried, and refused.
    Later,
    /// Something was said, and there is more.
    Go,
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

    // ---- hearing

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
    fn forget(&mut self, lane: LaneId) {
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

    fn answer(&mut self, lane: LaneId, next: usize) {
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

    // ---- saying

    /// Does what can be done now; whether anything was.
    pub fn step<S: Storage>(&mut self, line: &mut Connection<S>, now: Instant) -> bool {
        if !self.ready || line.closed().is_some() {
            return false;
        }
        self.steps += 1;
        let mut did = false;
        let held = if self.tasks.is_empty() && self.unopened.is_empty() { 0 } else { self.lag };
        // One at a time, so that none is held for good.
        if self.takes.len() > held || self.steps % 4 == 0 {
            did |= self.take(line);
        }
        while let Some(number) = self.unopened.front().copied() {
            if !self.open(line, now, number) {
                break;
            }
            self.unopened.pop_front();
            did = true;
        }
        for task in std::mem::take(&mut self.tasks) {
            let mut task = task;
            loop {
                match self.try_task(line, now, &mut task) {
                    Done::Yes => did = true,
                    Done::Later => self.tasks.push(task),
                    Done::Go => {
                        did = true;
                        continue;
                    }
                }
                break;
            }
        }
        did
    }

    fn take<S: Storage>(&mut self, line: &mut Connection<S>) -> bool {
        match self.takes.pop_front() {
            Some(Take::Message(len)) => line.take_message(len),
            Some(Take::Lane(lane, len)) => line.take_lane(lane, len),
            Some(Take::Flow(flow, len)) => line.take_flow(flow, len),
            None => return false,
        }
        true
    }

    fn open<S: Storage>(&mut self, line: &mut Connection<S>, now: Instant, number: usize) -> bool {
        let plan = self.plan.clone();
        let exchange = &plan.exchanges[number];
        if exchange.answers.is_some() && !line.has_free_lane() {
            return false;
        }
        let action = if exchange.named {
            let defined = self.defined.get(&number).copied();
            match defined.map_or_else(|| line.define(Table::Actions, &format!("x{number}"), Some(9)), Ok) {
                Ok(index) => {
                    self.defined.insert(number, index);
                    Action::Name(index)
                }
                Err(refused) => return later(refused),
            }
        } else {
            Action::Number(1000 + number as u32)
        };
        if !self.defined.contains_key(&usize::MAX) {
            match line.define(Table::Types, "t", None) {
                Ok(index) => _ = self.defined.insert(usize::MAX, index),
                Err(refused) => return later(refused),
            }
        }
        let tag = format!("{number}m");
        let whole = octets(&tag, exchange.body.len);
        let attached = exchange.body.flows.len() as u16;
        let send = Send { attached, ..Send::new(action, exchange.body.kind, &whole) };
        let sent = if exchange.answers.is_some() { line.request(now, &send) } else { line.notify(now, &send) };
        let sent = match sent {
            Ok(sent) => sent,
            Err(refused) => return later(refused),
        };
        let Some(lane) = sent.lane else { return true };
        self.forget(lane);
        self.lanes.insert(key(lane), Talk { number, hearing: String::new(), at: 0, responses: 0 });
        self.say_rest(lane, whole, sent.taken, &exchange.body.flows);
        if let Some((Who::Opener, after)) = exchange.given_up {
            self.tasks.push(Task::GiveUp { lane, at: self.steps + after });
        }
        true
    }

    fn say_rest(&mut self, lane: LaneId, octets: Vec<u8>, at: usize, flows: &[String]) {
        if at < octets.len() {
            self.tasks.push(Task::Body { lane, octets, at });
        }
        self.tasks.extend(flows.iter().map(|tag| Task::Offer { lane, tag: tag.clone() }));
    }

    fn try_task<S: Storage>(&mut self, line: &mut Connection<S>, now: Instant, task: &mut Task) -> Done {
        match task {
            Task::Body { lane, octets, at } => match line.body(now, *lane, &octets[*at..]) {
                Ok(len) => {
                    *at += len;
                    if *at == octets.len() { Done::Yes } else { Done::Go }
                }
                Err(refused) => wait(refused),
            },
            Task::Offer { lane, tag } => {
                let flow_plan = self.plan.flows[tag].clone();
                let size = flow_plan.sized.then_some(flow_plan.len as u64);
                match line.offer(*lane, &Offer { push: flow_plan.push, size, media: "x/y", name: tag }) {
                    Ok(flow) => {
                        self.flows.insert(flow_key(flow), tag.clone());
                        if flow_plan.push {
                            self.tasks.push(Task::Data { flow, at: 0, end: flow_plan.len as u64 });
                        }
                        Done::Yes
                    }
                    Err(refused) => wait(refused),
                }
            }
            Task::Answer { lane, next, updates } => self.try_answer(line, *lane, *next, updates),
            Task::GiveUp { lane, at } if self.steps >= *at => {
                let lane = *lane;
                if line.abort(lane, Code::CANCELLED).is_ok() {
                    self.forget(lane);
                }
                Done::Yes
            }
            Task::GiveUp { .. } => Done::Later,
            Task::Accept { flow, accept } => match line.accept(*flow, accept) {
                Ok(()) => Done::Yes,
                Err(refused) => wait(refused),
            },
            Task::Begin { flow, start, end } => match line.begin(*flow, *start) {
                Ok(()) => {
                    self.tasks.push(Task::Data { flow: *flow, at: *start, end: *end });
                    Done::Yes
                }
                Err(refused) => wait(refused),
            },
            Task::Data { flow, at, end } => self.try_data(line, *flow, at, *end),
            Task::Resume { flow, at } if self.steps >= *at => {
                let _ = line.pause(*flow, false);
                Done::Yes
            }
            Task::Resume { .. } => Done::Later,
        }
    }

    fn try_answer<S: Storage>(
        &mut self,
        line: &mut Connection<S>,
        lane: LaneId,
        next: usize,
        updates: &mut u8,
    ) -> Done {
        let number = self.lanes[&key(lane)].number;
        let plan = self.plan.clone();
        let answers = plan.exchanges[number].answers.as_ref().expect("a request");
        let Some((_, body)) = answers.responses.get(next) else {
            let Some(code) = answers.code else { return Done::Yes };
            return match line.respond_code(lane, code) {
                Ok(()) => Done::Yes,
                // Something of the last response is still to be said.
                Err(Refused::WrongState) => Done::Later,
                Err(refused) => wait(refused),
            };
        };
        if *updates > 0 {
            let bytes = [number as u8, next as u8, *updates];
            return match line.update(lane, Body { kind: ropeway_core::Kind::Bytes, bytes: &bytes }) {
                Ok(()) => {
                    *updates -= 1;
                    Done::Go
                }
                Err(refused) => wait(refused),
            };
        }
        if !self.defined.contains_key(&usize::MAX) {
            match line.define(Table::Types, "t", None) {
                Ok(index) => _ = self.defined.insert(usize::MAX, index),
                Err(refused) => return wait(refused),
            }
        }
        let whole = octets(&format!("{number}r{next}-"), body.len);
        let more = next + 1 < answers.responses.len() || answers.code.is_some();
        let code = Code::new(next as u16 * 100).expect("a small code");
        let attached = body.flows.len() as u16;
        let respond = Respond { code, attached, more, ..Respond::new(body.kind, &whole) };
        match line.respond(lane, &respond) {
            Ok(sent) => {
                self.say_rest(lane, whole, sent.taken, &body.flows);
                if more {
                    self.answer(lane, next + 1);
                }
                Done::Yes
            }
            Err(Refused::WrongState) => Done::Later,
            Err(refused) => wait(refused),
        }
    }

    fn try_data<S: Storage>(&mut self, line: &mut Connection<S>, flow: FlowId, at: &mut u64, end: u64) -> Done {
        let tag = self.flows[&flow_key(flow)].clone();
        let plan = self.plan.clone();
        let flow_plan = &plan.flows[&tag];
        match flow_plan.fate {
            Fate::Cancelled(after) if *at >= after as u64 => {
                line.cancel(flow, Code::CHANGED).expect("it is open");
                return Done::Yes;
            }
            Fate::Paused(Who::Opener, after) if *at >= after as u64 && !self.note(&tag).words.contains(&"pause".into()) => {
                line.pause(flow, true).expect("it is open");
                self.word(&tag, "pause");
                self.tasks.push(Task::Resume { flow, at: self.steps + 6 });
            }
            _ => {}
        }
        if *at == end {
            return match line.finish(flow, Some(digest(&tag, flow_plan.len))) {
                Ok(()) => Done::Yes,
                Err(refused) => wait(refused),
            };
        }
        // No frame takes more.
        let len = (end - *at).min(256) as usize;
        match line.data(flow, &octets_at(&tag, *at as usize, len)) {
            Ok(len) => {
                *at += len as u64;
                Done::Go
            }
            Err(refused) => wait(refused),
        }
    }

    // ---- comparing

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

fn key(lane: LaneId) -> (bool, u16) {
    (lane.opened_by() == Side::Us, lane.number())
}

fn flow_key(flow: FlowId) -> (bool, u16) {
    (flow.sent_by() == Side::Us, flow.number())
}

fn range((start, end): (usize, usize)) -> Accept {
    Accept { start: start as u64, end: Some(end as u64), prefix: None }
}

/// What is refused for good is a fault of this program.
fn later(refused: Refused) -> bool {
    assert!(matches!(refused, Refused::Later), "{refused}");
    false
}

/// What is not open any more was given up.
fn wait(refused: Refused) -> Done {
    match refused {
        Refused::Later => Done::Later,
        Refused::NoLane | Refused::NoFlow => Done::Yes,
        // Another range, or the end of the flow, came between.
        refused => panic!("{refused}"),
    }
}
