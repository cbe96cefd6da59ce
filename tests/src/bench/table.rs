//! Tables in Markdown that are tables on a terminal as well.

use std::fmt::Write;

pub(super) fn table<const COLUMNS: usize>(
    headings: [&str; COLUMNS],
    rows: &[[String; COLUMNS]],
) -> String {
    let headings = headings.map(str::to_owned);
    let width = |column: usize| {
        let cells = rows.iter().chain([&headings]).map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let line = widths.map(|width| "-".repeat(width));
    let mut table = String::new();
    for row in [&headings, &line].into_iter().chain(rows) {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| {} |", cells.collect::<Vec<_>>().join(" | "));
    }
    table
}
