//! Algorithms by which records are sealed, and lists of them.

/// How many keys of 32 octets there are for a cipher.
pub const KEYS: usize = 3;
/// Octets by which sealing may make a record longer: padding of a block, and a tag of 32.
pub const MAX_OVERHEAD: usize = 48;
/// Octets of the longest name of a suite.
pub const MAX_SUITE_NAME: usize = 32;

/// An algorithm by which records are sealed: authenticated encryption with associated data.
///
/// Those of this crate are behind features that are named after them; yours stands beside them.
pub trait Suite {
    /// What seals, or opens.
    type Cipher: Cipher;

    /// As it is called in hellos: 1 to [`MAX_SUITE_NAME`] octets of visible ASCII, without a comma.
    fn name(&self) -> &str;

    /// What seals, or opens, with these keys. They are independent of each other: it takes those that it needs, from the first.
    fn cipher(&self, keys: &[[u8; 32]; KEYS]) -> Self::Cipher;
}

/// What seals the records of one direction, or opens them. No number is sealed twice. It wipes its keys when dropped.
pub trait Cipher {
    /// Octets by which a record is longer than its content, at most: never above [`MAX_OVERHEAD`].
    fn overhead(&self) -> usize;

    /// Seals the first `len` octets of `record`, in place: how many octets there are then. `None`, and nothing is changed, if
    /// `record` has not [`overhead`](Cipher::overhead) octets behind them.
    ///
    /// `number` counts the records of this cipher. What stands in `head` is authenticated, and not sent here.
    fn seal(&mut self, number: u64, head: &[u8], record: &mut [u8], len: usize) -> Option<usize>;

    /// Opens all of `record`, in place: how many octets at its start are the content. `None` if it is not what was sealed under
    /// this number, with this head: then `record` is wiped. How long that takes tells nothing to who has not the keys.
    fn open(&mut self, number: u64, head: &[u8], record: &mut [u8]) -> Option<usize>;
}

/// Suites in order of preference: one of them, or a pair of lists, of which the first goes before the second.
pub trait Suites {
    /// What seals, or opens, by any of them.
    type Cipher: Cipher;

    /// How many there are.
    fn count(&self) -> usize;

    /// How the suite of that index is called; `None` behind the last.
    fn name(&self, index: usize) -> Option<&str>;

    /// What seals, or opens, with these keys; `None` behind the last.
    fn cipher(&self, index: usize, keys: &[[u8; 32]; KEYS]) -> Option<Self::Cipher>;
}

impl<S: Suite> Suites for S {
    type Cipher = S::Cipher;

    fn count(&self) -> usize {
        1
    }

    fn name(&self, index: usize) -> Option<&str> {
        (index == 0).then(|| Suite::name(self))
    }

    fn cipher(&self, index: usize, keys: &[[u8; 32]; KEYS]) -> Option<S::Cipher> {
        (index == 0).then(|| Suite::cipher(self, keys))
    }
}

impl<A: Suites, B: Suites> Suites for (A, B) {
    type Cipher = Either<A::Cipher, B::Cipher>;

    fn count(&self) -> usize {
        self.0.count().saturating_add(self.1.count())
    }

    fn name(&self, index: usize) -> Option<&str> {
        self.0.name(index).or_else(|| self.1.name(index.checked_sub(self.0.count())?))
    }

    fn cipher(&self, index: usize, keys: &[[u8; 32]; KEYS]) -> Option<Self::Cipher> {
        match index.checked_sub(self.0.count()) {
            None => self.0.cipher(index, keys).map(Either::First),
            Some(index) => self.1.cipher(index, keys).map(Either::Second),
        }
    }
}

/// A cipher of either list.
pub enum Either<A, B> {
    /// Of the list that goes before.
    First(A),
    /// Of the other.
    Second(B),
}

impl<A: Cipher, B: Cipher> Cipher for Either<A, B> {
    fn overhead(&self) -> usize {
        match self {
            Either::First(cipher) => cipher.overhead(),
            Either::Second(cipher) => cipher.overhead(),
        }
    }

