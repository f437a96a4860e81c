//! The rows of the table: what each measures, what Ropeway is to reach, and what limits it.

use crate::side::{Answer, Shape};

/// One measurement.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) target: &'static str,
    pub(crate) limit: &'static str,
}

/// Rows of one family stand together, as they run in turns.
#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row("notices", Shape::Notices, "10", EACH),
    row("requests-code", Shape::Requests(Answer::Code), "3, 8 tarpc", TASKS),
    row("requests-body", Shape::Requests(Answer::Body), "2.5, 8 tarpc", TASKS),
    row("lone", Shape::Trip(64), "1.3 raw", WAKES),
    row("bulk", Shape::Bulk, "0.8 raw", COPIES),
    row("trip-64", Shape::Trip(64), "-", WAKES),
    row("trip-16k", Shape::Trip(16_000), "-", WAKES),
    row("trip-128k", Shape::Trip(128_000), "-", PAGES),
    row("trip-1m", Shape::Trip(1_000_000), "-", PAGES),
    row("trip-10m", Shape::Trip(10_000_000), "-", PAGES),
    row("file-1g", Shape::File { verified: true }, "-", "a core an end: copies, new pages, digest"),
    row("file-1g-bare", Shape::File { verified: false }, "-", "as file-1g, without the digest"),
    row("lanes-1", Shape::Lanes(1), "-", "what a notice costs"),
    row("lanes-64", Shape::Lanes(64), "1.2 lanes-1", LOOKS),
    row("lanes-4096", Shape::Lanes(4096), "1.2 lanes-1", LOOKS),
    row("idle", Shape::Idle, "raw + 6", "tasks, and what an end keeps for itself"),
];

// Shares of the processor's time as perf shows it.
const EACH: &str = "ours 86 %: a lock, the machine at both ends, two moves; kernel 14 %";
const TASKS: &str = "ours 78 %: three locks, two wake-ups, a handler each; kernel 22 %";
const WAKES: &str = "kernel 74 %: four system calls, and waking the other end";
const COPIES: &str = "kernel 77 %: it copies every byte twice on its way";
const PAGES: &str = "kernel 84 %: new pages for each body, and wakes between pieces of 64 KiB";
const LOOKS: &str = "whatever looks at an idle exchange";

const fn row(name: &'static str, shape: Shape, target: &'static str, limit: &'static str) -> Row {
    Row { name, shape, target, limit }
}

impl Row {
    /// The part of the name before the dash.
    pub(crate) fn family(&self) -> &'static str {
        self.name.split('-').next().unwrap_or(self.name)
    }
}
