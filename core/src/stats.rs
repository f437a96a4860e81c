//! What went over the line, counted where it happens.

/// Counters of one connection. They only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// What this end sent.
    pub sent: Traffic,
    /// What the peer sent.
    pub received: Traffic,
    /// What arrived for an exchange or flow that this end had given up, and was dropped.
    pub dropped: Dropped,
    /// Acknowledgements that took longer than 2.5 s.
    pub overdue_acks: u32,
    /// Exchanges that ended because no sign of life came.
    pub expired: u32,
}

/// One direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Octets on the wire, the hello included.
    pub octets: u64,
    /// Counted frames: all but acknowledgements, credit, pings and the goodbye.
    pub frames: u64,
    /// Messages that wanted no answer.
    pub notices: u64,
    /// Messages that wanted one.
    pub requests: u64,
    /// Answers with a body or flows.
    pub responses: u64,
    /// Answers that were a bare code.
    pub codes: u64,
    /// Reports of progress.
    pub updates: u64,
    /// Streams and files offered.
    pub flows: u64,
    /// Octets of streams and files.
    pub flow_octets: u64,
    /// Exchanges given up.
    pub aborts: u64,
}

/// What was dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// Answers, and updates, on an aborted exchange.
    pub answers: u64,
    /// Octets of bodies on an aborted exchange.
    pub body_octets: u64,
    /// Octets of flows that were stopped.
    pub flow_octets: u64,
}
