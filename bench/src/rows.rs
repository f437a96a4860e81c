//! The rows of the table: what each measures, what is to be reached, and what sets its limit.

use std::fmt;

use crate::side::{Answer, BODY, Shape};

/// One measurement.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    /// What Ropeway is to reach.
    pub(crate) targets: &'static [Target],
    /// What stands in the way of more.
    pub(crate) limit: &'static str,
}

/// A rate must reach it, anything else stay within it.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// A value in the row's unit.
    Value(f64),
    /// So many times another column.
    Times(f64, &'static str),
    /// So much more than another column.
    Plus(f64, &'static str),
    /// So many times what Ropeway has in another row.
    Growth(f64, &'static str),
}

use Target::{Growth, Plus, Times, Value};

const SMALL: &str = "four system calls, and whether both ends share a worker";
const LARGE: &str = "the kernel copies every byte four times";

/// Rows of one family stand together, as they run in turns.
pub(crate) const ROWS: &[Row] = &[
    row(
        "notices",
        Shape::Notices,
        &[Value(10.0)],
        "raw: the kernel's two copies of every byte",
    ),
    row(
        "requests-code",
        Shape::Requests(Answer::Code),
        &[Value(3.0), Times(8.0, "tarpc")],
        "raw: two system calls for up to 150; tarpc: tasks, spans and channels for each",
    ),
    row(
        "requests-body",
        Shape::Requests(Answer::Body),
        &[Value(2.5), Times(8.0, "tarpc")],
        "as with a code, and more to copy",
    ),
    row("lone", Shape::Trip(BODY.len()), &[Times(1.3, "raw")], SMALL),
    row(
        "bulk",
        Shape::Bulk,
        &[Times(0.8, "raw")],
        "raw: the kernel's two copies of every byte",
    ),
    row("trip-64", Shape::Trip(64), &[], SMALL),
    row("trip-16k", Shape::Trip(16_000), &[], SMALL),
    row("trip-128k", Shape::Trip(128_000), &[], LARGE),
    row("trip-1m", Shape::Trip(1_000_000), &[], LARGE),
    row("trip-10m", Shape::Trip(10_000_000), &[], LARGE),
    row(
        "file-1g",
        Shape::File { verified: true },
        &[],
        "a core an end: the kernel's copies, new pages for the copy, the digest",
    ),
    row(
        "file-1g-bare",
        Shape::File { verified: false },
        &[],
        "the same without a digest",
    ),
    row("lanes-1", Shape::Lanes(1), &[], "what a notice costs"),
    row(
        "lanes-64",
        Shape::Lanes(64),
        &[Growth(1.2, "lanes-1")],
        "nothing should look at the idle ones",
    ),
    row(
        "lanes-4096",
        Shape::Lanes(4096),
        &[Growth(1.2, "lanes-1")],
        "nothing should look at the idle ones",
    ),
    row(
        "idle",
        Shape::Idle,
        &[Plus(6.0, "raw")],
        "tasks, and what an end keeps for itself",
    ),
];

const fn row(
    name: &'static str,
    shape: Shape,
    targets: &'static [Target],
    limit: &'static str,
) -> Row {
    Row {
        name,
        shape,
        targets,
        limit,
    }
}

impl Row {
    /// The part of the name before the dash.
    pub(crate) fn family(&self) -> &'static str {
        self.name.split('-').next().unwrap_or(self.name)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "{value}"),
            Self::Times(factor, other) | Self::Growth(factor, other) => {
                write!(f, "{factor} {other}")
            }
            Self::Plus(more, other) => write!(f, "{other} + {more}"),
        }
    }
}
