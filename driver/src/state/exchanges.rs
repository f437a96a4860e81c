//! Exchanges, on either side: what came on them, and who waits for it.

use std::collections::VecDeque;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use ropeway_core as core;
use ropeway_core::{Code, Kind, LaneId, MessageId, Respond, Side};

use super::State;
use crate::body::Octets;
use crate::error::Failure;
use crate::slab::Key;

/// A message that came, or the first frame of it.
pub(crate) struct Raw {
    pub(crate) id: MessageId,
    pub(crate) action: core::Action,
    pub(crate) kind: Kind,
    pub(crate) octets: Octets,
    pub(crate) size: u64,
    pub(crate) wants_answer: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) attached: u16,
    pub(crate) sealed: bool,
    /// Octets charged to the window.
    pub(crate) charged: usize,
    pub(crate) lane: Option<(LaneId, Key)>,
}

/// The peer's half of an exchange, on either side.
#[derive(Default)]
pub(crate) struct Arrived {
    pub(crate) waker: Option<Waker>,
    /// The peer gave up.
    pub(crate) aborted: Option<Code>,
    /// What most exchanges do without.
    more: Option<Box<More>>,
}

/// What comes besides a small message and one small answer.
#[derive(Default)]
struct More {
    /// Pieces of bodies that nobody has asked for yet, one body behind the other. They wait within the lane's credit.
    pieces: VecDeque<Bytes>,
    /// Somebody wants the current body whole: what has come of it, and its size. Credit goes back at once, and nobody is
    /// woken before the last piece.
    wanted: Option<Wanted>,
    /// Flows that were offered and not yet claimed.
    offers: VecDeque<Key>,
    /// Answers behind the first.
    replies: VecDeque<RawReply>,
}

/// A body on its way.
pub(crate) struct Wanted {
    pub(crate) octets: Vec<u8>,
    pub(crate) size: u64,
}

impl Wanted {
    /// Grows eightfold: a large body is moved seldom, and one that was only announced takes nothing.
    fn extend(&mut self, piece: &[u8]) {
        let len = self.octets.len() + piece.len();
        if len > self.octets.capacity() {
            let size = usize::try_from(self.size).unwrap_or(usize::MAX);
            self.octets.reserve_exact(len.saturating_mul(8).min(size).max(len) - self.octets.len());
        }
        self.octets.extend_from_slice(piece);
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.octets.len() as u64 >= self.size
    }
}

impl Arrived {
    pub(super) fn waking(waker: Waker) -> Arrived {
        Arrived { waker: Some(waker), ..Arrived::default() }
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// A piece of a body. Whether somebody wanted it, so that it is taken, and has all of the body now.
    pub(super) fn push_piece(&mut self, piece: &[u8]) -> (bool, bool) {
        let more = self.more();
        match &mut more.wanted {
            Some(wanted) if !wanted.is_whole() => {
                wanted.extend(piece);
                (true, wanted.is_whole())
            }
            // It belongs to the next body, which nobody has asked for.
            _ => {
                more.pieces.push_back(Bytes::copy_from_slice(piece));
                (false, false)
            }
        }
    }

    /// The pieces that nobody will ask for.
    pub(super) fn take_pieces(&mut self) -> VecDeque<Bytes> {
        self.more.as_mut().map(|more| std::mem::take(&mut more.pieces)).unwrap_or_default()
    }

    pub(super) fn push_offer(&mut self, offer: Key) {
        self.more().offers.push_back(offer);
    }

    pub(crate) fn next_offer(&mut self) -> Option<Key> {
        self.more.as_mut()?.offers.pop_front()
    }

    pub(super) fn take_offers(&mut self) -> VecDeque<Key> {
        self.more.as_mut().map(|more| std::mem::take(&mut more.offers)).unwrap_or_default()
    }

    /// Whether nothing that came is left to take.
    fn is_empty(&self) -> bool {
        self.more.as_ref().is_none_or(|more| more.is_empty())
    }

    /// Asks for a body of which `first` has come. `take` gives credit back for the pieces that waited.
    pub(crate) fn want(&mut self, first: &[u8], size: u64, mut take: impl FnMut(usize)) {
        let mut wanted = Wanted { octets: Vec::new(), size };
        wanted.extend(first);
        let more = self.more();
        // Those behind it belong to the next body.
        while !wanted.is_whole()
            && let Some(piece) = more.pieces.pop_front()
        {
            wanted.extend(&piece);
            take(piece.len());
        }
        more.wanted = Some(wanted);
    }

    /// Whether a body was asked for that has not been taken.
    pub(crate) fn is_wanted(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.wanted.is_some())
    }

