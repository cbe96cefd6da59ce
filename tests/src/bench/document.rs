//! BENCHMARKS.md.

use super::bars::{self, Verdict};
use super::figures::{self, Figures};
use super::machine::Circumstances;

/// How to write it anew.
pub const COMMAND: &str = "cargo run --release -p bluum-hooks-tests --bin bench -- --write";

const METHOD: &str = "\
Daemon, load generator and receiver share the machine; generator and receiver have a thread each.
The daemon is the one that is shipped, with its defaults, on a new SQLite file: a publisher gets its
202 when the commit is synced (`synchronous=FULL`), and every attempt is recorded in a row of its
own. An event carries 1 KiB of data and goes to one webhook, if nothing else is said. The *limit* is
one hop of plain HTTP on the same machine in the same minute, measured before and after: a hyper
client that posts 1 KiB to a hyper server over 64 kept-alive connections. Machines drift, so what
can be compared is the *share*: deliveries a second, divided by the limit. *Deliveries/s* are end to
end, from the first request to the last arrival; *accepted/s* is the pace of the publishers
meanwhile. *p50 / p99* is the time from publishing to arrival. *CPU* is what the daemon alone has
used for each delivery, user and system; *commits/s* are those of accepting and recording, one sync
each; *peak* is the most resident memory since the daemon's start; *bytes/event* is the size of the
database, with its log, over all events published.";

/// The whole file.
pub fn document(circumstances: &Circumstances, all: &[Figures], verdicts: &[Verdict]) -> String {
    format!(
        "# Benchmarks\n\n\
         Written by `{COMMAND}`; not by hand.\n\n\
         {METHOD}\n\n\
         {}\n\n\
         ## What is to be reached\n\n{}\n\n\
         ## All figures\n\n{}\n",
        circumstances.to_text(),
        bars::to_text(verdicts),
        figures::to_text(all)
    )
}
