//! The rows of the table: what each measures, what Ropeway is to reach, and what limits it.

use crate::side::{Answer, Files, Round, Shape};
use crate::target::Target::{self, AboveRaw, Bare, Best, Raw, Row as Other, Tarpc};
use crate::wire::Wire;

/// One measurement.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) wire: Wire,
    pub(crate) shape: Shape,
    pub(crate) targets: &'static [Target],
    pub(crate) limit: &'static str,
}

/// Rows of one family stand together, as they run in turns.
#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row("notices", Wire::Tcp, Shape::Notices, &[Bare(10.0)], EACH),
    row("requests-code", Wire::Tcp, Shape::Requests(Answer::Code), &[Bare(3.0), Tarpc(8.0), Best(0.9)], HOMES),
    row("requests-body", Wire::Tcp, Shape::Requests(Answer::Body), &[Bare(2.5), Tarpc(8.0)], TASKS),
    row("lone", Wire::Tcp, Shape::Trip(64), &[Raw(1.3)], HOPS),
    row("bulk", Wire::Tcp, Shape::Bulk, &[Raw(0.8)], COPIES),
    row("tls-bulk", Wire::Tls, Shape::Bulk, &[Raw(0.8)], SEALS),
    row("tls-requests", Wire::Tls, Shape::Requests(Answer::Code), &[Best(0.9)], HOMES),
    row("tls-lone", Wire::Tls, Shape::Trip(64), &[], "kernel 70 %, rustls and ciphers 5 %; otherwise as lone"),
    row("ws-bulk", Wire::Ws, Shape::Bulk, &[], MASKS),
    row("ws-requests", Wire::Ws, Shape::Requests(Answer::Code), &[Best(0.9)], HOMES),
    row("ws-lone", Wire::Ws, Shape::Trip(64), &[], "kernel 70 %, tungstenite 3 %; otherwise as lone"),
    row("trip-64", Wire::Tcp, Shape::Trip(64), &[], WAKES),
    row("trip-16k", Wire::Tcp, Shape::Trip(16_000), &[], WAKES),
    row("trip-128k", Wire::Tcp, Shape::Trip(128_000), &[], PAGES),
    row("trip-1m", Wire::Tcp, Shape::Trip(1_000_000), &[], PAGES),
    row("trip-10m", Wire::Tcp, Shape::Trip(10_000_000), &[], PAGES),
    row("file-1g", Wire::Tcp, Shape::File { verified: true }, &[], "a core an end: copies, new pages, digest"),
    row("file-1g-bare", Wire::Tcp, Shape::File { verified: false }, &[], "as file-1g, without the digest"),
    row("lanes-1", Wire::Tcp, Shape::Lanes(1), &[], "what a notice costs"),
    row("lanes-64", Wire::Tcp, Shape::Lanes(64), &[Other(1.2, "lanes-1")], LOOKS),
    row("lanes-4096", Wire::Tcp, Shape::Lanes(4096), &[Other(1.2, "lanes-1")], LOOKS),
    row("idle", Wire::Tcp, Shape::Idle, &[AboveRaw(6.0)], "tasks, and what an end keeps for itself"),
];

// Shares of the processor's time as perf shows it, on tokio unless told otherwise.
const EACH: &str = "ours 86 %: a lock, the machine at both ends, two moves; kernel 14 %";
const TASKS: &str = "ours 78 %: three locks, two wake-ups, a handler each; kernel 22 %";
const WAKES: &str = "kernel 74 %: four system calls, and waking the other end";
const HOMES: &str = "as requests-body; smol and async-std keep the tasks of all threads in one queue, so those of a line run on \
                     both at once, which gains them 1.3 where tokio gains 1.7: with --threads 1 all three are even";
const HOPS: &str = "kernel 74 %: four system calls, and waking the other end; on smol and async-std raw takes longer \
                    too: by strace 4 futex, 4 epoll waits and 10 epoll_ctl a trip, on tokio 0, 2 and 0";
const SEALS: &str = "kernel 45 % (raw 51 %), ciphers 31 % (raw 36 %), moves 14 % (raw 7 %)";
const MASKS: &str = "kernel 76 %; moves 12 %, tungstenite 3 %";
const COPIES: &str = "kernel 77 %: it copies every byte twice on its way";
const PAGES: &str = "kernel 84 %: new pages for each body, and wakes between pieces of 64 KiB";
const LOOKS: &str = "whatever looks at an idle exchange";

const fn row(name: &'static str, wire: Wire, shape: Shape, targets: &'static [Target], limit: &'static str) -> Row {
    Row { name, wire, shape, targets, limit }
}

impl Row {
    /// The part of the name before the dash.
    pub(crate) fn family(&self) -> &'static str {
        self.name.split('-').next().unwrap_or(self.name)
    }

    /// A round of it.
    pub(crate) fn round(&self, count: u64, files: Files) -> Round {
        Round { wire: self.wire, shape: self.shape, count, files }
    }
}
