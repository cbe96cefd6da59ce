//! What every store must do: one list of cases, and the same for all.
//!
//! Each case is a function of a [`World`](world::World) and knows no more of the store than the
//! trait says. `conformance!` makes each a test of its own, so that a failure has a name.

pub mod accept;
pub mod answers;
mod beside;
pub mod claim;
pub mod forget;
pub mod lists;
pub mod make;
pub mod order;
pub mod outbox;
pub mod park;
pub mod record;
pub mod registry;
pub mod replay;
pub mod world;

/// How many cases there are: every public function of these modules is one.
pub fn written() -> usize {
    [
        include_str!("accept.rs"),
        include_str!("answers.rs"),
        include_str!("claim.rs"),
        include_str!("forget.rs"),
        include_str!("lists.rs"),
        include_str!("order.rs"),
        include_str!("outbox.rs"),
        include_str!("park.rs"),
        include_str!("record.rs"),
        include_str!("registry.rs"),
        include_str!("replay.rs"),
    ]
    .iter()
    .flat_map(|source| source.lines())
    .filter(|line| line.starts_with("pub async fn "))
    .count()
}

/// Makes a test of every case, for the store that `$open` opens, and one that none was left out.
#[macro_export]
macro_rules! conformance {
    ($open:path) => {
        $crate::conformance_cases! { $open;
            accept {
                all_or_nothing
                no_events_are_no_work
                an_idempotency_key_is_used_once
                what_was_accepted_survives_reopening
                subscriptions_match_by_name_prefix_and_alias
                an_event_may_be_for_one_webhook_or_for_the_others
                tenants_and_modes_never_cross
                a_deleted_webhook_gets_nothing_more
                sequences_have_no_hole_and_no_repeat
                what_arrives_at_a_stopped_webhook_is_parked
                claimed_while_there_are_slots
                nobody_jumps_a_backlog
                any_text_is_a_key
            }
            answers {
                an_answer_is_kept_with_what_it_answers
                a_key_in_use_refuses_the_batch
                what_is_refused_keeps_no_answer
                callers_do_not_meet
                an_answer_expires
                an_answer_that_shows_a_secret_is_kept_whole
                a_change_keeps_its_answer_or_is_not_made
            }
            claim {
                claimed_once
                a_lease_that_ran_out_is_claimable
                reopening_ends_leases_and_nothing_else
                a_failed_delivery_waits_for_its_time
                no_more_than_asked_and_than_there_are_slots
                slots_not_needed_are_given_back
                a_long_backlog_keeps_nobody_waiting
                scarce_slots_go_round
                who_is_due_first_comes_first
                next_due_is_the_earliest_time_to_come
                what_crashes_workers_is_parked_and_the_next_goes_on
                a_word_from_the_worker_forgives_lost_claims
            }
            record {
                a_late_report_is_stale_and_changes_nothing
                a_late_report_beside_the_one_that_counts
                the_same_claim_is_reported_once
                every_report_has_its_answer_in_its_place
                a_lease_that_ran_out_but_was_not_taken_still_counts
                the_last_failure_parks
                what_the_receiver_or_the_webhook_ends_is_parked
                giving_back_costs_nothing
                attempts_are_kept_in_their_order
                a_webhook_fails_from_a_failure_on_until_something_is_delivered
                a_webhook_that_starts_again_or_moves_has_not_failed
            }
            order {
                the_second_waits_for_the_first
                the_slot_is_handed_on
                who_is_queued_says_behind_whom
                a_failed_head_keeps_its_place
                a_parked_head_lets_the_next_go_on
                nothing_waits_without_order_or_key
                objects_and_webhooks_do_not_wait_for_each_other
                a_line_is_delivered_in_the_order_accepted
                a_line_is_still_one_after_reopening
                a_line_outlives_a_change_of_mind
                the_next_comes_with_the_webhook_of_now
                what_was_parked_on_arrival_is_in_nobodys_way
            }
            park {
                a_listener_gets_as_many_as_its_window
                what_is_skipped_is_parked_and_the_next_in_line_goes_on
                what_somebody_holds_is_not_skipped
                what_came_before_a_listener_can_be_owed_to_it
                a_backlog_tells_what_is_more_than_is_kept_and_what_was
            }
            forget {
                what_is_old_is_forgotten_and_numbers_go_on
                what_is_owed_is_never_forgotten
                what_was_parked_is_kept_longer
                a_batch_is_no_larger_than_asked
            }
            lists {
                events_come_in_commit_order_in_pages
                events_are_filtered_by_name_and_time
                a_page_of_events_has_an_end_in_bytes_too
                a_list_goes_on_after_what_is_forgotten
                a_page_stays_while_more_is_added
                one_sees_ones_own
                what_is_not_there_is_nothing
                deliveries_of_a_webhook_come_newest_first
                deliveries_are_filtered_by_where_they_stand
                deliveries_of_an_event_come_oldest_first
                a_deleted_webhooks_deliveries_are_still_there
            }
            outbox {
                rows_are_taken_in_their_order_up_to_the_limit
                what_cannot_be_accepted_is_kept_with_the_reason
                one_idempotency_key_is_one_event
                an_idempotency_key_is_remembered
                what_cannot_be_stored_stays_in_the_outbox
                events_from_the_outbox_stand_in_line_like_all
            }
            registry {
                tenants_and_keys_survive_reopening
                webhooks_survive_reopening
                a_revoked_key_stays_revoked
                a_change_applies_to_the_webhook_of_now
                a_deleted_webhook_is_gone_and_remembered
                webhooks_are_listed_oldest_first_per_tenant_and_mode
                nothing_is_added_twice_or_to_nobody
                an_edit_that_declines_changes_nothing
                a_notice_is_published_with_what_it_is_about
            }
            replay {
                what_is_finished_is_owed_again
                a_stopped_webhook_is_owed_nothing_again
                many_are_replayed_in_batches_and_each_once
                only_what_was_asked_for_is_replayed
                a_canceled_replay_goes_no_further
                what_is_replayed_stands_in_line
                stopping_parks_what_waits_and_starting_releases_it_in_order
                a_release_ends_when_the_webhook_is_stopped_again
                of_a_stopped_webhook_nothing_is_replayed
                replays_are_few_and_the_old_ones_are_forgotten
            }
        }
    };
}

/// The tests of `conformance!`, from its list.
#[macro_export]
macro_rules! conformance_cases {
    ($open:path; $($module:ident { $($case:ident)+ })+) => {
        $(mod $module {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    $crate::conformance::$module::$case($open().await).await;
                }
            )+
        })+

        #[test]
        fn every_case_that_is_written_is_run() {
            let listed = [$($(stringify!($case)),+),+].len();
            assert_eq!(listed, $crate::conformance::written());
        }
    };
}
