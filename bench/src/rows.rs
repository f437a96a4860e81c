//! The rows of the table: what each measures, what Ropeway is to reach, and what limits it.

use crate::sealed::{Pattern, Seals, Suite};
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
    row("seal-bulk", Wire::Tcp, Shape::Bulk, &[], COPIES),
    row("seal-bulk-tls", Wire::Tls, Shape::Bulk, &[], SEALS),
    row("seal-bulk-tls-aws-lc", Wire::TlsAwsLc, Shape::Bulk, &[], SEALS),
    row("seal-bulk-gcm", GCM, Shape::Bulk, &[Other(1.0, "seal-bulk-tls"), Other(0.7, "seal-bulk")], RECORDS),
    row("seal-bulk-gcm-aws-lc", by(Suite::GcmAwsLc), Shape::Bulk, AWS_LC, RECORDS),
    row("seal-bulk-chacha", CHACHA, Shape::Bulk, &[], ALONE),
    row("seal-bulk-cbc", CBC, Shape::Bulk, &[Raw(0.9)], ALONE),
    row("seal-requests", Wire::Tcp, Shape::Requests(Answer::Code), &[], HOMES),
    row("seal-requests-tls", Wire::Tls, Shape::Requests(Answer::Code), &[], HOMES),
    row("seal-requests-gcm", GCM, Shape::Requests(Answer::Code), SMALL, FRAMES),
    row("seal-requests-chacha", CHACHA, Shape::Requests(Answer::Code), SMALL, FRAMES),
    row("seal-requests-cbc", CBC, Shape::Requests(Answer::Code), SMALL, FRAMES),
    row("opens-mem", Wire::Mem, Shape::Opens, &[], LINES),
    row("opens-mem-nn", agreed(&Wire::Mem, Pattern::Nn), Shape::Opens, &[], KEYS),
    row("opens-mem-nnpsk0", agreed(&Wire::Mem, Pattern::NnPsk), Shape::Opens, &[], KEYS),
    row("opens-mem-nx", agreed(&Wire::Mem, Pattern::Nx), Shape::Opens, &[], KEYS),
    row("opens-mem-xx", agreed(&Wire::Mem, Pattern::Xx), Shape::Opens, &[], KEYS),
    row("opens-tcp", Wire::Tcp, Shape::Opens, &[], LINES),
    row("opens-tls", Wire::Tls, Shape::Opens, &[], KEYS),
    row("opens-tcp-nn", agreed(&Wire::Tcp, Pattern::Nn), Shape::Opens, &[], KEYS),
    row("opens-tcp-nnpsk0", agreed(&Wire::Tcp, Pattern::NnPsk), Shape::Opens, &[], KEYS),
    row("opens-tcp-nx", agreed(&Wire::Tcp, Pattern::Nx), Shape::Opens, &[], KEYS),
    row("opens-tcp-xx", agreed(&Wire::Tcp, Pattern::Xx), Shape::Opens, &[], KEYS),
    row("idle", Wire::Tcp, Shape::Idle, &[AboveRaw(6.0)], "tasks, and what an end keeps for itself"),
];

const GCM: Wire = by(Suite::Gcm);
const CHACHA: Wire = by(Suite::ChaCha);
const CBC: Wire = by(Suite::Cbc);
/// What is left of small messages when they are sealed.
const SMALL: &[Target] = &[Other(0.75, "seal-requests")];

const AWS_LC: &[Target] = &[Other(1.0, "seal-bulk-tls-aws-lc"), Other(0.7, "seal-bulk")];

/// Lines over TCP that are sealed by this suite.
const fn by(suite: Suite) -> Wire {
    Wire::Sealed(&Wire::Tcp, Seals { pattern: Pattern::Nn, suite })
}

/// Lines over it that agree on keys by this pattern.
const fn agreed(over: &'static Wire, pattern: Pattern) -> Wire {
    Wire::Sealed(over, Seals { pattern, suite: Suite::Gcm })
}

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
const RECORDS: &str =
    "ciphers 46 %, kernel 40 %, moves 8 %: each end does what it does of plain, and the cipher one behind the other";
const ALONE: &str =
    "the cipher: of A256CBC-HS512 SHA-512 has 59 %, half of that where it opens, and AES 30 %; kernel 5 %";
const FRAMES: &str = "ours 73 %, kernel 18 %; ciphers 4 %";
const KEYS: &str = "X25519, 60 %: four times for NN, seven for NX, ten for XX, both ends together; rustls, with ring's, takes up the \
                    session before, without certificates";
const LINES: &str = "tasks, and sockets where there are any";
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
