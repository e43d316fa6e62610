//! What an interrupted rewrite in place can leave, told from what somebody else wrote.

/// What a disk writes whole or not at all when the power goes: a sector.
const SECTOR_BYTES: usize = 512;

/// Could an interrupted rewrite of `old` by `new` have left these bytes? It writes from the start and cuts last. One that was
/// killed leaves the start of the new bytes and, from there on, the old ones, or zeros where room was reserved only; a power
/// cut leaves sectors, each as it was before or after, in whatever order the disk took them.
pub(super) fn is_mix(bytes: &[u8], old: &[u8], new: &[u8]) -> bool {
    let (least, most) = (old.len().min(new.len()), old.len().max(new.len()));
    // Where the writer was killed it stood in one sector only.
    let mut splits = 1_usize;
    (least..=most).contains(&bytes.len())
        && bytes.chunks(SECTOR_BYTES).enumerate().all(|(number, sector)| {
            let start = number.saturating_mul(SECTOR_BYTES);
            let is_whole = is_part(sector, old, start) || is_part(sector, new, start);
            is_whole || (is_split(sector, old, new, start) && std::mem::take(&mut splits) > 0)
        })
}

/// Are these the bytes of `whole` from `start` on? Zeros are beyond its end.
fn is_part(part: &[u8], whole: &[u8], start: usize) -> bool {
    let there = whole.get(start..).unwrap_or_default();
    let (inside, beyond) = part.split_at(part.len().min(there.len()));
    there.starts_with(inside) && beyond.iter().all(|byte| *byte == 0)
}

/// New bytes, and then old ones?
fn is_split(sector: &[u8], old: &[u8], new: &[u8], start: usize) -> bool {
    let there = new.get(start..).unwrap_or_default();
    let alike = sector.iter().zip(there).take_while(|(byte, new)| byte == new).count();
    is_part(sector.get(alike..).unwrap_or_default(), old, start.saturating_add(alike))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_told_from_what_somebody_wrote_since() {
        let (old, new) = (&b"[1, 2, 3, "[..], &b"[4, 5]"[..]);
        for mix in [old, new, b"[4, 2, 3, ", b"[4, 5] 3, "] {
            assert!(is_mix(mix, old, new), "{}", String::from_utf8_lossy(mix));
        }
        assert!(is_mix(b"[4, 5\0", &new[..3], new), "reserved, and not written yet");
        for other in [&b"[6, 2, 3, "[..], b"", b"[4", b"[1, 2, 3, 4", b"[\0, 5]", b"[1, 5]"] {
            assert!(!is_mix(other, old, new), "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn the_start_of_the_old_bytes_before_the_end_of_the_new_ones_is_none_of_ours_within_a_sector() {
        let (new, newer) = (b"{\"count\": 1, \"name\": \"x\"}", b"{\"count\": 2, \"name\": \"x\"}");
        for end in 11..newer.len() {
            assert!(!is_mix(newer, &newer[..end], new), "damaged after {end} bytes");
        }
    }

    #[test]
    fn a_rewrite_that_was_killed_leaves_its_start_and_the_old_end() {
        let (long, short) = (vec![b'o'; 2_000], vec![b'n'; 1_300]);
        for (old, new) in [(&long, &short), (&short, &long)] {
            let mut reserved = old.clone();
            reserved.resize(2_000, 0);
            for at in 0..=new.len() {
                assert!(is_mix(&[&new[..at], &reserved[at..]].concat(), old, new), "{at}");
            }
        }
    }

    #[test]
    fn a_power_cut_leaves_whole_sectors_in_any_order() {
        let (old, new) = (vec![b'o'; 2_000], vec![b'n'; 2_000]);
        let sectors = [&old[..512], &new[512..1_024], &old[1_024..1_536], &new[1_536..]].concat();
        assert!(is_mix(&sectors, &old, &new));
        for at in [100, 700, 1_900] {
            let mut other = sectors.clone();
            other[at] = b'?';
            assert!(!is_mix(&other, &old, &new), "{at}");
        }
        let mut split_twice = old.clone();
        (split_twice[0], split_twice[512]) = (b'n', b'n');
        assert!(!is_mix(&split_twice, &old, &new), "the writer stood in one place");
    }
}
