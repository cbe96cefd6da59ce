//! The rules of the audit.

use super::super::statement;

/// Something that is true of every database at every instant.
#[derive(Debug)]
pub struct Rule {
    /// Its name, for programs.
    pub code: &'static str,
    /// What it says.
    pub rule: &'static str,
    /// What to do where it is broken.
    pub advice: &'static str,
    /// The statement that gives the places that break it; empty where a program looks.
    pub(super) find: &'static str,
}

const REPAIR: &str = "stop the dispatcher and run `bluum-hooks audit --repair`";
const REPORT: &str = "nothing is lost by it; keep a copy of the database and report this";
const MISSING: &str = "keep a copy of the database, look for what is missing in its last backup, \
                       and report this";
pub(super) const RESTORE: &str = "keep a copy of the file, and restore it from its last backup";
const EDITED: &str = "no program writes this: set it right by hand, with the dispatcher stopped, \
                      or restore the file from its last backup";

const fn rule(
    code: &'static str,
    rule: &'static str,
    find: &'static str,
    advice: &'static str,
) -> Rule {
    Rule { code, rule, advice, find }
}

pub(super) const SCHEMA: Rule =
    rule("schema", "tables and indexes are those of this version", "", SCHEMA_ADVICE);
const SCHEMA_ADVICE: &str = "`bluum-hooks audit --repair` makes missing indexes anew; for the \
                             rest, use the version of bluum-hooks that serves this database";

pub(super) const BODIES: Rule =
    rule("event_body", "an event's body is JSON and says what its row says", "", EDITED);

pub(super) const CONSERVATION: Rule = rule(
    "conservation",
    "accepted = delivered + waiting + queued + leased + parked + forgotten",
    "",
    MISSING,
);

/// Those with a statement, in the order in which they are looked up.
pub(super) const LOOKED_UP: &[Rule] = &[
    rule("file", "the file is sound", statement::UNSOUND, RESTORE),
    rule(
        "reference",
        "every row refers to a row that is there",
        statement::MISSING_REFERENCES,
        RESTORE,
    ),
    rule("row_number", "no row number is given twice", statement::ROW_NUMBERS, REPAIR),
    rule("key", "a key's role says whose it is", statement::KEYS_LIKE_NONE, EDITED),
    rule(
        "sequence_hole",
        "sequence numbers are 1, 2, 3 … without a hole, but for what was forgotten",
        statement::HOLES,
        MISSING,
    ),
    rule(
        "sequence_repeated",
        "no sequence number is there twice",
        statement::REPEATED_SEQUENCES,
        EDITED,
    ),
    rule(
        "last_sequence",
        "the next sequence number is a new one",
        statement::LAST_SEQUENCES,
        REPAIR,
    ),
    rule(
        "webhook",
        "a webhook's settings are such as the API makes them",
        statement::WEBHOOK_SETTINGS,
        EDITED,
    ),
    rule(
        "stopped_webhook",
        "what comes for a stopped webhook is parked",
        statement::ACCEPTED_UNPARKED,
        "start the dispatcher, which parks it, and report this",
    ),
    rule("state", "a delivery has what belongs to its state", statement::STATES, STATE_ADVICE),
    rule(
        "counters",
        "a delivery has no more failures than attempts, and no more of those than claims",
        statement::COUNTERS,
        EDITED,
    ),
    rule(
        "queued_behind_nobody",
        "what is queued has something under way before it",
        statement::QUEUED_BEHIND_NOBODY,
        REPAIR,
    ),
    rule(
        "two_under_way",
        "of one line, one delivery is under way",
        statement::TWO_UNDER_WAY,
        REPAIR,
    ),
    rule(
        "overtaken",
        "nothing waits for a later one, unless something was replayed",
        statement::OVERTAKEN,
        REPORT,
    ),
    rule("lease", "a lease ends within its time", statement::LONG_LEASES, REPAIR),
    rule("due", "no wait is longer than the longest there is", statement::LATE_DUES, REPAIR),
    rule(
        "crossed",
        "an event goes to webhooks of its own tenant and mode",
        statement::CROSSED,
        "another tenant's data may have been sent: stop the webhook, and report this",
    ),
    rule(
        "attempts",
        "every request made is recorded, and no other",
        statement::UNCOUNTED_ATTEMPTS,
        REPORT,
    ),
    rule(
        "attempt",
        "an attempt has a status or an error, and an outcome that goes with it",
        statement::ATTEMPTS_LIKE_NONE,
        EDITED,
    ),
    rule(
        "delivered",
        "what was delivered was answered with 2xx",
        statement::UNANSWERED,
        "replay it (`bluum-hooks deliveries replay`), and report this",
    ),
    rule(
        "replay",
        "a replay is no further than there are deliveries",
        statement::REPLAYS_LIKE_NONE,
        EDITED,
    ),
    rule(
        "replay_of_stopped",
        "replays run on webhooks that take deliveries",
        statement::REPLAYS_OF_STOPPED,
        REPAIR,
    ),
    rule("two_releases", "of one webhook, one release runs", statement::TWO_RELEASES, REPAIR),
    rule(
        "answer",
        "a kept answer is one that was given, sealed if it shows a secret",
        statement::ANSWERS_LIKE_NONE,
        EDITED,
    ),
];

const STATE_ADVICE: &str = "`bluum-hooks audit --repair`, with the dispatcher stopped, sets right \
                            when it is due; set the rest right by hand, or restore a backup";

/// All rules, with their names.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [&SCHEMA, &BODIES, &CONSERVATION].into_iter().chain(LOOKED_UP)
}
