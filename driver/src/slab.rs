//! Values under keys that are used again.

/// A key of a [`Slab`]. It is good until the value is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u32);

impl Key {
    /// No value has this key.
    pub(crate) const NONE: Key = Key(u32::MAX);
}

#[derive(Debug)]
pub(crate) struct Slab<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Slab<T> {
        Slab { slots: Vec::new(), free: Vec::new() }
    }

    pub(crate) fn insert(&mut self, value: T) -> Key {
        if let Some(free) = self.free.pop() {
            self.slots[free as usize] = Some(value);
            return Key(free);
        }
        self.slots.push(Some(value));
        Key(self.slots.len() as u32 - 1)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slots.get_mut(key.0 as usize)?.as_mut()
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let value = self.slots.get_mut(key.0 as usize)?.take();
        if value.is_some() {
            self.free.push(key.0);
        }
        value
    }

    /// Removes a value that nobody wants to have.
    pub(crate) fn discard(&mut self, key: Key) {
        if let Some(slot) = self.slots.get_mut(key.0 as usize).filter(|slot| slot.is_some()) {
            *slot = None;
            self.free.push(key.0);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Lets go of rows if there is no value; whether there is none.
    pub(crate) fn rest(&mut self) -> bool {
        let empty = self.len() == 0;
        if empty {
            *self = Slab::new();
        }
        empty
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().flatten()
    }
}

/// Which key belongs to a number on the wire.
#[derive(Debug)]
pub(crate) struct Keys(Vec<Key>);

impl Keys {
    pub(crate) const fn new() -> Keys {
        Keys(Vec::new())
    }

    pub(crate) fn set(&mut self, number: u16, key: Key) {
        let index = usize::from(number);
        if index >= self.0.len() {
            self.0.resize(index + 1, Key::NONE);
        }
        self.0[index] = key;
    }

    pub(crate) fn get(&self, number: u16) -> Key {
        self.0.get(usize::from(number)).copied().unwrap_or(Key::NONE)
    }
}
