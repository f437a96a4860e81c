//! The figures as lines of a table to read, or as objects for machines.

use crate::figure::{Figure, short};
use crate::rows::Row;
use crate::run::Cell;

const SIDES: [&str; 3] = ["raw", "ropeway", "tarpc"];

/// Prints the names of the columns.
pub(crate) fn print_head() {
    let [raw, ropeway, tarpc] = SIDES;
    let targets = ["/raw", "/tarpc", "target", "what limits"];
    print([&["row", "unit", raw, ropeway, tarpc], targets.as_slice()].concat());
}

/// Prints a row; what was not measured is a dash.
pub(crate) fn print_row(row: &Row, cells: &[Cell]) {
    let figures = SIDES.map(|side| {
        let here = |cell: &&Cell| cell.row.name == row.name && cell.side.name() == side;
        Figure::median(&cells.iter().find(here)?.rounds)
    });
    let [raw, ropeway, tarpc] = figures;
    let unit = raw.or(ropeway).or(tarpc).map_or("-", |figure| figure.unit);
    let ratio = |theirs: Option<Figure>| Some(short(ropeway?.value / theirs?.value));
    let numbers = figures.map(|figure| figure.map(|figure| figure.to_string()));
    let numbers = numbers.into_iter().chain([ratio(raw), ratio(tarpc)]);
    let numbers: Vec<String> = numbers.map(|it| it.unwrap_or("-".into())).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    print([&[row.name, unit], numbers.as_slice(), &[row.target, row.limit]].concat());
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

/// Aligned: names to the left, numbers to the right.
fn print(texts: Vec<&str>) {
    let widths = [13, 4, 13, 13, 13, 6, 6, 12, 0];
    let cells = texts.into_iter().zip(widths).enumerate();
    let cells = cells.map(|(at, (text, width))| match at {
        2..=6 => format!("{text:>width$}  "),
        _ => format!("{text:<width$}  "),
    });
    println!("{}", cells.collect::<String>().trim_end());
}
