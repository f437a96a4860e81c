//! The range of a file that is asked for: `A..B`, `A..` or `..B`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::Serialize;

use crate::exit::{Exit, Failed};

/// From an octet up to, but not including, another or the end of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: u64,
    end: Option<u64>,
}

/// Those that came of it.
#[derive(Serialize)]
pub(super) struct Octets {
    start: u64,
    end: u64,
}

impl Span {
    /// Its octets in a file of that size. Of a file of unknown size there may be fewer.
    pub(super) fn within(&self, size: Option<u64>) -> Result<Range<u64>, Failed> {
        let end = self.end.or(size).unwrap_or(u64::MAX);
        match size {
            Some(size) if end > size || self.start >= size => {
                let text = format!("the range {self} reaches past the end of the file at octet {size}");
                Err(Failed::new(Exit::Refused, text))
            }
            _ => Ok(self.start..end),
        }
    }

    /// So many of its octets.
    pub(super) fn of(&self, count: u64) -> Octets {
        Octets { start: self.start, end: self.start.saturating_add(count) }
    }

    /// What the file with these octets of a file is called.
    pub(super) fn name_of(&self, name: &str) -> String {
        match self.end {
            Some(end) => format!("{name}.{}-{end}", self.start),
            None => format!("{name}.{}-end", self.start),
        }
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        let form = || "a range is A..B, A.. or ..B, such as 0..1024".to_owned();
        let number = |digits: &str| match digits {
            "" => Ok(None),
            _ if !digits.bytes().all(|octet| octet.is_ascii_digit()) => Err(form()),
            _ => digits.parse().map(Some).map_err(|_| format!("no file has {digits} octets")),
        };
        let (start, end) = text.split_once("..").ok_or_else(form)?;
        let (start, end) = match (number(start)?, number(end)?) {
            (None, None) => return Err(form()),
            (start, end) => (start.unwrap_or_default(), end),
        };
        match end {
            Some(end) if end < start => Err("the range ends before it begins".into()),
            Some(end) if end == start => Err("the range is empty".into()),
            _ => Ok(Span { start, end }),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..", self.start)?;
        self.end.map_or(Ok(()), |end| end.fmt(f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The octets of a file of 10 that a text asks for.
    fn check(text: &str, expected: Option<Range<u64>>) {
        let span: Result<Span, _> = text.parse();
        assert_eq!(span.ok().and_then(|span| span.within(Some(10)).ok()), expected, "{text}");
    }

    #[test]
    fn is_open_at_either_end() {
        check("2..5", Some(2..5));
        check("0..10", Some(0..10));
        check("5..", Some(5..10));
        check("0..", Some(0..10));
        check("..5", Some(0..5));
    }

    #[test]
    fn refuses_what_is_no_range_of_the_file() {
        for text in
            ["", "..", "5", "5..5", "..0", "5..2", "a..5", "5..a", "-1..5", "+1..5", "1...5", "1..2..3", " 1..2"]
        {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        assert!("0..18446744073709551616".parse::<Span>().is_err());
        check("5..11", None);
        check("10..", None);
    }

    #[test]
    fn ends_where_it_ends_in_a_file_of_unknown_size() {
        for (text, expected) in [("2..5", 2..5), ("5..", 5..u64::MAX)] {
            assert_eq!(text.parse::<Span>().expect("a range").within(None).expect("possible"), expected);
        }
    }
}