    fn seal(&mut self, number: u64, head: &[u8], record: &mut [u8], len: usize) -> Option<usize> {
        match self {
            Either::First(cipher) => cipher.seal(number, head, record, len),
            Either::Second(cipher) => cipher.seal(number, head, record, len),
        }
    }

    fn open(&mut self, number: u64, head: &[u8], record: &mut [u8]) -> Option<usize> {
        match self {
            Either::First(cipher) => cipher.open(number, head, record),
            Either::Second(cipher) => cipher.open(number, head, record),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As little as a suite can be, and no secret is safe with it: it adds its key, and a tag that is the sum of what it sealed.
    struct Adding(&'static str);

    struct Adder(u8);

    impl Suite for Adding {
        type Cipher = Adder;

        fn name(&self) -> &str {
            self.0
        }

        fn cipher(&self, [[key, ..], ..]: &[[u8; 32]; KEYS]) -> Adder {
            Adder(self.0.bytes().fold(*key, u8::wrapping_add))
        }
    }

    impl Adder {
        fn tag(&self, number: u64, head: &[u8], content: &[u8]) -> u8 {
            head.iter().chain(content).chain(&number.to_le_bytes()).fold(self.0, |sum, &octet| sum.wrapping_add(octet))
        }
    }

    impl Cipher for Adder {
        fn overhead(&self) -> usize {
            1
        }

        fn seal(&mut self, number: u64, head: &[u8], record: &mut [u8], len: usize) -> Option<usize> {
            let (content, behind) = record.split_at_mut_checked(len)?;
            let tag = behind.first_mut()?;
            content.iter_mut().for_each(|octet| *octet = octet.wrapping_add(self.0));
            *tag = self.tag(number, head, content);
            len.checked_add(1)
        }

        fn open(&mut self, number: u64, head: &[u8], record: &mut [u8]) -> Option<usize> {
            let (&mut tag, content) = record.split_last_mut()?;
            if self.tag(number, head, content) != tag {
                record.fill(0);
                return None;
            }
            content.iter_mut().for_each(|octet| *octet = octet.wrapping_sub(self.0));
            Some(content.len())
        }
    }

    fn names(suites: &impl Suites) -> std::vec::Vec<&str> {
        assert_eq!(suites.name(suites.count()), None);
        assert!(suites.cipher(suites.count(), &[[1; 32]; KEYS]).is_none());
        (0..suites.count()).map(|index| suites.name(index).unwrap()).collect()
    }

    #[test]
    fn lists_are_in_the_order_in_which_they_are_written() {
        assert_eq!(names(&Adding("one")), ["one"]);
        assert_eq!(names(&(Adding("one"), Adding("two"))), ["one", "two"]);
        assert_eq!(names(&((Adding("a"), Adding("b")), (Adding("c"), Adding("d")))), ["a", "b", "c", "d"]);
        assert_eq!(names(&(Adding("a"), (Adding("b"), (Adding("c"), Adding("d"))))), ["a", "b", "c", "d"]);
    }

    #[test]
    fn a_suite_of_the_users_own_seals_and_opens_wherever_it_stands() {
        let suites = (Adding("one"), (Adding("two"), Adding("three")));
        let sealed = |index: usize| {
            let mut record = *b"content.";
            let len = suites.cipher(index, &[[1; 32]; KEYS]).unwrap().seal(5, b"head", &mut record, 7);
            assert_eq!(len, Some(8));
            record
        };
        for index in 0..3 {
            for other in 0..3 {
                let mut cipher = suites.cipher(other, &[[1; 32]; KEYS]).unwrap();
                assert_eq!(cipher.overhead(), 1);
                let mut record = sealed(index);
                let opened = cipher.open(5, b"head", &mut record);
                assert_eq!(opened, (index == other).then_some(7), "sealed by {index}, opened by {other}");
                assert_eq!(&record[..7], if index == other { b"content" } else { &[0; 7] });
            }
        }
    }
}
