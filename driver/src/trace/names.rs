//! What the numbers of actions and types are called, as both ends have told each other.

use ropeway_core::{Event, Limits, Side, Table};

use super::call::Call;
use super::described::{Described, Value};
use super::outcome::Outcome;
use super::record::Record;

/// The names that both ends have defined so far.
#[derive(Clone, Debug, Default)]
pub struct Names {
    ours: Tables,
    theirs: Tables,
}

#[derive(Clone, Debug, Default)]
struct Tables {
    actions: Vec<String>,
    types: Vec<String>,
}

impl Names {
    /// Learns what a record defines, for those behind it.
    pub fn learn(&mut self, record: &Record<'_>) {
        let (side, table, index, name) = match (record.call, record.outcome) {
            (Call::Define { table, name, .. }, Outcome::Index(index)) => (Side::Us, table, index, name),
            (_, Outcome::Event(Event::Defined { table, index, name, .. })) => {
                let Ok(name) = std::str::from_utf8(name) else { return };
                (Side::Them, table, index, name)
            }
            _ => return,
        };
        let names = self.of_mut(side, table);
        // As a machine defines them; a trace that nobody has replayed may say anything.
        if names.len() == usize::from(index) && name.len() <= usize::from(Limits::MAX_NAME) {
            names.push(name.to_owned());
        }
    }

    /// The same, with the names of what this end has said, or the other.
    pub fn put<'n>(&'n self, side: Side, described: Described<'n>) -> Described<'n> {
        let Described { name, fields } = described;
        let named = |value| match value {
            Value::Name(table, index, None) => Value::Name(table, index, self.of(side, table, index)),
            value => value,
        };
        Described { name, fields: fields.into_iter().map(|(field, value)| (field, named(value))).collect() }
    }

    fn of(&self, side: Side, table: Table, index: u16) -> Option<&str> {
        let tables = match side {
            Side::Us => &self.ours,
            Side::Them => &self.theirs,
        };
        let names = match table {
            Table::Actions => &tables.actions,
            Table::Types => &tables.types,
        };
        names.get(usize::from(index)).map(String::as_str)
    }

    fn of_mut(&mut self, side: Side, table: Table) -> &mut Vec<String> {
        let tables = match side {
            Side::Us => &mut self.ours,
            Side::Them => &mut self.theirs,
        };
        match table {
            Table::Actions => &mut tables.actions,
            Table::Types => &mut tables.types,
        }
    }
}
