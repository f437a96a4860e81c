//! Rounds in turns: the sides of a row, and the rows of a family, one after the other.
//!
//! Each round has a process of its own. Smol and async-std share one reactor in a process, and have one set of threads
//! that never ends; and memory that earlier rounds left would serve idle lines unseen.

use std::io;
use std::num::NonZero;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::figure::Figure;
use crate::home::THREADS;
use crate::rows::Row;
use crate::side::{Files, Round, Shape, Side};
use crate::workdir::Workdir;

/// Memory differs little from round to round, and files take long.
const FEW_ROUNDS: usize = 3;
/// A quarter of what a machine often lets a process open.
const IDLE_LINES: u64 = 2000;
/// What a round is tried with first, and how it grows from there.
const FIRST_COUNT: u64 = 8;
const GROWTH: u32 = 4;

/// How much is measured.
pub(crate) struct Plan {
    /// Of each cell, after those that warm it up.
    pub(crate) rounds: usize,
    /// What a round should take.
    pub(crate) budget: Duration,
    /// On each runtime, for both ends.
    pub(crate) threads: NonZero<usize>,
}

/// A row of one side, and what came of it.
pub(crate) struct Cell {
    pub(crate) row: &'static Row,
    pub(crate) side: &'static dyn Side,
    pub(crate) rounds: Vec<Figure>,
    count: u64,
}

/// Measures the rows of a family in turns, on those of `sides` that have their shapes.
pub(crate) fn run(
    rows: &[&'static Row],
    sides: &[&'static dyn Side],
    plan: &Plan,
    workdir: &mut Workdir,
) -> io::Result<Vec<Cell>> {
    let pairs = rows.iter().flat_map(|&row| sides.iter().map(move |&side| (row, side)));
    let mut cells: Vec<Cell> = pairs.filter_map(|(row, side)| Cell::new(row, side)).collect();
    for cell in &mut cells {
        cell.warm_up(plan, workdir)?;
    }
    for turn in 0..plan.rounds {
        // Who always came behind the same one would always find the machine as that one left it.
        let begin = turn % cells.len().max(1);
        let (first, last) = cells.split_at_mut(begin);
        for cell in last.iter_mut().chain(first) {
            if turn < FEW_ROUNDS || !matches!(cell.row.shape, Shape::Idle | Shape::File { .. }) {
                cell.rounds.push(cell.round(plan, workdir)?.0);
            }
        }
    }
    Ok(cells)
}

/// One round in this process, and what it took with connecting.
pub(crate) fn round(side: &dyn Side, round: Round) -> io::Result<(Figure, Duration)> {
    let round = side.round(round).ok_or(io::ErrorKind::Unsupported)?;
    let start = Instant::now();
    Ok((side.run(round)?, start.elapsed()))
}

impl Cell {
    fn new(row: &'static Row, side: &'static dyn Side) -> Option<Self> {
        let _has_it = side.round(row.round(0, Files::default()))?;
        let count = if row.shape == Shape::Idle { IDLE_LINES } else { FIRST_COUNT };
        let rounds = Vec::new();
        Some(Self { row, side, rounds, count })
    }

    /// Grows the count until a round takes a good part of the budget, then sets it to take it all.
    fn warm_up(&mut self, plan: &Plan, workdir: &mut Workdir) -> io::Result<()> {
        let mut elapsed = Duration::ZERO;
        let fixed = matches!(self.row.shape, Shape::Idle | Shape::File { .. });
        while !fixed && elapsed * GROWTH < plan.budget {
            let (figure, took) = self.round(plan, workdir)?;
            // To open exchanges takes longer than what is measured while they are.
            elapsed = match self.row.shape {
                Shape::Lanes(_) => Duration::from_secs_f64(figure.value * 1e-9 * self.count as f64),
                _ => took,
            };
            let most = (self.count * u64::from(GROWTH)) as f64;
            let whole = self.count as f64 * plan.budget.div_duration_f64(elapsed);
            self.count = (whole.min(most) as u64).max(FIRST_COUNT);
        }
        Ok(())
    }

    fn round(&self, plan: &Plan, workdir: &mut Workdir) -> io::Result<(Figure, Duration)> {
        let Self { row, side, count, .. } = *self;
        let figure = match row.shape {
            Shape::File { .. } => workdir.prepare().and_then(|files| {
                let figure = apart(row, side, count, &files, plan.threads)?;
                workdir.check(&files.target).and(Ok(figure))
            }),
            _ => apart(row, side, count, &Files::default(), plan.threads),
        };
        let named = |error| io::Error::other(format!("{} of {}: {error}", row.name, side.name()));
        figure.map_err(named)
    }
}

/// One round in a new process.
fn apart(
    row: &Row,
    side: &dyn Side,
    count: u64,
    files: &Files,
    threads: NonZero<usize>,
) -> io::Result<(Figure, Duration)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([row.name, "--only", &side.name(), "--apart", &count.to_string()]);
    command.arg(&files.source).arg(&files.target);
    command.envs(THREADS.map(|name| (name, threads.to_string())));
    let output = command.output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    let heard = told
        .split_once(' ')
        .and_then(|(took, figure)| Some((Figure::heard(figure)?, Duration::from_micros(took.parse().ok()?))));
    heard.ok_or_else(|| io::Error::other(String::from_utf8_lossy(&output.stderr)))
}

#[cfg(test)]
#[test]
fn every_side_finishes_a_small_round_of_every_row_it_has() {
    let mut workdir = Workdir::new(std::env::temp_dir(), 3_000_001);
    for row in crate::rows::ROWS {
        for &side in crate::SIDES {
            if side.round(row.round(0, Files::default())).is_none() {
                continue;
            }
            let files = workdir.prepare().expect("the temporary folder is writable");
            let figure = round(side, row.round(FIRST_COUNT, files.clone()));
            let fine = figure.as_ref().is_ok_and(|(it, _)| it.value.is_finite());
            assert!(fine, "{} of {}: {figure:?}", row.name, side.name());
            let copies = matches!(row.shape, Shape::File { .. });
            assert_eq!(workdir.check(&files.target).is_ok(), copies, "{}", row.name);
        }
    }
}
