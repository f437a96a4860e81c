//! What the program has to say, and tries until it is said.

use ropeway_core::{
    Action, Body, Code, Connection, FlowId, Instant, LaneId, Offer, Refused, Respond, Send, Storage, Table,
};

use super::{App, Take, Talk, Task, flow_key, key};
use crate::plan::{Fate, Who, digest, octets, octets_at};

/// What became of a task.
enum Done {
    Yes,
    /// Tried, and refused.
    Later,
    /// Something was said, and there is more.
    Go,
}

impl App {
    /// Does what can be done now; whether anything was.
    pub fn step<S: Storage>(&mut self, line: &mut Connection<S>, now: Instant) -> bool {
        if !self.ready || line.closed().is_some() {
            return false;
        }
        self.steps += 1;
        let mut did = false;
        let held = if self.tasks.is_empty() && self.unopened.is_empty() { 0 } else { self.lag };
        // One at a time, so that none is held for good.
        if self.takes.len() > held || self.steps.is_multiple_of(4) {
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
        if let Err(refused) = self.define_type(line) {
            return later(refused);
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

    /// The one type that bodies have gets its index.
    fn define_type<S: Storage>(&mut self, line: &mut Connection<S>) -> Result<(), Refused> {
        if !self.typed {
            line.define(Table::Types, "t", None)?;
            self.typed = true;
        }
        Ok(())
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
            Task::Begin { flow, start, end } => match line.begin(now, *flow, *start) {
                Ok(()) => {
                    self.tasks.push(Task::Data { flow: *flow, at: *start, end: *end });
                    Done::Yes
                }
                Err(refused) => wait(refused),
            },
            Task::Data { flow, at, end } => self.try_data(line, now, *flow, at, *end),
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
        if let Err(refused) = self.define_type(line) {
            return wait(refused);
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

    fn try_data<S: Storage>(
        &mut self,
        line: &mut Connection<S>,
        now: Instant,
        flow: FlowId,
        at: &mut u64,
        end: u64,
    ) -> Done {
        let tag = self.flows[&flow_key(flow)].clone();
        let plan = self.plan.clone();
        let flow_plan = &plan.flows[&tag];
        match flow_plan.fate {
            Fate::Cancelled(after) if *at >= after as u64 => {
                line.cancel(flow, Code::CHANGED).expect("it is open");
                return Done::Yes;
            }
            Fate::Paused(Who::Opener, after)
                if *at >= after as u64 && !self.note(&tag).words.contains(&"pause".into()) =>
            {
                line.pause(flow, true).expect("it is open");
                self.word(&tag, "pause");
                self.tasks.push(Task::Resume { flow, at: self.steps + 6 });
            }
            _ => {}
        }
        if *at == end {
            return match line.finish(now, flow, Some(digest(&tag, flow_plan.len))) {
                Ok(()) => Done::Yes,
                Err(refused) => wait(refused),
            };
        }
        // No frame takes more.
        let len = (end - *at).min(256) as usize;
        match line.data(now, flow, &octets_at(&tag, *at as usize, len)) {
            Ok(len) => {
                *at += len as u64;
                Done::Go
            }
            Err(refused) => wait(refused),
        }
    }
}

/// What is refused for good is a fault of this program.
fn later(refused: Refused) -> bool {
    assert!(matches!(refused, Refused::Later(_)), "{refused}");
    false
}

/// What is not open any more was given up.
fn wait(refused: Refused) -> Done {
    match refused {
        Refused::Later(_) => Done::Later,
        Refused::NoLane | Refused::NoFlow => Done::Yes,
        // Another range, or the end of the flow, came between.
        refused => panic!("{refused}"),
    }
}