    /// The body that was asked for, if it is whole.
    pub(crate) fn whole(&mut self) -> Option<Octets> {
        let wanted = self.more.as_mut()?.wanted.take_if(|wanted| wanted.is_whole())?;
        Some(Octets::Shared(wanted.octets.into()))
    }

    /// Lets go of what a burst has left behind.
    pub(super) fn rest(&mut self) {
        self.more.take_if(|more| more.is_empty() && more.wanted.is_none());
    }
}

impl More {
    fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.offers.is_empty() && self.replies.is_empty()
    }
}

/// An exchange that this end opened.
pub(crate) struct Call {
    /// `None` when it is over.
    pub(crate) lane: Option<LaneId>,
    pub(crate) heard: Arrived,
    /// Most requests have one answer, which then costs no allocation.
    reply: Option<RawReply>,
    pub(crate) expired: bool,
    /// A notice with a lane: the peer has all of it.
    pub(crate) taken: bool,
    /// Who wants room for more of the body.
    pub(crate) writer: Option<Waker>,
}

impl Call {
    pub(super) fn push_reply(&mut self, reply: RawReply) {
        if self.is_answered() {
            self.heard.more().replies.push_back(reply);
        } else {
            self.reply = Some(reply);
        }
    }

    pub(crate) fn next_reply(&mut self) -> Option<RawReply> {
        let reply = self.reply.take()?;
        if let Some(more) = &mut self.heard.more {
            self.reply = more.replies.pop_front();
        }
        Some(reply)
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.reply.is_some()
    }

    /// Nothing more will come, and nothing that came is left to take.
    pub(crate) fn is_over(&self) -> bool {
        self.lane.is_none() && !self.is_answered() && self.heard.is_empty()
    }
}

/// An answer that came, or the first frame of it.
pub(crate) enum RawReply {
    Code(Code),
    Response { id: MessageId, code: Code, kind: Kind, octets: Octets, size: u64, attached: u16, last: bool },
    Update { kind: Kind, octets: Octets },
}

/// An exchange that the peer opened.
pub(crate) struct Served {
    /// `None` when nothing more can be said on it.
    pub(crate) lane: Option<LaneId>,
    pub(crate) id: MessageId,
    pub(crate) heard: Arrived,
    /// The peer gave up behind the last answer, which is none of the handler's business.
    pub(crate) answered: bool,
    pub(crate) writer: Option<Waker>,
    /// Who runs the handler, and stops it when the exchange is over.
    pub(crate) watcher: Key,
}

/// An exchange that this end holds by its key: the number of its lane may belong to another by now.
#[derive(Clone, Copy)]
pub(crate) enum On {
    Asked(Key),
    Served(Key),
}

impl State {
    /// The lane of an exchange while something can be said on it. The task is woken when the peer gives it up.
    pub(crate) fn lane_of(&mut self, on: On, cx: &Context<'_>) -> Option<LaneId> {
        match on {
            On::Asked(key) => {
                let call = self.calls.get_mut(key)?;
                call.writer = Some(cx.waker().clone());
                self.asking(key)
            }
            On::Served(key) => {
                self.wait_for_lane(key, cx);
                self.serving(key)
            }
        }
    }

