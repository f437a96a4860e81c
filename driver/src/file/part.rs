//! How much of a file is asked for.

use std::ops::{Bound, RangeBounds};

use ropeway_core::Accept;

use super::FileError;
use crate::error::Error;

/// All of a file, or a range of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    start: u64,
    /// The first octet behind it, if that is not the end of the file.
    end: Option<u64>,
}

impl Part {
    pub(super) fn new(range: &impl RangeBounds<u64>) -> Part {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => Some(last.saturating_add(1)),
            Bound::Excluded(end) => Some(*end),
            Bound::Unbounded => None,
        };
        Part { start, end }
    }

    pub(super) fn is_all(&self) -> bool {
        *self == Part::default()
    }

    /// What to ask for to get it of a file of that size.
    ///
    /// Of a range the digest is of the range alone, so it always has an end. Of a file of unknown size it may reach past
    /// the end of the file.
    pub(super) fn within(&self, size: Option<u64>) -> Result<Accept, Error> {
        if self.is_all() {
            return Ok(Accept::default());
        }
        let end = self.end.or(size).unwrap_or(u64::MAX);
        if self.start >= end || size.is_some_and(|size| end > size) {
            return Err(FileError::Range.into());
        }
        Ok(Accept { start: self.start, end: Some(end), prefix: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(size: Option<u64>, range: impl RangeBounds<u64> + std::fmt::Debug, expected: Option<(u64, Option<u64>)>) {
        let asked = Part::new(&range).within(size);
        assert_eq!(asked.ok().map(|accept| (accept.start, accept.end)), expected, "{size:?} {range:?}");
    }

    #[test]
    fn any_range_within_the_size_is_asked_for() {
        check(Some(10), .., Some((0, None)));
        check(Some(0), .., Some((0, None)));
        check(Some(10), 0.., Some((0, None)));
        check(Some(10), 0..10, Some((0, Some(10))));
        check(Some(10), 9..10, Some((9, Some(10))));
        check(Some(10), 3.., Some((3, Some(10))));
        check(Some(10), ..3, Some((0, Some(3))));
        check(Some(10), 3..=3, Some((3, Some(4))));
        check(None, 4..u64::MAX, Some((4, Some(u64::MAX))));
        check(None, 4.., Some((4, Some(u64::MAX))));
    }

    #[test]
    #[expect(clippy::reversed_empty_ranges)]
    fn what_is_empty_or_beyond_the_size_is_not() {
        check(Some(10), 9..11, None);
        check(Some(10), 9..=10, None);
        check(Some(10), 10.., None);
        check(Some(10), 11.., None);
        check(Some(10), ..0, None);
        check(Some(10), 4..4, None);
        check(Some(10), 5..4, None);
        check(Some(0), 0..0, None);
        check(None, 4..4, None);
        check(None, u64::MAX.., None);
    }
}
