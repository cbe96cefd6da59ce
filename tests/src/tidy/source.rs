//! A Rust file taken apart: what is code, what is a literal, what is only for tests.
//!
//! Not a parser. It knows comments, literals and matching braces, which is all that the rules need,
//! and keeps every line in its place.

use super::File;

/// What a character belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Code,
    Comment,
    Literal,
}

/// A Rust file and its views. All views have the same lines, with blanks where a part is left out.
#[derive(Debug, Clone)]
pub struct Source {
    pub file: File,
    /// Without comments and without what stands in literals.
    pub code: String,
    /// Only what stands in literals.
    pub literals: String,
    /// For each line, whether it is compiled only into tests.
    test_lines: Vec<bool>,
}

impl Source {
    pub fn new(file: &File) -> Self {
        let text: Vec<char> = file.text.chars().collect();
        let parts = Lexer { text: &text, at: 0, parts: Vec::with_capacity(text.len()) }.run();
        let view = |part: Part| -> String {
            let characters = text.iter().zip(&parts);
            characters.map(|(&c, &p)| if p == part || c == '\n' { c } else { ' ' }).collect()
        };
        let code = view(Part::Code);
        let test_lines = test_lines(&file.path, &code);
        Self { literals: view(Part::Literal), code, test_lines, file: file.clone() }
    }

    /// Whether the line, from 1, is only for tests.
    pub fn is_test(&self, line: usize) -> bool {
        self.test_lines.get(line - 1).copied().unwrap_or(false)
    }

    /// How many lines are not only for tests.
    pub fn lines_outside_tests(&self) -> usize {
        self.test_lines.iter().filter(|&&test| !test).count()
    }

    /// The line, from 1, of a byte of [`code`](Self::code).
    pub fn line_of(&self, byte: usize) -> usize {
        line_of(&self.code, byte)
    }
}

fn line_of(text: &str, byte: usize) -> usize {
    1 + text.as_bytes()[..byte].iter().filter(|&&byte| byte == b'\n').count()
}

/// Whether all of a file is for tests, by where it lies.
pub fn is_test_file(path: &str) -> bool {
    let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".rs");
    let folder = |name: &str| path.split('/').any(|part| part == name);
    folder("tests") || folder("benches") || stem == "tests" || stem.ends_with("_tests")
}

fn test_lines(path: &str, code: &str) -> Vec<bool> {
    let mut lines = vec![is_test_file(path); code.lines().count()];
    for (start, _) in code.match_indices("#[cfg(test)]") {
        let end = end_of_item(code, start).unwrap_or(code.len());
        let last = line_of(code, end).min(lines.len());
        lines[line_of(code, start) - 1..last].fill(true);
    }
    lines
}

/// The last byte of the item that begins at `start`: its semicolon, or the brace that closes it.
pub fn end_of_item(code: &str, start: usize) -> Option<usize> {
    let mut nesting = 0_i32;
    let mut braces = 0_i32;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => nesting += 1,
            b')' | b']' => nesting -= 1,
            b'{' => braces += 1,
            b'}' => {
                braces -= 1;
                if braces == 0 && nesting == 0 {
                    return Some(at);
                }
            }
            b';' if braces == 0 && nesting == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

struct Lexer<'a> {
    text: &'a [char],
    at: usize,
    parts: Vec<Part>,
}

