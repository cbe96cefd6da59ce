//! What differs between two texts, line by line.

/// One line of either text, or of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    Same(&'a str),
    Gone(&'a str),
    New(&'a str),
}

/// Beyond so many pairs of lines, what lies between the same beginning and the same end is told as
/// replaced: a table of all pairs would take too long.
const MOST_PAIRS: usize = 1_000_000;

/// The fewest changes from one text to the other.
pub fn changes<'a>(old: &'a str, new: &'a str) -> Vec<Change<'a>> {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let start = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let (old_rest, new_rest) = (&old[start..], &new[start..]);
    let pairs = old_rest.iter().rev().zip(new_rest.iter().rev());
    let end = pairs.take_while(|(old, new)| old == new).count();
    let old_middle = &old_rest[..old_rest.len() - end];
    let new_middle = &new_rest[..new_rest.len() - end];
    let mut changes: Vec<_> = old[..start].iter().map(|line| Change::Same(line)).collect();
    changes.extend(between(old_middle, new_middle));
    changes.extend(old[old.len() - end..].iter().map(|line| Change::Same(line)));
    changes
}

/// By the longest common subsequence.
fn between<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Change<'a>> {
    if old.len().saturating_mul(new.len()) > MOST_PAIRS {
        let gone = old.iter().map(|line| Change::Gone(line));
        return gone.chain(new.iter().map(|line| Change::New(line))).collect();
    }
    // How many lines the rests of both have in common, from here on.
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = match old[i] == new[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut changes) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            changes.push(Change::Same(old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            changes.push(Change::Gone(old[i]));
            i += 1;
        } else {
            changes.push(Change::New(new[j]));
            j += 1;
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_the_same_stays_together() {
        let changes = changes("a\nb\nc\nd", "a\nc\nx\nd");
        let expected = [Change::Same("a"), Change::Gone("b"), Change::Same("c"), Change::New("x")];
        assert_eq!(changes[..4], expected);
        assert_eq!(changes[4..], [Change::Same("d")]);
    }

    proptest! {
        /// Both texts can be read from the changes.
        #[test]
        fn nothing_is_left_out(old in "([abc]\n){0,12}", new in "([abc]\n){0,12}") {
            let changes = changes(&old, &new);
            let read = |wanted: fn(&Change<'_>) -> bool| -> String {
                let lines = changes.iter().filter(|change| wanted(change));
                lines.map(|(Change::Same(l) | Change::Gone(l) | Change::New(l))| format!("{l}\n"))
                    .collect()
            };
            prop_assert_eq!(read(|change| !matches!(change, Change::New(_))), old.clone());
            prop_assert_eq!(read(|change| !matches!(change, Change::Gone(_))), new.clone());
        }
    }
}
