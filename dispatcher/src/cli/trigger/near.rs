//! What was probably meant.

/// Less alike than this is no help to anybody.
const ALIKE: f64 = 0.5;
/// So much less alike than the likeliest is no help beside it.
const APART: f64 = 0.15;

/// Up to three candidates like what was written, the likeliest first: `did you mean 'a' or 'b'?`.
/// None, if none is like it.
pub(super) fn did_you_mean<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let end = format!(".{written}");
    let likeness = |candidate: &str| match candidate.ends_with(&end) {
        true => 1.0,
        false => strsim::normalized_damerau_levenshtein(written, candidate),
    };
    let scored = candidates.into_iter().map(|candidate| (likeness(candidate), candidate));
    let mut scored: Vec<_> = scored.filter(|(score, _)| *score >= ALIKE).collect();
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let best = scored.first().map_or(ALIKE, |(best, _)| *best);
    scored.retain(|(score, _)| *score > best - APART);
    let near: Vec<_> = scored.into_iter().take(3).map(|(_, near)| near).collect();
    (!near.is_empty()).then(|| format!("did you mean '{}'?", near.join("' or '")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_comes_first() {
        let paths = ["data.id", "data.amount", "data.status", "data.hold.amount"];
        for (written, advice) in [
            ("data.amuont", Some("did you mean 'data.amount'?")),
            ("amount", Some("did you mean 'data.amount' or 'data.hold.amount'?")),
            ("id", Some("did you mean 'data.id'?")),
            ("zzz", None),
        ] {
            assert_eq!(did_you_mean(written, paths).as_deref(), advice);
        }
    }
}
