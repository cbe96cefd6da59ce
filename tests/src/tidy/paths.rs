//! The paths that a Rust file names: `use` trees taken apart, and paths in the middle of code.

use super::source::{Source, is_name};

/// A path as written, with the line it begins on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub line: usize,
    /// `use crate::{a, b::C}` is two of these: `crate a`, `crate b C`.
    pub segments: Vec<String>,
}

impl Named {
    /// Whether the path begins with this one, segment for segment.
    pub fn begins_with(&self, path: &str) -> bool {
        let mut segments = self.segments.iter();
        path.split("::").all(|part| segments.next().is_some_and(|segment| segment == part))
    }

    /// The path as it would be written alone.
    pub fn text(&self) -> String {
        self.segments.join("::")
    }
}

/// Every path of two segments and more outside tests, and every single name that is imported.
pub fn outside_tests(source: &Source) -> Vec<Named> {
    let code: Vec<char> = source.code.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    let mut line = 1;
    while at < code.len() {
        if code[at] == '\n' {
            line += 1;
        }
        let begins = is_name(code[at]) && (at == 0 || !continues(&code, at));
        if !begins {
            at += 1;
            continue;
        }
        let mut tree = Tree { code: &code, at, found: Vec::new() };
        let imported = preceded_by_use(&code, at);
        tree.read(&[]);
        if !source.is_test(line) {
            let paths = tree.found.into_iter().filter(|path| imported || path.len() > 1);
            found.extend(paths.map(|segments| Named { line, segments }));
        }
        let end = tree.at.max(at + 1);
        line += code[at..end].iter().filter(|&&c| c == '\n').count();
        at = end;
    }
    found
}

/// Whether what stands here goes on from a name, a path, a field or a lifetime before it.
fn continues(code: &[char], at: usize) -> bool {
    let before = code[at - 1];
    is_name(before)
        || before == '.'
        || before == '\''
        || (before == ':' && at > 1 && code[at - 2] == ':')
}

fn preceded_by_use(code: &[char], at: usize) -> bool {
    let before: String = code[at.saturating_sub(4)..at].iter().collect();
    before == "use "
}

/// Reads one `use` tree, or one plain path.
struct Tree<'a> {
    code: &'a [char],
    at: usize,
    found: Vec<Vec<String>>,
}

impl Tree<'_> {
    fn peek(&self) -> Option<char> {
        self.code.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn skip(&mut self, text: &str) -> bool {
        let ahead = text.chars().enumerate();
        let found = ahead.into_iter().all(|(n, c)| self.code.get(self.at + n) == Some(&c));
        if found {
            self.at += text.len();
        }
        found
    }

    fn name(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(is_name) {
            self.at += 1;
        }
        self.code[start..self.at].iter().collect()
    }

    /// Reads what may follow `prefix`: a name, a group in braces, a star.
    fn read(&mut self, prefix: &[String]) {
        if self.skip("{") {
            return self.group(prefix);
        }
        if self.skip("*") {
            return self.found.push(prefix.to_vec());
        }
        let name = self.name();
        if name.is_empty() {
            return self.found.push(prefix.to_vec());
        }
        let path = [prefix, &[name]].concat();
        if self.skip("::") {
            self.read(&path);
        } else {
            self.found.push(path);
        }
    }

    fn group(&mut self, prefix: &[String]) {
        loop {
            self.skip_blanks();
            if self.skip("}") || self.peek().is_none() {
                return;
            }
            self.read(prefix);
            // An `as name`, or the comma.
            while self.peek().is_some_and(|c| c != ',' && c != '}') {
                self.at += 1;
            }
            self.skip(",");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::File;
    use super::*;

    fn found(text: &str) -> Vec<(usize, String)> {
        let source = Source::new(&File::new("dispatcher/src/a.rs", text));
        outside_tests(&source).into_iter().map(|path| (path.line, path.text())).collect()
    }

    #[test]
    fn use_trees_are_taken_apart() {
        let text = concat!(
            "use crate::store::{self, Store as S, types::{A, B}};\n",
            "use std::time::*;\n",
            "use anyhow;\n",
            "use crate::{\n    api,\n    engine::run,\n};\n",
            "fn last() {}\n",
        );
        let expected = [
            (1, "crate::store::self"),
            (1, "crate::store::Store"),
            (1, "crate::store::types::A"),
            (1, "crate::store::types::B"),
            (2, "std::time"),
            (3, "anyhow"),
            (4, "crate::api"),
            (4, "crate::engine::run"),
        ];
        let found = found(text);
        let found: Vec<(usize, &str)> = found.iter().map(|(n, path)| (*n, &**path)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn paths_in_code_are_seen_and_text_is_not() {
        let text = concat!(
            "fn a(x: &crate::store::Store) -> Vec<std::net::IpAddr> {\n",
            "    // crate::api::b()\n",
            "    x.engine(\"crate::api\");\n",
            "    <Vec<u8>>::new(); bytes::Bytes::new::<'a>()\n",
            "}\n",
        );
        let found: Vec<String> = found(text).into_iter().map(|(_, path)| path).collect();
        assert_eq!(found, ["crate::store::Store", "std::net::IpAddr", "bytes::Bytes::new"]);
    }

    #[test]
    fn a_prefix_is_whole_segments() {
        let path =
            |text: &str| Named { line: 1, segments: text.split("::").map(str::to_owned).collect() };
        assert!(path("transport::guard::Guard").begins_with("transport::guard"));
        assert!(!path("transport::guardian").begins_with("transport::guard"));
        assert!(!path("transport").begins_with("transport::guard"));
    }
}
