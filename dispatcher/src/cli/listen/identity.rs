//! Who listens: the name that has a place in the stream, and this process among others.

use bluum_hooks_shared::api::Holder;
use sha2::{Digest, Sha256};

use crate::cli::failure::{Failure, Status};
use crate::cli::profile::{Setting, host};
use crate::random::Random;

/// The longest name.
const MAX_NAME: usize = 64;

/// This process, as others who want the same name see it.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    /// Drawn at random once: a stream of the same instance replaces its predecessor.
    pub(super) instance: String,
    pub(super) machine: String,
    pub(super) pid: u32,
}

impl Identity {
    pub(super) fn new(random: &dyn Random) -> Self {
        let instance = format!("{:032x}", random.bits());
        Self { instance, machine: machine(), pid: std::process::id() }
    }

    /// That somebody else has the name; not so a process of this machine that is dead.
    pub(super) fn busy(&self, name: &str, holder: &Holder) -> Option<Failure> {
        let machine = match holder.machine == self.machine {
            true if is_dead(holder.pid) => return None,
            true => "this machine",
            false => holder.machine.rsplit_once('-').map_or(&*holder.machine, |(host, _)| host),
        };
        let message = format!(
            "listener '{name}' is already connected ({machine}, pid {}, since {})",
            holder.pid, holder.since
        );
        let next = "--takeover disconnects it, --share splits the events, --name another gets its \
                    own copy";
        Some(Failure::new(Status::Busy, message).then(next))
    }
}

/// The name, if it can be one.
pub(super) fn checked(name: Setting) -> Result<String, Failure> {
    let Setting { value: name, from } = name;
    let usable = |letter: char| letter.is_ascii_alphanumeric() || "._@-".contains(letter);
    let long = (1..=MAX_NAME).contains(&name.len());
    if long && name.chars().all(usable) && !name.starts_with('.') {
        return Ok(name);
    }
    let next =
        format!("1 to {MAX_NAME} letters, digits and '_', '@', '-', '.', but no '.' in front");
    let message = format!("'{}' ({from}) is no name", name.escape_default());
    Err(Failure::new(Status::Usage, message).then(next))
}

/// The host's name and what tells it from others of that name: only here a process id means
/// something.
fn machine() -> String {
    let id = ["/etc/machine-id", "/var/lib/dbus/machine-id"].iter().find_map(|path| {
        let text = std::fs::read_to_string(path).ok()?;
        (!text.trim().is_empty()).then_some(text)
    });
    // Containers share the id of their image, and have processes of their own.
    let processes = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let both = format!("{}\n{}", id.unwrap_or_default(), processes.display());
    format!("{}-{}", host(), hex::encode(&Sha256::digest(both)[..4]))
}

/// Whether a process of this machine has ended. Where that cannot be found out, it lives.
fn is_dead(pid: u32) -> bool {
    #[cfg(unix)]
    {
        let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
        let alive = pid.map(rustix::process::test_kill_process);
        alive == Some(Err(rustix::io::Errno::SRCH))
    }
    #[cfg(not(unix))]
    {
        let _ = pid;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_the_dispatcher_takes() {
        let name = |value: &str| checked(Setting { value: value.into(), from: "--name".into() });
        assert_eq!(name("ana@laptop_1.x-y").unwrap(), "ana@laptop_1.x-y");
        for bad in ["", ".x", "a b", "ä", "a/b", &"x".repeat(65)] {
            assert!(name(bad).unwrap_err().to_string().contains("(--name) is no name"), "{bad}");
        }
    }

    #[test]
    fn this_process_lives() {
        assert!(!is_dead(std::process::id()));
        #[cfg(unix)]
        assert!(is_dead(i32::MAX.unsigned_abs()));
    }
}
