//! The figures as a table to read, or as objects for machines.

use std::num::NonZero;

use crate::figure::{Figure, short};
use crate::rows::Row;
use crate::run::Cell;
use crate::target::Beside;

/// A column for each runtime.
const HOMES: [&str; 3] = ["tokio", "smol", "async-std"];

/// Prints what holds for all rows, and the names of the columns.
pub(crate) fn print_head(threads: NonZero<usize>) {
    println!("threads that run the tasks of a runtime, for both ends: {threads}; medians of rounds in turns\n");
    print("row", "of", "unit", HOMES.map(|home| Some(home.into())));
}

/// Prints a row: a line for each kind of side, each ratio and each target, and what limits. What was not measured is
/// a dash; what has no figure at all is left out.
pub(crate) fn print_row(row: &Row, cells: &[Cell]) {
    let at = |row: &str, kind: &str, home: &str| {
        let here = |cell: &&Cell| cell.row.name == row && cell.side.kind() == kind && cell.side.home() == home;
        Figure::median(&cells.iter().find(here)?.rounds)
    };
    let of = |kind: &str| HOMES.map(|home| at(row.name, kind, home));
    let [raw, ropeway, tarpc] = ["raw", "ropeway", "tarpc"].map(of);
    let tarpc_here = tarpc.into_iter().flatten().next();
    let best = best(&ropeway);
    let beside = |column: usize| (raw[column], tarpc_here, best);

    let mut name = row.name;
    let mut line = |of: &str, unit: &str, texts: [Option<String>; 3]| {
        if texts.iter().any(Option::is_some) {
            print(std::mem::take(&mut name), of, unit, texts);
        }
    };
    for (kind, figures) in [("raw", raw), ("tarpc", tarpc), ("ropeway", ropeway)] {
        let unit = figures.iter().flatten().next().map_or("", |figure| figure.unit);
        line(kind, unit, figures.map(|figure| figure.map(|figure| figure.to_string())));
    }
    let columns: [usize; 3] = std::array::from_fn(|column| column);
    let ratio = |column: usize, other: Option<Figure>| Some(short(ropeway[column]?.value / other?.value));
    line("/raw", "", columns.map(|column| ratio(column, beside(column).0)));
    line("/tarpc", "", columns.map(|column| ratio(column, beside(column).1)));
    line("/best", "", columns.map(|column| ratio(column, beside(column).2)));
    for target in row.targets {
        let met = |column: usize| {
            let (raw, tarpc, best) = beside(column);
            let row = |name: &str| at(name, "ropeway", HOMES[column]);
            let met = target.is_met(ropeway[column]?, &Beside { raw, tarpc, best, row: &row })?;
            Some(if met { "met" } else { "missed" }.into())
        };
        line(&target.to_string(), "", columns.map(met));
    }
    println!("  limit: {}\n", row.limit);
}

/// Prints an object a line for each cell.
pub(crate) fn print_json(cells: &[Cell]) {
    for Cell { row, side, rounds, .. } in cells {
        let Some(Figure { value, unit, p99 }) = Figure::median(rounds) else { continue };
        let p99 = p99.map_or("null".into(), |p99| p99.to_string());
        let rounds: Vec<f64> = rounds.iter().map(|round| round.value).collect();
        let (row, side) = (row.name, side.name());
        print!(r#"{{"row":"{row}","side":"{side}","unit":"{unit}","median":{value},"#);
        println!(r#""p99":{p99},"rounds":{rounds:?}}}"#);
    }
}

/// The best of the bindings, if there are several.
fn best(figures: &[Option<Figure>]) -> Option<Figure> {
    let figures: Vec<Figure> = figures.iter().copied().flatten().collect();
    let better = |a: &Figure, b: &Figure| a.value.total_cmp(&b.value);
    match figures.as_slice() {
        [] | [_] => None,
        [first, ..] if first.is_rate() => figures.iter().copied().max_by(better),
        _ => figures.iter().copied().min_by(better),
    }
}

/// Aligned: names to the left, numbers to the right.
fn print(row: &str, of: &str, unit: &str, texts: [Option<String>; 3]) {
    let columns = texts.map(|text| format!("{:>14}", text.unwrap_or("-".into())));
    println!("{row:<13}  {of:<11}  {unit:<4}  {}", columns.join("  "));
}

#[cfg(test)]
#[test]
fn the_best_is_the_largest_rate_and_the_shortest_time() {
    let figures = |unit| [Some(Figure::new(3.0, unit)), None, Some(Figure::new(2.0, unit))];
    assert_eq!(best(&figures("M/s")), figures("M/s")[0]);
    assert_eq!(best(&figures("us")), figures("us")[2]);
    assert_eq!(best(&figures("us")[1..]), None);
}
