//! Lines on a terminal that is too narrow for them: broken between words, and before a column that
//! begins far to the right. What is left goes on below the last column that does not.

use ratatui_core::text::Span;

/// What a line begins with that is there to be copied, and stays as it is: JSON, commands, headers.
const COPIED: [&str; 6] = ["\"", "export ", "curl ", "-H ", "--data-raw ", "webhook-"];
/// Goes with the word behind it.
const ARROW: &str = "→ ";
/// Does not stand in what is told: it would be told as what it is.
const GLUE: char = '\u{1f}';
/// Before an answer; each of its lines has it.
const BAR: &str = "│";

/// A word that is too long for any line stays whole.
pub(in crate::cli) fn fitted(text: &str, width: usize) -> String {
    let is_copied = |line: &str| COPIED.iter().any(|start| line.trim_start().starts_with(start));
    let lines = text.split('\n').map(|line| match columns(line) > width && !is_copied(line) {
        true => broken(line, width),
        false => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn broken(line: &str, width: usize) -> String {
    let line = line.replace(ARROW, &format!("→{GLUE}"));
    let (mut text, mut column, mut spaces) = (String::with_capacity(line.len() + 64), 0, 0);
    let (mut below, mut offset) = ("  ".to_owned(), 0);
    for word in line.split(' ') {
        let rest = &line[offset..];
        (offset, spaces) = (offset + word.len() + 1, spaces + usize::from(offset > 0));
        let long = columns(word);
        if long == 0 {
            // A colour, or one more space.
            if !word.is_empty() {
                text.push_str(&" ".repeat(spaces));
                text.push_str(word);
                column += std::mem::take(&mut spaces);
            }
            continue;
        }
        let (at, is_column) = (column + spaces, spaces > 1);
        let is_left = at <= width * 3 / 5;
        let indent = if columns(&below) + long <= width { &*below } else { "  " };
        let is_over = at + long > width || is_column && !is_left && at + columns(rest) > width;
        if is_over && columns(indent) + long <= width {
            text = format!("{}\n{indent}", text.trim_end_matches(' '));
            column = columns(indent);
        } else {
            text.push_str(&" ".repeat(spaces));
            column = at;
            if visible(word) == BAR {
                below = format!("{}{BAR} ", " ".repeat(column));
            } else if is_column && is_left && !text.contains('\n') {
                below = " ".repeat(column);
            }
        }
        text.push_str(word);
        (column, spaces) = (column + long, 0);
    }
    text.replace(GLUE, " ")
}

fn columns(text: &str) -> usize {
    Span::raw(visible(text).replace(GLUE, " ")).width()
}

/// Without colours.
pub(in crate::cli) fn visible(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let first = pieces.next().unwrap_or_default();
    let rest = pieces.map(|piece| piece.split_once('m').map_or(piece, |(_, rest)| rest));
    std::iter::once(first).chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_line_goes_on_below_its_last_column() {
        let long = format!("a {} b", "x".repeat(50));
        let left = format!("a {}\n  b", "x".repeat(50));
        for (line, width, seen) in [
            ("filled  An order was filled.", 20, "filled  An order was\n        filled."),
            ("order  order.filled  An order was.", 30, "order  order.filled\n       An order was."),
            ("200  evt_1  #2  → wh_1  refused", 18, "200  evt_1\n     #2  → wh_1\n     refused"),
            ("200  evt_1  → wh_1", 15, "200  evt_1\n     → wh_1"),
            ("error: no port; write '3000'", 22, "error: no port; write\n  '3000'"),
            ("    │ it does not exist", 16, "    │ it does\n    │ not exist"),
            ("\x1b[2m    │ \x1b[0mit does not", 14, "\x1b[2m    │ \x1b[0mit does\n    │ not"),
            ("  export SECRET=a b", 10, "  export SECRET=a b"),
            ("\"note\": \"to be copied\"", 10, "\"note\": \"to be copied\""),
            ("it fits\nand it\n", 7, "it fits\nand it\n"),
            (&long, 40, &left),
        ] {
            assert_eq!(fitted(line, width), seen, "{width} columns");
        }
        let coloured = "\x1b[31m500\x1b[0m  \x1b[1morder.filled\x1b[0m  evt_1";
        assert_eq!(fitted(coloured, 25), coloured, "colours have no width");
    }
}
