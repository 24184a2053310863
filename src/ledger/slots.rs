//! A small state that is rewritten in place and survives a torn write.
//!
//! Two slots of fixed size are written in turn. Each holds a magic, a sequence number, a length, a CRC-32 over all of
//! these, and the bytes. A write that is cut short spoils the older slot only; the newest whole slot counts.

/// Bytes from one slot's start to the next.
pub(super) const SLOT: usize = 4096;
const HEADER: usize = 24;
const MAGIC: &[u8; 8] = b"CLMLEASE";

/// A state as read from the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot {
    pub sequence: u64,
    pub bytes: Vec<u8>,
}

/// Where the slot with this sequence number stands.
pub(super) fn offset(sequence: u64) -> u64 {
    (sequence % 2) * SLOT as u64
}

/// The bytes of a slot, or `None` if `bytes` are too many.
pub(super) fn encode(sequence: u64, bytes: &[u8]) -> Option<Vec<u8>> {
    let len = u32::try_from(bytes.len()).ok().filter(|len| *len as usize <= SLOT - HEADER)?;
    let mut slot = Vec::with_capacity(HEADER + bytes.len());
    slot.extend_from_slice(MAGIC);
    slot.extend_from_slice(&sequence.to_le_bytes());
    slot.extend_from_slice(&len.to_le_bytes());
    slot.extend_from_slice(&checksum(&slot, bytes).to_le_bytes());
    slot.extend_from_slice(bytes);
    Some(slot)
}

/// The newest whole slot of a file.
pub(super) fn newest(file: &[u8]) -> Option<Slot> {
    let first = file.get(..SLOT).or(Some(file));
    let second = file.get(SLOT..);
    [first, second].into_iter().flatten().filter_map(decode).max_by_key(|slot| slot.sequence)
}

fn decode(slot: &[u8]) -> Option<Slot> {
    let (header, rest) = slot.split_at_checked(HEADER)?;
    let (checked, crc) = header.split_at(HEADER - 4);
    let sequence = u64::from_le_bytes(checked.get(8..16)?.try_into().ok()?);
    let len = u32::from_le_bytes(checked.get(16..20)?.try_into().ok()?);
    let bytes = rest.get(..len as usize)?;
    let whole = checked.starts_with(MAGIC) && u32::from_le_bytes(crc.try_into().ok()?) == checksum(checked, bytes);
    whole.then(|| Slot { sequence, bytes: bytes.to_owned() })
}

fn checksum(header: &[u8], bytes: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(header);
    crc.update(bytes);
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(file: &mut Vec<u8>, sequence: u64, slot: &[u8]) {
        let start = offset(sequence) as usize;
        file.resize(file.len().max(start + slot.len()), 0);
        file[start..start + slot.len()].copy_from_slice(slot);
    }

    #[test]
    fn a_write_torn_at_any_byte_leaves_the_state_before_it() {
        let mut file = Vec::new();
        for sequence in 1..=6u64 {
            let bytes = vec![b'a' + sequence as u8; 40 * sequence as usize % 97];
            let slot = encode(sequence, &bytes).unwrap();
            for torn in 0..slot.len() {
                let mut copy = file.clone();
                put(&mut copy, sequence, &slot[..torn]);
                let seen = newest(&copy).map(|slot| slot.sequence);
                let before = (sequence > 1).then_some(sequence - 1);
                // A tail that happens to equal the older slot's bytes makes the write whole.
                assert!(seen == before || seen == Some(sequence), "sequence {sequence} torn at {torn}: {seen:?}");
                if torn < HEADER {
                    assert_eq!(seen, before);
                }
            }
            put(&mut file, sequence, &slot);
            assert_eq!(newest(&file), Some(Slot { sequence, bytes }));
        }
    }

    #[test]
    fn rubbish_is_no_slot() {
        assert_eq!(newest(b""), None);
        assert_eq!(newest(&[0; 3 * SLOT]), None);
        assert_eq!(newest(&[0xff; SLOT + 3]), None);
        let mut huge = encode(1, b"x").unwrap();
        huge[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(newest(&huge), None);
        assert_eq!(encode(1, &[0; SLOT]), None);
    }
}
