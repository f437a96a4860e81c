//! Reading and writing the fields of a frame.

use crate::error::PeerError;

/// Why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The frame is at least this long, counted from its head.
    Need(usize),
    /// It will never be right.
    Bad(PeerError),
}

impl From<PeerError> for Stop {
    fn from(error: PeerError) -> Stop {
        Stop::Bad(error)
    }
}

/// Reads fields one after another, and refuses a frame above `limit` as soon as its length is known.
///
/// A field that is not there is `None`, and why is kept here: handed on from field to field it would cost a third of the
/// code.
pub(crate) struct Reader<'a> {
    input: &'a [u8],
    at: usize,
    limit: u32,
    stop: Stop,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(input: &'a [u8], limit: u32) -> Reader<'a> {
        Reader { input, at: 0, limit, stop: Stop::Need(0) }
    }

    /// Octets read so far.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Why a field was not there.
    pub(crate) fn stop(&self) -> Stop {
        self.stop
    }

    /// What was read will never be right.
    #[cold]
    pub(crate) fn bad<T>(&mut self, error: PeerError) -> Option<T> {
        self.stop = Stop::Bad(error);
        None
    }

    /// A frame of `len` octets goes on behind the input.
    #[cold]
    fn need<T>(&mut self, len: usize) -> Option<T> {
        self.stop = Stop::Need(len);
        None
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Option<u8> {
        let next = self.at.saturating_add(1);
        let Some(byte) = self.input.get(self.at) else { return self.need(next) };
        self.at = next;
        Some(*byte)
    }

    /// A LEB128 number in its one shortest form.
    #[inline]
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let first = self.u8()?;
        if first < 0x80 {
            return Some(u64::from(first));
        }
        self.long_varint(first)
    }

    fn long_varint(&mut self, first: u8) -> Option<u64> {
        let mut value = u64::from(first & 0x7f);
        let mut shift = 7u32;
        loop {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth octet holds the last bit of 64.
            if shift == 63 && byte > 1 {
                return self.bad(PeerError::BadVarint);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return if byte == 0 { self.bad(PeerError::BadVarint) } else { Some(value) };
            }
            shift = shift.saturating_add(7);
        }
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        u16::try_from(self.varint()?).ok().or_else(|| self.bad(PeerError::BadVarint))
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        u32::try_from(self.varint()?).ok().or_else(|| self.bad(PeerError::BadVarint))
    }

    /// The next `len` octets. A length above the frame's limit is refused before a single one of them is awaited.
    #[inline]
    pub(crate) fn take(&mut self, len: u64) -> Option<&'a [u8]> {
        let end = (self.at as u64).saturating_add(len);
        if end > u64::from(self.limit) {
            return self.bad(PeerError::FrameTooLarge { size: end, limit: self.limit });
        }
        let end = end as usize;
        let Some(bytes) = self.input.get(self.at..end) else { return self.need(end) };
        self.at = end;
        Some(bytes)
    }

    /// Octets behind their length.
    #[inline]
    pub(crate) fn block(&mut self) -> Option<&'a [u8]> {
        let len = self.varint()?;
        self.take(len)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N as u64)?.first_chunk().copied()
    }

    /// UTF-8 behind its length.
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        core::str::from_utf8(self.block()?).ok().or_else(|| self.bad(PeerError::BadName))
    }
}

/// Writes fields one after another. What does not fit is dropped and makes [`finish`](Writer::finish) give `None`.
pub(crate) struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
    full: bool,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut [u8]) -> Writer<'a> {
        Writer { out, at: 0, full: false }
    }

    /// Octets written, `None` if not all fitted.
    pub(crate) fn finish(self) -> Option<usize> {
        if self.full { None } else { Some(self.at) }
    }

    /// What `write` writes to the room that is left, and how much that is.
    pub(crate) fn extend(&mut self, write: impl FnOnce(&mut [u8]) -> Option<usize>) {
        match self.out.get_mut(self.at..).and_then(write) {
            Some(len) => self.at = self.at.saturating_add(len),
            None => self.full = true,
        }
    }

    #[inline]
    pub(crate) fn u8(&mut self, byte: u8) {
        match self.out.get_mut(self.at) {
            Some(slot) => {
                *slot = byte;
                self.at = self.at.saturating_add(1);
            }
            None => self.full = true,
        }
    }

    #[inline]
    pub(crate) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.u8(value as u8);
    }

    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let end = self.at.saturating_add(bytes.len());
        match self.out.get_mut(self.at..end) {
            Some(slot) => {
                slot.copy_from_slice(bytes);
                self.at = end;
            }
            None => self.full = true,
        }
    }

    #[inline]
    pub(crate) fn block(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_have_one_form() {
        for (bytes, value) in [
            (&[0x00][..], Ok(0)),
            (&[0x7f], Ok(127)),
            (&[0x80, 0x01], Ok(128)),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Ok(u64::MAX)),
            (&[0x80, 0x00], Err(Stop::Bad(PeerError::BadVarint))),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], Err(Stop::Bad(PeerError::BadVarint))),
            (&[0x80; 11], Err(Stop::Bad(PeerError::BadVarint))),
            (&[0x80], Err(Stop::Need(2))),
        ] {
            let mut reader = Reader::new(bytes, 100);
            assert_eq!(reader.varint().ok_or(reader.stop()), value, "{bytes:02x?}");
            if let Ok(value) = value {
                let mut out = [0; 10];
                let mut writer = Writer::new(&mut out);
                writer.varint(value);
                let len = writer.finish();
                assert_eq!(len, Some(bytes.len()));
                assert_eq!(out.get(..bytes.len()), Some(bytes));
            }
        }
    }

    #[test]
    fn a_length_above_the_limit_is_refused_before_its_bytes() {
        let mut reader = Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f], 1000);
        let refused = PeerError::FrameTooLarge { size: 0xffff_ffff + 5, limit: 1000 };
        assert_eq!((reader.block(), reader.stop()), (None, Stop::Bad(refused)));
    }
}
