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
pub(crate) struct Reader<'a> {
    input: &'a [u8],
    at: usize,
    limit: u32,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(input: &'a [u8], limit: u32) -> Reader<'a> {
        Reader { input, at: 0, limit }
    }

    /// Octets read so far.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, Stop> {
        let next = self.at.saturating_add(1);
        let byte = *self.input.get(self.at).ok_or(Stop::Need(next))?;
        self.at = next;
        Ok(byte)
    }

    /// A LEB128 number in its one shortest form.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Stop> {
        let first = self.u8()?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        self.long_varint(first)
    }

    fn long_varint(&mut self, first: u8) -> Result<u64, Stop> {
        let mut value = u64::from(first & 0x7f);
        let mut shift = 7u32;
        loop {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth octet holds the last bit of 64.
            if shift == 63 && byte > 1 {
                return Err(PeerError::BadVarint.into());
            }
            value |= bits << shift;
            if byte < 0x80 {
                if byte == 0 {
                    return Err(PeerError::BadVarint.into());
                }
                return Ok(value);
            }
            shift = shift.saturating_add(7);
        }
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Stop> {
        u16::try_from(self.varint()?).map_err(|_| Stop::Bad(PeerError::BadVarint))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Stop> {
        u32::try_from(self.varint()?).map_err(|_| Stop::Bad(PeerError::BadVarint))
    }

    /// The next `len` octets. A length above the frame's limit is refused before a single one of them is awaited.
    #[inline]
    pub(crate) fn take(&mut self, len: u64) -> Result<&'a [u8], Stop> {
        let end = (self.at as u64).saturating_add(len);
        if end > u64::from(self.limit) {
            return Err(PeerError::FrameTooLarge { size: end, limit: self.limit }.into());
        }
        let end = end as usize;
        let bytes = self.input.get(self.at..end).ok_or(Stop::Need(end))?;
        self.at = end;
        Ok(bytes)
    }

    /// Octets behind their length.
    #[inline]
    pub(crate) fn block(&mut self) -> Result<&'a [u8], Stop> {
        let len = self.varint()?;
        self.take(len)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }

    /// UTF-8 behind its length.
    pub(crate) fn text(&mut self) -> Result<&'a str, Stop> {
        core::str::from_utf8(self.block()?).map_err(|_| Stop::Bad(PeerError::BadName))
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
            assert_eq!(Reader::new(bytes, 100).varint(), value, "{bytes:02x?}");
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
        assert_eq!(reader.block(), Err(Stop::Bad(refused)));
    }
}
