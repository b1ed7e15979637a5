//! Shell: "device" memory, which is host memory with an owner. Every range is checked against what was really handed out
//! before it is touched, so that a caller's wrong pitch or address is an error here and no crash. Refuses to outlive
//! `free`.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

static BLOCKS: Mutex<BTreeMap<usize, Box<[u8]>>> = Mutex::new(BTreeMap::new());

/// Most bytes that one allocation may have: a frame of 8192 x 8192 in 4:4:4 with room to spare.
const LARGEST: usize = 512 << 20;

fn blocks() -> MutexGuard<'static, BTreeMap<usize, Box<[u8]>>> {
    BLOCKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands out zeroed memory, or nothing if it asks too much.
pub fn allocate(bytes: usize) -> Option<usize> {
    if bytes == 0 || bytes > LARGEST {
        return None;
    }
    let mut block = vec![0u8; bytes].into_boxed_slice();
    let address = block.as_mut_ptr() as usize;
    blocks().insert(address, block);
    Some(address)
}

/// Takes memory back; false if it was never handed out.
pub fn free(address: usize) -> bool {
    blocks().remove(&address).is_some()
}

/// Bytes that are in use, over all allocations.
pub fn in_use() -> usize {
    blocks().values().map(|block| block.len()).sum()
}

/// Runs `use_it` on `bytes` bytes at `address`, or not at all if that is not wholly inside one allocation.
pub fn with<T>(address: usize, bytes: usize, use_it: impl FnOnce(&mut [u8]) -> T) -> Option<T> {
    let mut blocks = blocks();
    let (start, block) = blocks.range_mut(..=address).next_back()?;
    let from = address - start;
    let range = block.get_mut(from..from.checked_add(bytes)?)?;
    Some(use_it(range))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_handed_out_can_be_touched() {
        let address = allocate(100).unwrap();
        assert_eq!(with(address + 90, 10, |bytes| bytes.len()), Some(10));
        assert_eq!(with(address + 90, 11, |bytes| bytes.len()), None);
        assert!(free(address));
        assert!(!free(address));
        assert_eq!(with(address, 1, |bytes| bytes.len()), None);
        assert_eq!(allocate(0), None);
    }
}
