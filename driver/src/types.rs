//! What this end has said of types: each is defined under its name, with a number that stands for its shape.
//!
//! A value's shape is its trace, and a type may leave many: an option is there or not, an enum is this variant or that.
//! A type is defined with a few of them. All further values of it go under one more definition, whose name ends in `#`,
//! and bring their shape along.

use std::collections::HashMap;
use std::sync::Arc;

use ropeway_core::{Refused, Table};

use crate::machine::Machine;

/// Shapes that a type is defined with: enough for an enum or two.
const SHAPES: usize = 8;
/// Of the definitions that a peer takes, what the shapes of one type may use up. The first one always may.
const SHARE: usize = 128;
/// Ends the name of a type whose values begin with their shape. No type of Rust is called so.
pub(crate) const CARRIED: &str = "#";

/// The types that are defined on a line, by their names.
#[derive(Debug, Default)]
pub(crate) struct Types {
    types: Vec<Type>,
    by_name: HashMap<Arc<str>, usize>,
    /// By the full names of Rust types: what they are called is not to be worked out every time.
    by_type: HashMap<&'static str, usize>,
}

#[derive(Debug)]
struct Type {
    name: Arc<str>,
    shapes: Vec<(Option<u64>, u16)>,
    carried: Option<u16>,
}

/// Where to find a definition.
pub(crate) struct Defined {
    pub(crate) index: u16,
    /// The shape comes with the value.
    pub(crate) carried: bool,
}

impl Types {
    /// The definition for a value of the Rust type with this full name, which is called as `label` says.
    pub(crate) fn of_type(
        &mut self,
        machine: &mut Machine,
        full: &'static str,
        label: fn() -> String,
        shape: Option<u64>,
    ) -> Result<Defined, Refused> {
        let at = match self.by_type.get(full) {
            Some(at) => *at,
            None => {
                let at = self.named(&label().into());
                self.by_type.insert(full, at);
                at
            }
        };
        self.types[at].defined(machine, shape)
    }

    /// The definition for a value of a type that is called so.
    pub(crate) fn of_name(
        &mut self,
        machine: &mut Machine,
        name: &Arc<str>,
        shape: Option<u64>,
    ) -> Result<Defined, Refused> {
        let at = self.named(name);
        self.types[at].defined(machine, shape)
    }

    fn named(&mut self, name: &Arc<str>) -> usize {
        if let Some(at) = self.by_name.get(name) {
            return *at;
        }
        self.types.push(Type { name: name.clone(), shapes: Vec::new(), carried: None });
        self.by_name.insert(name.clone(), self.types.len() - 1);
        self.types.len() - 1
    }
}

impl Type {
    fn defined(&mut self, machine: &mut Machine, shape: Option<u64>) -> Result<Defined, Refused> {
        if let Some((_, index)) = self.shapes.iter().find(|(known, _)| *known == shape) {
            return Ok(Defined { index: *index, carried: false });
        }
        let definitions = machine.peer().map_or(0, |limits| usize::from(limits.definitions));
        let shapes = (definitions / SHARE).clamp(1, SHAPES);
        let known = self.shapes.iter().filter(|(shape, _)| shape.is_some()).count();
        if shape.is_none() || known < shapes {
            let index = machine.define(Table::Types, &self.name, shape)?;
            self.shapes.push((shape, index));
            return Ok(Defined { index, carried: false });
        }
        let index = match self.carried {
            Some(index) => index,
            None => {
                let index = machine.define(Table::Types, &format!("{}{CARRIED}", self.name), None)?;
                self.carried = Some(index);
                index
            }
        };
        Ok(Defined { index, carried: true })
    }
}
