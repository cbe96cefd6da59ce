//! What `last` is to those who look at saved requests: the last delivery of the file that
//! `listen --save` wrote last. Its path stands in the file `last-saved` of the state folder.

use std::path::{self, Path, PathBuf};
use std::{fs, io};

use serde_json::Value;

use super::failure::{Failure, Status};
use super::profile;
use super::signed::{self, Received};

/// The file that names the file.
fn pointer() -> PathBuf {
    profile::state().join("last-saved")
}

/// From now on, `last` is in this file.
pub(super) fn remember(file: &Path) -> io::Result<()> {
    let (pointer, file) = (pointer(), path::absolute(file)?);
    let folder = pointer.parent().filter(|folder| folder.is_absolute());
    let folder = folder.ok_or_else(|| io::Error::other("there is no home folder"))?;
    fs::create_dir_all(folder)?;
    let Some(text) = file.to_str() else {
        return Err(io::Error::other("its name is not UTF-8"));
    };
    fs::write(pointer, text)
}

/// The request that was forwarded last, as it was saved.
pub(super) fn last() -> Result<Received, Failure> {
    let none = |why: String| {
        Failure::new(Status::Usage, why)
            .then("save some with `bluum-hooks listen --save FILE`, or hand in @FILE")
    };
    let path = fs::read_to_string(pointer()).map_err(|_| none("nothing was saved yet".into()))?;
    let path = path.trim();
    let bytes = signed::read(&format!("@{path}"))?;
    let is_delivery = |line: &&[u8]| {
        serde_json::from_slice(line).is_ok_and(|record: Value| record["type"] == "delivery")
    };
    let line = bytes.rsplit(|byte| *byte == b'\n').find(is_delivery);
    Received::parse(line.ok_or_else(|| none(format!("there is no delivery in {path}")))?)
}
