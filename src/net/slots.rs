//! Connections by number. A number is found in one step and never used twice.

use crate::door::ConnId;

/// Numbers to values. The low bits of a number are the place, the high bits count all numbers ever given.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    slots: Vec<Option<(ConnId, Box<T>)>>,
    free: Vec<u32>,
    given: u64,
}

/// Bits of a number that name its place: the largest number of connections at one time is 2^24.
const PLACE_BITS: u32 = 24;

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), given: 0 }
    }
}

impl<T> Slots<T> {
    /// The most connections there can be at one time.
    pub(crate) const MAX: usize = 1 << PLACE_BITS;

    /// Puts what `build` makes of its number; `None` when all places are taken.
    pub(crate) fn insert<E>(&mut self, build: impl FnOnce(ConnId) -> Result<T, E>) -> Option<Result<ConnId, E>> {
        let place = match self.free.last() {
            Some(&place) => place,
            None if self.slots.len() < Self::MAX => self.slots.len() as u32,
            None => return None,
        };
        let id = ConnId((self.given + 1) << PLACE_BITS | u64::from(place));
        let value = match build(id) {
            Ok(value) => value,
            Err(error) => return Some(Err(error)),
        };
        self.given += 1;
        match self.slots.get_mut(place as usize) {
            Some(slot) => {
                *slot = Some((id, Box::new(value)));
                self.free.pop();
            }
            None => self.slots.push(Some((id, Box::new(value)))),
        }
        Some(Ok(id))
    }

    /// The connection of this number, if it is still there.
    pub(crate) fn get_mut(&mut self, id: ConnId) -> Option<&mut T> {
        match self.slots.get_mut(place(id)) {
            Some(Some((holder, value))) if *holder == id => Some(value),
            _ => None,
        }
    }

    /// Takes the connection of this number out.
    pub(crate) fn remove(&mut self, id: ConnId) -> Option<Box<T>> {
        let slot = self.slots.get_mut(place(id))?;
        let (_, value) = slot.take_if(|(holder, _)| *holder == id)?;
        self.free.push(place(id) as u32);
        Some(value)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// All of them.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten().map(|(_, value)| &**value)
    }

    /// The numbers of all.
    pub(crate) fn ids(&self) -> Vec<ConnId> {
        self.slots.iter().flatten().map(|(id, _)| *id).collect()
    }
}

fn place(id: ConnId) -> usize {
    (id.0 & ((1 << PLACE_BITS) - 1)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(slots: &mut Slots<u8>, value: u8) -> ConnId {
        slots.insert(|_| Ok::<_, ()>(value)).unwrap().unwrap()
    }

    #[test]
    fn a_place_is_reused_but_its_number_is_not() {
        let mut slots = Slots::default();
        let (a, b) = (insert(&mut slots, 1), insert(&mut slots, 2));
        assert_eq!(slots.remove(a), Some(Box::new(1)));
        let c = insert(&mut slots, 3);
        assert_eq!(place(a), place(c));
        assert_ne!(a, c);
        assert_eq!(slots.get_mut(a), None);
        assert_eq!(slots.remove(a), None);
        assert_eq!(slots.get_mut(c), Some(&mut 3));
        assert_eq!((slots.len(), slots.ids()), (2, vec![c, b]));
    }

    #[test]
    fn a_failed_build_takes_no_place() {
        let mut slots = Slots::<u8>::default();
        assert_eq!(slots.insert(|_| Err("no")), Some(Err("no")));
        assert_eq!(slots.len(), 0);
        insert(&mut slots, 1);
        assert_eq!(slots.len(), 1);
    }
}
