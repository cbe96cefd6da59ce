//! The rules of the house that no compiler checks, as scanners over the source tree.
//!
//! Each scanner takes files and gives violations; `tests/tidy.rs` runs them over the real tree, and
//! each has a test beside it in which a planted violation is found. What a violation says is
//! written for whoever has just made it: where, which rule, what to do.

pub mod docs;
pub mod guarantees;
pub mod imports;
pub mod paths;
pub mod size;
pub mod source;
pub mod words;

use std::fmt;
use std::path::Path;

use source::Source;

/// A rule broken at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The file, from the root of the workspace.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What the rule says.
    pub rule: String,
    /// What to do instead.
    pub advice: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, rule, advice } = self;
        write!(f, "{file}:{line}: {rule}; {advice}")
    }
}

/// A file of the workspace.
#[derive(Debug, Clone)]
pub struct File {
    /// From the root of the workspace, with `/`.
    pub path: String,
    pub text: String,
}

impl File {
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether the name of the file ends like this.
    pub fn is(&self, extension: &str) -> bool {
        self.path.ends_with(extension)
    }

    fn violation(&self, line: usize, rule: &str, advice: &str) -> Violation {
        let (rule, advice) = (rule.to_owned(), advice.to_owned());
        Violation { file: self.path.clone(), line, rule, advice }
    }
}

/// Every text file of the workspace except what git does not keep and what is generated.
pub fn read(root: &Path) -> Vec<File> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                let skipped = name == "target" || (name.starts_with('.') && name != ".ci");
                folders.extend((!skipped).then_some(path));
            } else if name != "Cargo.lock" {
                let relative = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                let text = std::fs::read_to_string(&path);
                files.extend(text.ok().map(|text| File { path: relative, text }));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The Rust files among them, taken apart.
pub fn rust(files: &[File]) -> Vec<Source> {
    files.iter().filter(|file| file.is(".rs")).map(Source::new).collect()
}
