//! Comparing long lists: where they part, not all of both.

use std::fmt::Debug;

/// How many items around the first difference are shown.
const AROUND: usize = 5;

/// Panics unless the lists are equal, showing only the place where they part.
pub fn same<T: PartialEq + Debug>(what: &str, came: &[T], expected: &[T]) {
    if came == expected {
        return;
    }
    let shorter = came.len().min(expected.len());
    let at = (0..shorter).find(|&at| came[at] != expected[at]).unwrap_or(shorter);
    let near = |list: &[T]| {
        let from = at.saturating_sub(AROUND).min(list.len());
        format!("{:?}", &list[from..list.len().min(at + AROUND)])
    };
    let (came_near, expected_near) = (near(came), near(expected));
    panic!(
        "{what}: {} came, {} expected; they part at place {at}\n  came     … {came_near} …\n  \
         expected … {expected_near} …",
        came.len(),
        expected.len(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lists_pass() {
        same("numbers", &[1, 2, 3], &[1, 2, 3]);
    }

    #[test]
    #[should_panic(expected = "numbers: 99 came, 100 expected; they part at place 41")]
    fn a_gap_is_shown_where_it_is() {
        let expected: Vec<u32> = (0..100).collect();
        let came: Vec<u32> = (0..100).filter(|&n| n != 41).collect();
        same("numbers", &came, &expected);
    }

    #[test]
    #[should_panic(expected = "they part at place 2")]
    fn a_missing_end_is_a_difference() {
        same("numbers", &[1, 2], &[1, 2, 3]);
    }
}
