//! What Ropeway is to reach in a row, and whether it does.

use std::fmt;

use crate::figure::Figure;

/// One demand. Of what is not a rate, less is better.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// So much, in the unit of the row.
    Bare(f64),
    /// So many times what the raw transport has on the same runtime.
    Raw(f64),
    /// So much more than the raw transport on the same runtime.
    AboveRaw(f64),
    /// So many times what tarpc has.
    Tarpc(f64),
    /// So many times what Ropeway itself has in another row of the family.
    Row(f64, &'static str),
    /// So many times what the best of the bindings has.
    Best(f64),
}

/// What a figure is measured by.
pub(crate) struct Beside<'a> {
    pub(crate) raw: Option<Figure>,
    pub(crate) tarpc: Option<Figure>,
    pub(crate) best: Option<Figure>,
    /// The same side in another row.
    pub(crate) row: &'a dyn Fn(&str) -> Option<Figure>,
}

impl Target {
    /// Whether `figure` is good enough; `None` if what it is measured by was not measured.
    pub(crate) fn is_met(self, figure: Figure, beside: &Beside<'_>) -> Option<bool> {
        let times = |part: f64, other: Option<Figure>| Some(part * other?.value);
        let wanted = match self {
            Target::Bare(value) => value,
            Target::Raw(part) => times(part, beside.raw)?,
            Target::AboveRaw(more) => beside.raw?.value + more,
            Target::Tarpc(part) => times(part, beside.tarpc)?,
            Target::Row(part, row) => times(part, (beside.row)(row))?,
            Target::Best(part) => times(part, beside.best)?,
        };
        Some(if figure.is_rate() { figure.value >= wanted } else { figure.value <= wanted })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Bare(value) => write!(f, "{value}"),
            Target::Raw(part) => write!(f, "{part} raw"),
            Target::AboveRaw(more) => write!(f, "raw + {more}"),
            Target::Tarpc(part) => write!(f, "{part} tarpc"),
            Target::Row(part, row) => write!(f, "{part} {row}"),
            Target::Best(part) => write!(f, "{part} best"),
        }
    }
}

#[cfg(test)]
#[test]
fn a_target_is_met_or_missed_or_unknown() {
    let check = |target: Target, unit, [close, far]: [f64; 2]| {
        let other = Some(Figure::new(10.0, unit));
        let row = |name: &str| other.filter(|_| name == "other");
        let known = Beside { raw: other, tarpc: other, best: other, row: &row };
        let unknown = Beside { raw: None, tarpc: None, best: None, row: &|_| None };
        let met = |value, beside| target.is_met(Figure::new(value, unit), beside);
        assert_eq!([met(close, &known), met(far, &known)], [Some(true), Some(false)], "{target}");
        let alone = matches!(target, Target::Bare(_)).then_some(true);
        assert_eq!(met(close, &unknown), alone, "{target}");
    };
    check(Target::Bare(3.0), "M/s", [3.1, 2.9]);
    check(Target::Raw(0.8), "GB/s", [8.1, 7.9]);
    check(Target::Raw(1.3), "us", [12.9, 13.1]);
    check(Target::AboveRaw(6.0), "KiB", [15.9, 16.1]);
    check(Target::Tarpc(8.0), "M/s", [81.0, 79.0]);
    check(Target::Row(1.2, "other"), "ns", [11.9, 12.1]);
    check(Target::Best(0.9), "M/s", [9.1, 8.9]);
}