    /// Whether the peer gave an exchange up.
    pub(crate) fn given_up(&mut self, on: On) -> Option<Code> {
        match on {
            On::Asked(key) => self.calls.get_mut(key)?.heard.aborted,
            On::Served(key) => self.aborted(key),
        }
    }

    /// An exchange just opened by the task, which is woken when an answer comes.
    pub(crate) fn new_call(&mut self, lane: LaneId, cx: &Context<'_>) -> Key {
        let key = self.calls.insert(Call {
            lane: Some(lane),
            heard: Arrived::waking(cx.waker().clone()),
            reply: None,
            expired: false,
            taken: false,
            writer: None,
        });
        self.opened.set(lane.number(), key);
        key
    }

    /// Nobody waits for the answers any more.
    pub(crate) fn drop_call(&mut self, key: Key) {
        let lane = self.asking(key);
        let Some(mut call) = self.calls.remove(key) else { return };
        if let Some(lane) = lane {
            self.opened.set(lane.number(), Key::NONE);
            let _ = self.machine.abort(lane, Code::CANCELLED);
        }
        self.drop_offers(call.heard.take_offers(), Code::CANCELLED);
        self.after_freeing();
    }

    /// The exchange goes on without anybody waiting for it: what comes on it is taken and dropped.
    pub(crate) fn forget_call(&mut self, key: Key) {
        let lane = self.asking(key);
        let Some(mut call) = self.calls.remove(key) else { return };
        if let Some(lane) = lane {
            self.opened.set(lane.number(), Key::NONE);
            while let Some(reply) = call.next_reply() {
                self.take_reply(lane, &reply);
            }
            for piece in call.heard.take_pieces() {
                self.machine.take_lane(lane, piece.len());
            }
        }
        self.drop_offers(call.heard.take_offers(), Code::CANCELLED);
    }

    /// Nobody wants the reply: its credit goes back.
    pub(super) fn take_reply(&mut self, lane: LaneId, reply: &RawReply) {
        if let RawReply::Response { octets, .. } | RawReply::Update { octets, .. } = reply {
            self.machine.take_lane(lane, octets.as_slice().len());
        }
    }

    /// Nobody answers any more. A request that was not answered is: with what it was refused for, otherwise with
    /// [`Code::NO_ANSWER`].
    pub(crate) fn drop_served(&mut self, key: Key, refused: Option<Failure>) {
        let lane = self.serving(key);
        let Some(mut served) = self.served.remove(key) else { return };
        let offers = refused.as_ref().map_or(Code::CANCELLED, |refused| refused.code);
        if let Some(lane) = lane {
            self.accepted.set(lane.number(), Key::NONE);
            if !self.refuse(lane, refused) {
                let _ = self.machine.abort(lane, offers);
            }
            for piece in served.heard.take_pieces() {
                self.machine.take_lane(lane, piece.len());
            }
        }
        self.drop_offers(served.heard.take_offers(), offers);
    }

    /// Answers a request that nobody answers; whether there was one.
    fn refuse(&mut self, lane: LaneId, refused: Option<Failure>) -> bool {
        let Failure { code, text, .. } = refused.unwrap_or(Code::NO_ANSWER.into());
        let said = Respond { code, ..Respond::text(&text) };
        // The text is a courtesy that waits for no room.
        let with_text = !text.is_empty() && !code.is_ok() && self.machine.respond(lane, &said).is_ok();
        if with_text {
            // Of a text that did not go whole the rest is not worth waiting for.
            if self.machine.is_open(lane) {
                let _ = self.machine.abort(lane, code);
            }
            return true;
        }
        self.machine.respond_code(lane, code).is_ok()
    }

    /// The last answer was said and nothing more can come: forgets the exchange. Whether it has.
    pub(crate) fn answered(&mut self, key: Key) -> bool {
        let Some(served) = self.served.get_mut(key) else { return true };
        let Some(lane) = served.lane else { return false };
        if self.machine.is_open(lane) || !served.heard.is_empty() {
            return false;
        }
        self.served.discard(key);
        self.accepted.set(lane.number(), Key::NONE);
        true
    }

