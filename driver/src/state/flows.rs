//! Flows, in either direction: what came on them, and who waits for it.

use std::collections::VecDeque;
use std::task::Waker;

use bytes::Bytes;
use ropeway_core as core;
use ropeway_core::{Code, FlowId};

use super::State;
use crate::recycled::Recycled;
use crate::slab::Key;

/// A flow that this end sends.
pub(crate) struct Out {
    pub(crate) flow: FlowId,
    pub(crate) waker: Option<Waker>,
    pub(crate) accepted: Option<core::Accept>,
    pub(crate) paused: bool,
    /// It is over, and how.
    pub(crate) done: Option<Code>,
}

/// A flow that the peer sends.
pub(crate) struct In {
    pub(crate) flow: FlowId,
    pub(crate) push: bool,
    pub(crate) size: Option<u64>,
    pub(crate) media: Box<str>,
    pub(crate) name: Box<str>,
    pub(crate) waker: Option<Waker>,
    pub(crate) began: Option<u64>,
    pub(crate) queue: VecDeque<Bytes>,
    pub(crate) memory: Recycled,
    pub(crate) paused: bool,
    pub(crate) finished: Option<Option<[u8; 32]>>,
    pub(crate) cancelled: Option<Code>,
}

impl State {
    pub(crate) fn new_out(&mut self, flow: FlowId) -> Key {
        let key = self.outs.insert(Out { flow, waker: None, accepted: None, paused: false, done: None });
        self.sending.set(flow.number(), key);
        key
    }

    /// Nobody sends any more. What is not finished is cancelled.
    pub(crate) fn drop_out(&mut self, key: Key, code: Code) {
        let Some(out) = self.outs.remove(key) else { return };
        if out.done.is_none() {
            self.sending.set(out.flow.number(), Key::NONE);
            let _ = self.machine.cancel(out.flow, code);
        }
    }

    /// Lets go of a flow that was finished; the peer's last word is not waited for.
    pub(crate) fn forget_out(&mut self, key: Key) {
        if let Some(out) = self.outs.remove(key)
            && out.done.is_none()
        {
            self.sending.set(out.flow.number(), Key::NONE);
        }
    }

    /// Nobody reads any more. What is not over is stopped.
    pub(crate) fn drop_in(&mut self, key: Key, code: Code) {
        let flow = self.receiving(key);
        let Some(input) = self.ins.remove(key) else { return };
        let Some(flow) = flow else { return };
        self.receiving.set(flow.number(), Key::NONE);
        for octets in input.queue {
            self.machine.take_flow(flow, octets.len());
        }
        let _ = self.machine.done(flow, code);
    }

    /// The flow, while it still is: its number may belong to another by now.
    pub(crate) fn receiving(&mut self, key: Key) -> Option<FlowId> {
        let flow = self.ins.get_mut(key)?.flow;
        if self.receiving.get(flow.number()) == key { Some(flow) } else { None }
    }

    pub(super) fn on_in(&mut self, flow: FlowId, change: impl FnOnce(&mut In)) {
        if let Some(input) = self.ins.get_mut(self.receiving.get(flow.number())) {
            change(input);
            self.wakes.extend(input.waker.take());
        }
    }

    pub(super) fn on_out(&mut self, flow: FlowId, change: impl FnOnce(&mut Out)) {
        if let Some(out) = self.outs.get_mut(self.sending.get(flow.number())) {
            change(out);
            self.wakes.extend(out.waker.take());
        }
    }
}
