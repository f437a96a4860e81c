//! What tells types of the same name apart: the trace of a value, made of what serde says of it on its way through.
//!
//! Postcard writes values by position and without a word about what they are, so a type that two programs know
//! differently would be read as nonsense. Who serialises a value and who deserialises it hear the same from serde, and
//! both make the same 64 bits of it: the upper half of what the values are, the lower half of how fields and variants are
//! called. `docs/PROTOCOL.md` says how, to the bit.
//!
//! What a type is called by serde itself does not count, nor do newtypes: types are serialised as one and deserialised
//! as the other (`#[serde(try_from = "Raw")]`), and yet mirror each other.

/// What a value is, as far as it is one of its own: what the upper half of a trace is made of.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Atom {
    Bool = 1,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Text,
    None,
    Some,
}

/// And what has a number as well.
const VARIANT: u64 = 18;
const GROUP: u64 = 19;
const ROW: u64 = 20;
const MAP: u64 = 21;

/// Odd, and its bits look random: the golden ratio's, as in Knuth, The Art of Computer Programming, vol. 3, 6.4.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
/// Traces of elements of one row that are told apart. Rows that need more have as many traces as they have contents.
const APART: usize = 16;

/// The trace so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    kinds: u64,
    names: u64,
}

impl Trace {
    pub(crate) const START: Trace = Trace { kinds: FACTOR, names: FACTOR };

    #[inline]
    pub(crate) fn atom(&mut self, atom: Atom) {
        self.kinds = mix(self.kinds, atom as u64);
    }

    /// The variant of an enum, before what it holds.
    #[inline]
    pub(crate) fn variant(&mut self, index: u32) {
        self.kinds = mix(self.kinds, VARIANT | (u64::from(index) << 8));
    }

    /// The end of so many values side by side: of a struct, a tuple, or nothing.
    #[inline]
    pub(crate) fn group(&mut self, count: u32) {
        self.kinds = mix(self.kinds, GROUP | (u64::from(count) << 8));
    }

    /// The name of a field, after it, or of a variant, before what it holds.
    #[inline]
    pub(crate) fn name(&mut self, name: &str) {
        let (words, rest) = name.as_bytes().as_chunks();
        for word in words {
            self.names = mix(self.names, u64::from_le_bytes(*word));
        }
        let last = rest.iter().rev().fold(0, |last, octet| (last << 8) | u64::from(*octet));
        // No octet of UTF-8 is as large as the one on top, which says how many there are.
        self.names = mix(self.names, last | ((0xf8 | rest.len() as u64) << 56));
    }

    /// A row of octets, however serde was shown it.
    #[inline]
    pub(crate) fn octets(&mut self, is_empty: bool) {
        let mut row = Elements::new(false);
        if !is_empty {
            let mut octet = Trace::START;
            octet.atom(Atom::U8);
            row.add(octet);
        }
        self.elements(row);
    }

    /// The end of a row or map.
    #[inline]
    pub(crate) fn elements(&mut self, elements: Elements) {
        let Elements { first, mut more, rest, is_map } = elements;
        let mut count = 0;
        if let Some(first) = first {
            let first = first.fingerprint();
            if more.is_empty() {
                self.element(first);
            } else {
                more.push(first);
                more.sort_unstable();
                more.iter().for_each(|element| self.element(*element));
            }
            count = more.len().max(1) as u64;
        }
        if let Some(rest) = rest {
            self.element(rest.fingerprint());
            count += 1;
        }
        let kind = if is_map { MAP } else { ROW };
        self.kinds = mix(self.kinds, kind | (count << 8));
    }

    #[inline]
    fn element(&mut self, fingerprint: u64) {
        self.kinds = mix(self.kinds, fingerprint >> 32);
        self.names = mix(self.names, fingerprint & u64::from(u32::MAX));
    }

    /// The number that stands for it.
    #[inline]
    pub(crate) fn fingerprint(self) -> u64 {
        (mix(self.kinds, 0) & !u64::from(u32::MAX)) | (mix(self.names, 0) >> 32)
    }
}

/// Whether values of these traces are made of the same, however it is called.
pub(crate) fn is_alike(one: u64, other: u64) -> bool {
    one >> 32 == other >> 32
}