impl Lexer<'_> {
    fn run(mut self) -> Vec<Part> {
        while let Some(c) = self.peek(0) {
            match c {
                '/' if self.peek(1) == Some('/') => self.until_line_end(),
                '/' if self.peek(1) == Some('*') => self.block_comment(),
                '"' => self.string(),
                '\'' => self.quote(),
                'r' | 'b' | 'c' if !self.after_name() => self.prefixed(),
                _ => self.take(Part::Code),
            }
        }
        self.parts
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    fn take(&mut self, part: Part) {
        self.parts.push(part);
        self.at += 1;
    }

    fn after_name(&self) -> bool {
        self.at > 0 && is_name(self.text[self.at - 1])
    }

    fn until_line_end(&mut self) {
        while self.peek(0).is_some_and(|c| c != '\n') {
            self.take(Part::Comment);
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.text.len() {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => depth += 1,
                (Some('*'), Some('/')) => depth -= 1,
                _ => {
                    self.take(Part::Comment);
                    continue;
                }
            }
            self.take(Part::Comment);
            self.take(Part::Comment);
            if depth == 0 {
                return;
            }
        }
    }

    /// `r"…"`, `br#"…"#`, `b'x'` and the like; a plain name otherwise.
    fn prefixed(&mut self) {
        let mut ahead = 1;
        if self.peek(0) != Some('r') && self.peek(1) == Some('r') {
            ahead = 2;
        }
        let raw = self.peek(ahead - 1) == Some('r');
        let hashes = (0..).take_while(|n| raw && self.peek(ahead + n) == Some('#')).count();
        let opens = self.peek(ahead + hashes);
        for _ in 0..if opens == Some('"') { ahead + hashes } else { 1 } {
            self.take(Part::Code);
        }
        match opens {
            Some('"') if raw => self.raw_string(hashes),
            Some('"') => self.string(),
            _ => {}
        }
    }

    /// A string with escapes.
    fn string(&mut self) {
        self.take(Part::Code);
        while let Some(c) = self.peek(0) {
            match c {
                '"' => return self.take(Part::Code),
                '\\' => {
                    self.take(Part::Literal);
                    self.take(Part::Literal);
                }
                _ => self.take(Part::Literal),
            }
        }
    }

    fn raw_string(&mut self, hashes: usize) {
        self.take(Part::Code);
        while let Some(c) = self.peek(0) {
            let closes = c == '"' && (1..=hashes).all(|n| self.peek(n) == Some('#'));
            if closes {
                return (0..=hashes).for_each(|_| self.take(Part::Code));
            }
            self.take(Part::Literal);
        }
    }

    /// A character or a lifetime.
    fn quote(&mut self) {
        let escaped = self.peek(1) == Some('\\');
        let character = escaped || self.peek(2) == Some('\'');
        self.take(Part::Code);
        if !character {
            return;
        }
        if escaped {
            self.take(Part::Literal);
        }
        self.take(Part::Literal);
        while self.peek(0).is_some_and(|c| c != '\'') {
            self.take(Part::Literal);
        }
        self.take(Part::Code);
    }
}

/// Whether a character can be part of a name.
pub fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source::new(&File::new(path, text))
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        let text = concat!(
            "let a = \"x // y\"; // z\n",
            "/* p /* q */ r */ let b = r#\"s \"t\" u\"#;\n",
            "let c: &'static str = \"v\\\"w\"; let d = ('\\'', 'e', b\"f\", b'g');\n",
        );
        let source = source("dispatcher/src/a.rs", text);
        let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            squeeze(&source.code),
            "let a = \" \"; let b = r#\" \"#; let c: &'static str = \" \"; \
             let d = (' ', ' ', b\" \", b' ');"
        );
        assert_eq!(squeeze(&source.literals), "x // y s \"t\" u v\\\"w \\' e f g");
        assert_eq!(source.code.lines().count(), 3);
    }

    #[test]
    fn test_items_are_known_wherever_they_stand() {
        let text = concat!(
            "fn a() {}\n",
            "#[cfg(test)]\n",
            "#[path = \"x.rs\"]\n",
            "mod b;\n",
            "fn c() {}\n",
            "#[cfg(test)]\n",
            "mod d {\n",
            "    fn e() { if true {} }\n",
            "}\n",
            "fn f() {}\n",
        );
        let source = source("dispatcher/src/a.rs", text);
        let tests: Vec<usize> = (1..=10).filter(|&line| source.is_test(line)).collect();
        assert_eq!(tests, [2, 3, 4, 6, 7, 8, 9]);
        assert_eq!(source.lines_outside_tests(), 3);
    }

    #[test]
    fn some_files_are_all_test() {
        for path in ["receiver/tests/axum.rs", "a/src/state_tests.rs", "a/src/b/tests.rs"] {
            assert!(is_test_file(path), "{path}");
        }
        assert!(!is_test_file("dispatcher/src/engine/attests.rs"));
    }
}
