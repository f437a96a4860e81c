//! What comes of what a machine is told.

use ropeway_core::{Event, FlowId, PeerError, Refused, Sent};

use super::field::numbered;

/// What came of a [`Call`](super::Call).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// It was done, and nothing happened.
    Done,
    /// It was refused.
    Refused(Refused),
    /// Something happened.
    Event(Event<&'a [u8]>),
    /// The peer erred.
    Erred(PeerError),
    /// What is to be sent, may be nothing.
    Output(&'a [u8]),
    /// A name got this index.
    Index(u16),
    /// A message or an answer was sent.
    Sent(Sent),
    /// So many octets were taken.
    Taken(usize),
    /// A flow was offered.
    Flow(FlowId),
    /// So many octets of the input were taken instead of all. Never recorded.
    Consumed(usize),
}

numbered!(Outcome<'a>, Outcome {
    1 Done;
    2 Refused(refused);
    3 Event(event);
    4 Erred(error);
    5 Output(octets);
    6 Index(index);
    7 Sent(sent);
    8 Taken(taken);
    9 Flow(flow);
});

impl Outcome<'_> {
    /// How much it took of what it was given.
    pub(super) fn taken(&self, given: usize) -> usize {
        match self {
            Outcome::Sent(sent) => sent.taken,
            Outcome::Taken(taken) => *taken,
            // An update goes whole, or not at all.
            Outcome::Done => given,
            _ => 0,
        }
    }
}

impl<'a> From<Option<Event<&'a [u8]>>> for Outcome<'a> {
    fn from(event: Option<Event<&'a [u8]>>) -> Outcome<'a> {
        event.map_or(Outcome::Done, Outcome::Event)
    }
}

impl<T: Into<Outcome<'static>>> From<Result<T, Refused>> for Outcome<'_> {
    fn from(outcome: Result<T, Refused>) -> Self {
        match outcome {
            Ok(done) => done.into(),
            Err(refused) => Outcome::Refused(refused),
        }
    }
}

impl From<()> for Outcome<'_> {
    fn from((): ()) -> Self {
        Outcome::Done
    }
}

impl From<u16> for Outcome<'_> {
    fn from(index: u16) -> Self {
        Outcome::Index(index)
    }
}

impl From<usize> for Outcome<'_> {
    fn from(taken: usize) -> Self {
        Outcome::Taken(taken)
    }
}

impl From<Sent> for Outcome<'_> {
    fn from(sent: Sent) -> Self {
        Outcome::Sent(sent)
    }
}

impl From<FlowId> for Outcome<'_> {
    fn from(flow: FlowId) -> Self {
        Outcome::Flow(flow)
    }
}