/// What the elements of a row or map are: each trace that occurs once, so that it matters neither how many there are nor
/// which comes first.
#[derive(Debug)]
pub(crate) struct Elements {
    first: Option<Trace>,
    /// Fingerprints of others, up to [`APART`] in all.
    more: Vec<u64>,
    /// What is none of those, one after the other.
    rest: Option<Trace>,
    is_map: bool,
}

impl Elements {
    #[inline]
    pub(crate) fn new(is_map: bool) -> Elements {
        Elements { first: None, more: Vec::new(), rest: None, is_map }
    }

    /// One more, or a key and its value.
    #[inline]
    pub(crate) fn add(&mut self, element: Trace) {
        match self.first {
            None => self.first = Some(element),
            Some(first) if first == element => {}
            Some(_) => self.add_other(element.fingerprint()),
        }
    }

    #[cold]
    fn add_other(&mut self, element: u64) {
        if self.more.contains(&element) {
            return;
        }
        if self.more.len() + 1 < APART {
            self.more.push(element);
        } else {
            self.rest.get_or_insert(Trace::START).element(element);
        }
    }
}

/// Every bit of both counts in the upper half of what comes out.
#[inline]
fn mix(state: u64, word: u64) -> u64 {
    let product = (state ^ word).wrapping_mul(FACTOR);
    product ^ (product >> 32)
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use crate::encode;

    fn of(value: &(impl Serialize + ?Sized)) -> u64 {
        encode::append(value, &mut Vec::new()).expect("it can be serialised").fingerprint()
    }

    #[derive(Serialize)]
    struct Entry {
        level: u8,
        #[serde(rename = "a longer name")]
        text: &'static str,
    }

    #[derive(Serialize)]
    enum Light {
        Red,
        Green(Option<u8>),
    }

    /// As `docs/PROTOCOL.md` has them: programs that were built apart have to agree.
    #[test]
    fn fingerprints_never_change() {
        for (found, known) in [
            (of(&7u64), 0xb232_3973_df44_2d22),
            (of(&()), 0x5c65_2f96_df44_2d22),
            (of(&Entry { level: 1, text: "text" }), 0x3037_7f3f_4c00_5c1a),
            (of(&Light::Red), 0x2086_07a4_2cfa_2613),
            (of(&Light::Green(Some(1))), 0x57d0_ced8_6015_87ea),
            (of(&vec![Light::Red, Light::Green(None)]), 0x8b05_8e65_d936_811c),
            (of(&std::collections::BTreeMap::from([("a", 1u8)])), 0xbf92_ea0e_f284_43c1),
        ] {
            assert_eq!(found, known, "{found:016x}");
        }
    }

    #[test]
    fn rows_of_equal_elements_are_alike_however_many_there_are() {
        let rows: [&[Option<u8>]; 4] =
            [&[None, Some(1)], &[Some(1), None], &[None, None, Some(2)], &[Some(1), Some(2), None]];
        rows.iter().for_each(|row| assert_eq!(of(row), of(rows[0]), "{row:?}"));
        for other in [&[][..], &[None], &[Some(1), Some(2)]] {
            assert_ne!(of(other), of(rows[0]), "{other:?}");
        }
    }

    #[test]
    fn every_element_counts_in_rows_of_many_kinds() {
        let row = |count: u32, last: Option<bool>| -> Vec<(Vec<Option<bool>>, Option<bool>)> {
            let bits = |n: u32| (0..n).map(|_| Some(true)).chain([None]).collect();
            (0..count).map(|n| (bits(n % 2), (n / 2 % 2 == 0).then_some(true))).chain([(vec![], last)]).collect()
        };
        assert_eq!(of(&row(4, None)), of(&row(400, None)));
        assert_ne!(of(&row(4, None)), of(&row(4, Some(true))));
        // More than are told apart, so that even their order counts.
        let many: Vec<Nest> = (0..40).map(Nest).collect();
        let turned: Vec<Nest> = (0..20).chain((20..40).rev()).map(Nest).collect();
        assert_ne!(of(&many), of(&turned));
        assert_ne!(of(&many), of(&many[..39]));
        assert_eq!(of(&many[..16]), of(&turned[..16].iter().rev().collect::<Vec<_>>()));
    }

    /// Nested so deep, and so of a trace of its own.
    struct Nest(u8);

    impl Serialize for Nest {
        fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            match self.0.checked_sub(1) {
                Some(inner) => to.serialize_some(&Nest(inner)),
                None => to.serialize_none(),
            }
        }
    }
}
