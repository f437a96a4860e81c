//! Whether two structs of the same name look the same: a number made of the names of their fields, in order.
//!
//! Postcard writes fields by position, so a struct that two programs know differently would be read as nonsense. Serde
//! tells the fields of a type to both its serialiser and its deserialiser; other types than structs have no such number.
//! A field's `alias` counts as one more field: without names on the wire it has no other use.

use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::ser::{Serialize, SerializeStruct};

use crate::codec::{Encoded, Mismatch};

/// The fields of a type that is read, if it is a struct.
pub(crate) fn of_type<T: DeserializeOwned>() -> Option<u64> {
    let mut shape = None;
    // It never gives a value; what matters is what it is asked for.
    let _ = T::deserialize(Asked(&mut shape));
    shape
}

/// FNV-1a, 64 bits: <https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>.
#[derive(Clone, Copy)]
pub(crate) struct Fields(u64);

impl Fields {
    pub(crate) const fn new() -> Fields {
        Fields(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, field: &str) {
        // Names are told apart by an octet that no name has.
        for octet in field.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// The fields of a value that is serialised.
impl SerializeStruct for Fields {
    type Ok = Encoded;
    type Error = Mismatch;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, field: &'static str, _: &T) -> Result<(), Mismatch> {
        self.add(field);
        Ok(())
    }

    fn end(self) -> Result<Encoded, Mismatch> {
        Ok(Encoded::Struct(self.0))
    }
}

struct Asked<'a>(&'a mut Option<u64>);

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = Mismatch;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Mismatch> {
        let mut fields = Fields::new();
        names.iter().for_each(|name| fields.add(name));
        *self.0 = Some(fields.0);
        Err(Mismatch)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Mismatch> {
        Err(Mismatch)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::codec::shape_of;

    #[derive(Serialize, Deserialize, Default)]
    struct Entry {
        level: u8,
        text: String,
    }

    #[derive(Serialize, Deserialize, Default)]
    struct Turned {
        text: String,
        level: u8,
    }

    #[test]
    fn a_struct_looks_the_same_from_both_ends() {
        assert!(shape_of(&Entry::default()).is_some());
        assert_eq!(shape_of(&Entry::default()), of_type::<Entry>());
    }

    #[test]
    fn structs_with_other_fields_look_otherwise() {
        assert_ne!(of_type::<Entry>(), of_type::<Turned>());
    }

    #[test]
    fn what_is_no_struct_has_no_shape() {
        assert_eq!((shape_of(&7u64), of_type::<u64>()), (None, None));
        assert_eq!((shape_of(&Some(1u8)), of_type::<Option<u8>>()), (None, None));
        assert_eq!((shape_of("text"), of_type::<String>()), (None, None));
    }
}
