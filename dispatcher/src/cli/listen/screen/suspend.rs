//! Stopping for the shell, and going on.

#[cfg(unix)]
mod system {
    use std::io;
    use std::time::Duration;

    use rustix::process::{Signal, kill_current_process_group};
    use tokio::signal::unix::{self, SignalKind};
    use tokio::time::timeout;

    /// As long as a stop may take to happen. Where nobody could wake us, it does not happen.
    const AT_MOST: Duration = Duration::from_secs(1);

    pub(in super::super) struct Stops(unix::Signal);

    impl Stops {
        pub(in super::super) fn new() -> io::Result<Self> {
            unix::signal(SignalKind::from_raw(Signal::CONT.as_raw())).map(Self)
        }

        /// Resolves when we have been stopped and go on.
        pub(in super::super) async fn went_on(&mut self) {
            self.0.recv().await;
        }

        /// Stops us, and all that the shell started together with us.
        pub(in super::super) async fn stop(&mut self) -> io::Result<()> {
            kill_current_process_group(Signal::TSTP)?;
            // The other threads run a moment longer: this one does nothing until it is over.
            let _ = timeout(AT_MOST, self.went_on()).await;
            Ok(())
        }
    }
}

#[cfg(not(unix))]
mod system {
    use std::io;

    pub(in super::super) struct Stops;

    impl Stops {
        pub(in super::super) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        /// Never: a console has no stopped programs.
        pub(in super::super) async fn went_on(&mut self) {
            std::future::pending().await
        }

        pub(in super::super) async fn stop(&mut self) -> io::Result<()> {
            Err(io::Error::other("this system cannot suspend a program"))
        }
    }
}

pub(super) use self::system::Stops;
