//! The limits on clients, as flags of `serve`.

use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits on clients")]
pub(in crate::cli) struct LimitArgs {
    /// Requests a second that a sandbox key may make; 0 for any number [default: 10]
    #[arg(long, value_name = "N")]
    rate_limit_sandbox: Option<String>,
    /// Requests a second that a live key may make; 0 for any number [default: 25]
    #[arg(long, value_name = "N")]
    rate_limit_live: Option<String>,
    /// Connections open at the same time; fewer if the limit of open files says so [default: 1024]
    #[arg(long, value_name = "N")]
    max_connections: Option<String>,
    /// How long a connection may wait for the head of its next request [default: 30s]
    #[arg(long, value_name = "DURATION")]
    head_timeout: Option<String>,
    /// How long a request's body may take to arrive [default: 30s]
    #[arg(long, value_name = "DURATION")]
    body_timeout: Option<String>,
    /// How long a client may take nothing of its answer [default: 30s]
    #[arg(long, value_name = "DURATION")]
    answer_timeout: Option<String>,
    /// Size of all headers of a request [default: 16384]
    #[arg(long, value_name = "BYTES")]
    max_header_bytes: Option<String>,
    /// Length of a request's path and query [default: 8192]
    #[arg(long, value_name = "BYTES")]
    max_target_bytes: Option<String>,
    /// Parameters in a query [default: 32]
    #[arg(long, value_name = "N")]
    max_query_parameters: Option<String>,
    /// Objects of a list that `offset` can skip [default: 100000]
    #[arg(long, value_name = "N")]
    max_offset: Option<String>,
    /// Events in a batch [default: 1000]
    #[arg(long, value_name = "N")]
    max_batch_events: Option<String>,
    /// Size of a batch [default: 8388608]
    #[arg(long, value_name = "BYTES")]
    max_batch_bytes: Option<String>,
    /// Webhooks of a tenant in sandbox, and in live mode [default: 1000]
    #[arg(long, value_name = "N")]
    max_webhooks: Option<String>,
    /// Keys of a tenant in sandbox, and in live mode [default: 1000]
    #[arg(long, value_name = "N")]
    max_keys: Option<String>,
    /// Streams of events that a key may have open [default: 10]
    #[arg(long, value_name = "N")]
    max_streams: Option<String>,
    /// How long a listener's stream may be silent before it says that it is there [default: 15s]
    #[arg(long, value_name = "DURATION", hide_short_help = true)]
    stream_heartbeat: Option<String>,
}

impl LimitArgs {
    pub(super) fn flags(&self) -> [(&'static str, &Option<String>); 16] {
        [
            ("rate_limit_sandbox", &self.rate_limit_sandbox),
            ("rate_limit_live", &self.rate_limit_live),
            ("max_connections", &self.max_connections),
            ("head_timeout", &self.head_timeout),
            ("body_timeout", &self.body_timeout),
            ("answer_timeout", &self.answer_timeout),
            ("max_header_bytes", &self.max_header_bytes),
            ("max_target_bytes", &self.max_target_bytes),
            ("max_query_parameters", &self.max_query_parameters),
            ("max_offset", &self.max_offset),
            ("max_batch_events", &self.max_batch_events),
            ("max_batch_bytes", &self.max_batch_bytes),
            ("max_webhooks", &self.max_webhooks),
            ("max_keys", &self.max_keys),
            ("max_streams", &self.max_streams),
            ("stream_heartbeat", &self.stream_heartbeat),
        ]
    }
}