    /// The lane of what this end asked, while it still is: its number may belong to another exchange by now.
    pub(crate) fn asking(&mut self, key: Key) -> Option<LaneId> {
        let lane = self.calls.get_mut(key)?.lane?;
        if self.opened.get(lane.number()) == key { Some(lane) } else { None }
    }

    /// The lane of what the peer asked, while it still is: its number may belong to another exchange by now.
    pub(crate) fn serving(&mut self, key: Key) -> Option<LaneId> {
        let lane = self.served.get_mut(key)?.lane?;
        if self.accepted.get(lane.number()) == key { Some(lane) } else { None }
    }

    pub(super) fn drop_offers(&mut self, offers: VecDeque<Key>, code: Code) {
        for key in offers {
            self.drop_in(key, code);
        }
    }

    pub(super) fn heard(&mut self, lane: LaneId) -> Option<&mut Arrived> {
        match lane.opened_by() {
            Side::Us => self.calls.get_mut(self.opened.get(lane.number())).map(|call| &mut call.heard),
            Side::Them => self.served.get_mut(self.accepted.get(lane.number())).map(|served| &mut served.heard),
        }
    }

    pub(super) fn wake_heard(&mut self, lane: LaneId) {
        let waker = self.heard(lane).and_then(|heard| heard.waker.take());
        self.wakes.extend(waker);
    }

    /// The peer may have said its last word just now.
    pub(crate) fn check_over(&mut self, lane: LaneId) {
        if lane.opened_by() == Side::Us && !self.machine.is_live(lane) {
            self.call_over(lane);
        }
    }

    /// The exchange has ended; its number may come again.
    pub(super) fn call_over(&mut self, lane: LaneId) {
        let key = self.opened.get(lane.number());
        self.opened.set(lane.number(), Key::NONE);
        if let Some(call) = self.calls.get_mut(key) {
            call.lane = None;
            let (waker, writer) = (call.heard.waker.take(), call.writer.take());
            self.wakes.extend(waker);
            self.wakes.extend(writer);
        }
        self.after_freeing();
    }

    /// The peer gave up what this end serves.
    pub(super) fn served_over(&mut self, lane: LaneId) {
        // Behind the last answer it only keeps the rest of its own body: what the answer brought goes on.
        let answered = !self.machine.is_open(lane);
        let key = self.accepted.get(lane.number());
        self.accepted.set(lane.number(), Key::NONE);
        if let Some(served) = self.served.get_mut(key) {
            served.lane = None;
            served.answered = answered;
            let (writer, watcher) = (served.writer.take(), served.watcher);
            self.wakes.extend(writer);
            let watcher = self.watchers.get_mut(watcher).cloned();
            self.wakes.extend(watcher);
        }
    }

    /// A lane may be free: whoever waits for one tries.
    pub(super) fn after_freeing(&mut self) {
        if !self.lane_waiters.is_empty() && self.machine.has_free_lane() {
            let next = self.lane_waiters.pop();
            self.wakes.extend(next);
        }
    }

    /// Wakes the task when the peer gives the exchange up, or lets more be said on it.
    pub(crate) fn wait_for_lane(&mut self, key: Key, cx: &Context<'_>) {
        if let Some(served) = self.served.get_mut(key) {
            served.writer = Some(cx.waker().clone());
        }
    }

    /// Whether the peer gave up what this end was to answer.
    pub(crate) fn aborted(&mut self, key: Key) -> Option<Code> {
        self.served.get_mut(key)?.heard.aborted
    }

    /// An answer was said. If no other is owed, the driver need not wait for more.
    pub(crate) fn hurry_if_alone(&mut self) {
        if self.machine.lanes().1 == 0 {
            self.hurry = true;
        }
    }
}
