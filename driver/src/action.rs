//! What messages are for, by name or by number.

use std::fmt;
use std::sync::Arc;

use ropeway_core as core;

/// What a message that arrived is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A number that both ends know.
    Number(u32),
    /// A name.
    Name(Arc<str>),
}

impl Action {
    /// Its name, if it has one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Action::Name(name) => Some(name),
            Action::Number(_) => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Number(number) => number.fmt(f),
            Action::Name(name) => crate::file::printable(name).fmt(f),
        }
    }
}

impl PartialEq<str> for Action {
    fn eq(&self, other: &str) -> bool {
        self.name() == Some(other)
    }
}

impl PartialEq<&str> for Action {
    fn eq(&self, other: &&str) -> bool {
        self.name() == Some(other)
    }
}

impl PartialEq<u32> for Action {
    fn eq(&self, other: &u32) -> bool {
        *self == Action::Number(*other)
    }
}

/// What a message to send is for: a name, or a number up to 2^31 - 1.
///
/// A name costs its length once a line, and an octet or two from then on. A peer takes a limited number of names (1024
/// unless it says otherwise), so they are for what a program does, not for data; beyond it is [`Error::TooLarge`](crate::Error::TooLarge).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum To<'a> {
    /// A number that both ends know.
    Number(u32),
    /// A name, which is not empty.
    Name(&'a str),
}

/// Why nothing can be sent to, or handled for, an action.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActionError {
    /// A name without a letter.
    Empty,
    /// A number beyond 2^31 - 1.
    TooLarge(u32),
    /// It has a handler already. A pattern is an action of its own.
    Twice(Action),
}

impl fmt::Display for ActionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ActionError::Empty => f.write_str("the name of the action is empty"),
            ActionError::TooLarge(number) => write!(f, "the action {number} is beyond {}", core::Action::MAX_NUMBER),
            ActionError::Twice(action) => write!(f, "the action {action} has two handlers"),
        }
    }
}

impl std::error::Error for ActionError {}

impl To<'_> {
    pub(crate) fn check(self) -> Result<(), ActionError> {
        match self {
            To::Name("") => Err(ActionError::Empty),
            To::Number(number) if number > core::Action::MAX_NUMBER => Err(ActionError::TooLarge(number)),
            _ => Ok(()),
        }
    }
}

impl<'a> From<&'a str> for To<'a> {
    fn from(name: &'a str) -> To<'a> {
        To::Name(name)
    }
}

impl<'a> From<&'a String> for To<'a> {
    fn from(name: &'a String) -> To<'a> {
        To::Name(name)
    }
}

impl From<u32> for To<'_> {
    fn from(number: u32) -> To<'static> {
        To::Number(number)
    }
}

impl<'a> From<&'a Action> for To<'a> {
    fn from(action: &'a Action) -> To<'a> {
        match action {
            Action::Number(number) => To::Number(*number),
            Action::Name(name) => To::Name(name),
        }
    }
}

impl From<To<'_>> for Action {
    fn from(to: To<'_>) -> Action {
        match to {
            To::Number(number) => Action::Number(number),
            To::Name(name) => Action::Name(name.into()),
        }
    }
}
