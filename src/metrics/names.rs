//! Every metric that is exposed: name, kind, help text. Base units are seconds, bytes and ratios (0 to 1); instants are
//! seconds since the epoch, of engine time.

use std::fmt;

/// Most series that one device has of its own (a device with every field known has them all).
pub const SERIES_PER_DEVICE: usize = 30;

/// Most traffic classes of one device with series of their own; degraded ones come first.
pub const CLASSES_PER_DEVICE: usize = 4;

/// Most cohorts (traffic class, update, branch) with series of their own; of the rest the branch is `other`.
pub const COHORTS: usize = 1_000;

/// Most events of the last day whose changes have series of their own; declared ones stay longest.
pub const EVENTS_TOLD: usize = 100;

/// Most incidents with series of their own; the first of those that `runtime` gives.
pub const INCIDENTS_WITH_SERIES: usize = 20;

/// Most open events with series of their own; the longest streaks come first. The totals count all.
pub const EVENTS_WITH_SERIES: usize = 100;

/// What a number of the text format is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Counter,
    Gauge,
    /// Classic buckets with `le`, sum and count.
    Histogram,
    /// Quantiles without sum and count: the distribution of the newest minute, not of the process' life.
    Summary,
}

impl Kind {
    /// The kind's name in a `# TYPE` line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }
}

/// A metric that is written as text at each scrape.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
}

/// The name, so that a query is written with the constant and not with its text.
impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, help }
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, help }
}

/// A metric of [`super::Counters`].
#[derive(Clone, Copy, Debug)]
pub struct Named {
    pub name: &'static str,
    pub help: &'static str,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

const fn named(name: &'static str, help: &'static str) -> Named {
    Named { name, help }
}

// The program.
pub const BUILD: Metric = gauge("fleetwatch_build_info", "The version that is running; always 1.");
pub const SNAPSHOT_AGE: Metric = gauge(
    "fleetwatch_snapshot_age_seconds",
    "Engine time since the tick that the fleet's figures are of; large when the detector does not keep up.",
);
pub const CLOCK: Metric = gauge(
    "fleetwatch_clock_timestamp_seconds",
    "Engine time at the scrape: the wall clock, but for a server clock that was stepped and for a demo that runs faster.",
);
pub const PROCESS_CPU: Metric =
    counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.");
pub const PROCESS_MEMORY: Metric = gauge("process_resident_memory_bytes", "Resident memory size in bytes.");
pub const PROCESS_OPEN_FDS: Metric = gauge("process_open_fds", "Number of open file descriptors.");
pub const PROCESS_MAX_FDS: Metric = gauge("process_max_fds", "Maximum number of open file descriptors.");
pub const PROCESS_START: Metric =
    gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.");

// The fleet.
pub const FLEET_EXPECTED: Metric = gauge("fleetwatch_fleet_expected_devices", "Devices that should report.");
pub const FLEET_REPORTING: Metric =
    gauge("fleetwatch_fleet_reporting_devices", "Devices that gave evidence in the newest closed minute.");
pub const FLEET_DEVICES: Metric =
    gauge("fleetwatch_fleet_devices", "Devices by the verdict of their newest closed minute.");
pub const FLEET_BY_UPDATE: Metric =
    gauge("fleetwatch_update_devices", "Devices by nightly update and verdict; rare updates are counted as other.");
pub const UPDATE_HELD: Metric = gauge(
    "fleetwatch_update_gate_held",
    "Whether the updater is told to hold an update; other counts those of rare versions.",
);
pub const FLEET_BY_BRANCH: Metric = gauge(
    "fleetwatch_branch_devices",
    "Devices by branch and verdict; branches beyond the bound are counted as other.",
);
pub const FLEET_BY_MODEL: Metric =
    gauge("fleetwatch_model_devices", "Devices by model and verdict; rare models are counted as other.");
pub const BASELINE_KNOWN: Metric = gauge(
    "fleetwatch_baseline_known_ratio",
    "Devices' traffic classes whose limit is known, of those carried; below 1 the baseline is still being learned.",
);
pub const REPORTS: Metric = counter("fleetwatch_reports_total", "Reports recorded.");
pub const DUPLICATES: Metric =
    counter("fleetwatch_reports_duplicate_total", "Reports dropped because they had been recorded already.");
pub const LATE: Metric =
    counter("fleetwatch_reports_late_total", "Reports that came after their minute had closed, and were recomputed.");
pub const MISSING: Metric =
    gauge("fleetwatch_reports_missing", "Reports that never arrived, by gaps in the devices' sequence numbers.");
pub const LAST_REPORT: Metric = gauge("fleetwatch_last_report_timestamp_seconds", "When any device was last heard.");
pub const UPDATE_ROLLOUT: Metric = gauge(
    "fleetwatch_update_rollout_timestamp_seconds",
    "When the third device installed an update: the begin of its rollout, whatever a lying clock says.",
);
pub const SLOTS: Metric = counter("fleetwatch_slots_closed_total", "Minutes of a device and traffic class closed.");

// Cohorts: devices that carry the same traffic class with the same update in the same branch. A report counts for the
// update and branch that its device has at the scrape after it.
pub const COHORT_LATENCY: Metric = Metric {
    name: "fleetwatch_cohort_latency_seconds",
    kind: Kind::Histogram,
    help: "Delay that devices added, by traffic class, update and branch.",
};
pub const COHORT_FLOWS: Metric =
    counter("fleetwatch_cohort_flows_total", "Flows seen, by traffic class, update and branch.");
pub const COHORT_FLAGGED: Metric =
    counter("fleetwatch_cohort_flagged_flows_total", "Flows flagged, by traffic class, update and branch.");
pub const COHORT_RELEASED: Metric = counter(
    "fleetwatch_cohort_released_flows_total",
    "Flagged flows that a person released later, by traffic class, update and branch.",
);
pub const COHORT_PROBES: Metric =
    counter("fleetwatch_cohort_probes_total", "Known-good probes sent, by traffic class, update and branch.");
pub const COHORT_FLAGGED_PROBES: Metric = counter(
    "fleetwatch_cohort_flagged_probes_total",
    "Known-good probes wrongly flagged, by traffic class, update and branch.",
);

// Open events.
pub const EVENTS_OPEN: Metric = gauge("fleetwatch_open_events", "Open events by state and scope.");
pub const WORST_STREAK: Metric =
    gauge("fleetwatch_worst_streak_seconds", "Longest proved degradation of the open events; 0 without one.");
pub const WORST_PROGRESS: Metric = gauge(
    "fleetwatch_worst_progress_ratio",
    "How far the worst open event is on its way to a major incident; 1 when declared.",
);
pub const WORST_DUE: Metric = gauge(
    "fleetwatch_worst_declaration_due_timestamp_seconds",
    "The earliest instant at which an open event becomes a major incident if nothing changes; absent without one.",
);
pub const EVENT: Metric = gauge("fleetwatch_event_info", "An open event with its suspect; always 1.");
pub const EVENT_STREAK: Metric =
    gauge("fleetwatch_event_streak_seconds", "Continuous degradation of the event that is proved so far.");
pub const EVENT_HOLD: Metric =
    gauge("fleetwatch_event_hold_seconds", "Continuous degradation at which the event is a major incident.");
pub const EVENT_MEMBERS: Metric = gauge("fleetwatch_event_member_devices", "Devices that are members of the event.");
pub const EVENT_STARTED: Metric =
    gauge("fleetwatch_event_impact_start_timestamp_seconds", "When the degradation of the event began.");
pub const EVENT_DUE: Metric = gauge(
    "fleetwatch_event_declaration_due_timestamp_seconds",
    "When the event becomes a major incident if nothing changes; absent once declared or suspended.",
);
pub const EVENT_DECLARED: Metric =
    gauge("fleetwatch_event_declared", "Whether the event has been declared a major incident.");
pub const EVENT_SUSPENDED: Metric =
    gauge("fleetwatch_event_suspended", "Whether a gap without data keeps the event from being proved.");
pub const EVENT_CONFIDENCE: Metric =
    gauge("fleetwatch_event_cause_confidence_ratio", "How sure the detector is of the named suspect.");

// Events of the last day, also when they are over.
pub const EVENT_CHANGE: Metric = gauge(
    "fleetwatch_event_change_timestamp_seconds",
    "When an event of the last day was last warned of, declared, blamed on another cause, recovered, resolved.",
);
pub const EVENT_DAMAGE: Metric = gauge(
    "fleetwatch_event_damage_share_ratio",
    "Share of samples, probes or flows above the devices' limits, by traffic class and test, before and during.",
);
pub const EVENT_DAMAGE_DEVICES: Metric =
    gauge("fleetwatch_event_damage_devices", "Members that the damage of this traffic class and test has reached.");
pub const EVENT_RULE: Metric = gauge(
    "fleetwatch_event_rule_flags_per_second",
    "Flags of the detection rules that grew most in an event, over all members, before and during.",
);

// The incidents' life, as people and telemetry carry it.
pub const INCIDENT: Metric =
    gauge("fleetwatch_incident_info", "An incident that is not closed, with its state and suspect; always 1.");
pub const INCIDENT_STARTED: Metric =
    gauge("fleetwatch_incident_started_timestamp_seconds", "When the impact of the incident began.");
pub const INCIDENT_DECLARED: Metric =
    gauge("fleetwatch_incident_declared_timestamp_seconds", "When the incident was declared.");
pub const INCIDENT_PROMISE: Metric =
    gauge("fleetwatch_incident_promise_timestamp_seconds", "When the permanent fix is promised on every device.");
pub const INCIDENT_FORECAST: Metric = gauge(
    "fleetwatch_incident_forecast_end_timestamp_seconds",
    "When every device will be done at the rate so far; absent while there is none.",
);
pub const INCIDENT_LADDER: Metric =
    gauge("fleetwatch_incident_ladder_devices", "Devices of the incident by branch and the ladder's step.");
pub const INCIDENT_MILESTONE: Metric = gauge(
    "fleetwatch_incident_milestone_timestamp_seconds",
    "When the incident reached a milestone; absent until it has.",
);
pub const MUSTER_ROLES: Metric =
    gauge("fleetwatch_muster_roles", "How far a role of the incident's team has come: paged, acknowledged, joined.");

/// Everything about the incidents' life: present once an incident is.
pub const FROM_INCIDENTS: &[Metric] = &[
    INCIDENT,
    INCIDENT_STARTED,
    INCIDENT_DECLARED,
    INCIDENT_PROMISE,
    INCIDENT_FORECAST,
    INCIDENT_LADDER,
    INCIDENT_MILESTONE,
    MUSTER_ROLES,
    DEVICE_LADDER,
];

// Each device.
pub const DEVICE: Metric =
    gauge("fleetwatch_device_info", "What a device is; rare values are shown as other; always 1.");
pub const DEVICE_REPORTING: Metric =
    gauge("fleetwatch_device_reporting", "Whether the device gave evidence in the newest closed minute.");
pub const DEVICE_ONLINE: Metric =
    gauge("fleetwatch_device_online", "Whether the device's last status says that it is online.");
pub const DEVICE_VERDICT: Metric = gauge(
    "fleetwatch_device_verdict",
    "Verdict of the newest closed minute: 0 unknown, 1 indeterminate, 2 healthy, 3 degraded.",
);
pub const DEVICE_STREAK: Metric =
    gauge("fleetwatch_device_streak_seconds", "Continuous degradation of the device that is proved so far.");
pub const DEVICE_LATENCY: Metric = Metric {
    name: "fleetwatch_device_latency_seconds",
    kind: Kind::Summary,
    help: "Delay that the device added in its newest closed minute with data, all traffic classes together.",
};
pub const DEVICE_CLASS_VERDICT: Metric = gauge(
    "fleetwatch_device_class_verdict",
    "Verdict of a traffic class of the device: 0 unknown, 1 indeterminate, 2 healthy, 3 degraded.",
);
pub const DEVICE_CLASS_LIMIT: Metric = gauge(
    "fleetwatch_device_class_p95_limit_seconds",
    "The 95th percentile above which the traffic class is degraded on this device at this time of day.",
);
pub const DEVICE_CLASS_OVER: Metric = gauge(
    "fleetwatch_device_class_over_limit_ratio",
    "Share of the last five minutes' samples above that limit; 0.05 is at the limit.",
);
pub const DEVICE_FALSE_POSITIVES: Metric = gauge(
    "fleetwatch_device_false_positive_ratio",
    "Known-good probes that the device wrongly flagged, of all in the last 30 minutes.",
);
pub const DEVICE_LAST_REPORT: Metric =
    gauge("fleetwatch_device_last_report_timestamp_seconds", "When the device was last heard.");
pub const DEVICE_IN_EVENT: Metric =
    gauge("fleetwatch_device_in_event", "Whether the device is a member of an open event.");
pub const DEVICE_EVENT: Metric =
    gauge("fleetwatch_device_event_info", "The open event that the device is a member of; absent without one.");
pub const DEVICE_LADDER: Metric = gauge(
    "fleetwatch_device_ladder_step",
    "Where the device stands in an incident: 0 affected, 1 contacted, 2 workaround claimed, 3 workaround verified, \
     4 fix installed, 5 workaround reverted, 6 quality verified, 7 done, 8 excepted.",
);
pub const DEVICE_WORKAROUND: Metric =
    gauge("fleetwatch_device_workaround_active", "Whether the device runs with a workaround's settings.");
pub const DEVICE_CLOCK_OFFSET: Metric =
    gauge("fleetwatch_device_clock_offset_seconds", "Wall clock of the device minus event time.");
pub const DEVICE_BOOTS: Metric =
    gauge("fleetwatch_device_recent_boots", "Boots in the last ten minutes when more than one, else 0.");

/// Everything that is written from the snapshot.
pub const FROM_SNAPSHOT: &[Metric] = &[
    BUILD,
    SNAPSHOT_AGE,
    CLOCK,
    FLEET_EXPECTED,
    FLEET_REPORTING,
    FLEET_DEVICES,
    FLEET_BY_UPDATE,
    UPDATE_HELD,
    FLEET_BY_BRANCH,
    FLEET_BY_MODEL,
    BASELINE_KNOWN,
    REPORTS,
    DUPLICATES,
    LATE,
    MISSING,
    LAST_REPORT,
    UPDATE_ROLLOUT,
    SLOTS,
    EVENTS_OPEN,
    WORST_STREAK,
    WORST_PROGRESS,
    WORST_DUE,
    EVENT,
    EVENT_STREAK,
    EVENT_HOLD,
    EVENT_MEMBERS,
    EVENT_STARTED,
    EVENT_DUE,
    EVENT_DECLARED,
    EVENT_SUSPENDED,
    EVENT_CONFIDENCE,
    DEVICE,
    DEVICE_REPORTING,
    DEVICE_ONLINE,
    DEVICE_VERDICT,
    DEVICE_STREAK,
    DEVICE_LATENCY,
    DEVICE_CLASS_VERDICT,
    DEVICE_CLASS_LIMIT,
    DEVICE_CLASS_OVER,
    DEVICE_FALSE_POSITIVES,
    DEVICE_LAST_REPORT,
    DEVICE_IN_EVENT,
    DEVICE_EVENT,
    DEVICE_WORKAROUND,
    DEVICE_CLOCK_OFFSET,
    DEVICE_BOOTS,
];

/// Everything about cohorts: present once a report has come.
pub const FROM_REPORTS: &[Metric] =
    &[COHORT_LATENCY, COHORT_FLOWS, COHORT_FLAGGED, COHORT_RELEASED, COHORT_PROBES, COHORT_FLAGGED_PROBES];

/// Everything about the changes of the last day's events: present once there is one.
pub const FROM_CHANGES: &[Metric] = &[EVENT_CHANGE, EVENT_DAMAGE, EVENT_DAMAGE_DEVICES, EVENT_RULE];

/// The process.
pub const FROM_PROCESS: &[Metric] = &[PROCESS_CPU, PROCESS_MEMORY, PROCESS_OPEN_FDS, PROCESS_MAX_FDS, PROCESS_START];

// The work of the shell.
pub const MESSAGES: Named = named("fleetwatch_messages_received_total", "Messages received, by kind and encoding.");
pub const REFUSALS: Named = named("fleetwatch_messages_refused_total", "Messages refused, by reason.");
pub const LEFT_OUT: Named =
    named("fleetwatch_fields_left_out_total", "Fields left out of messages that were taken, by field.");
pub const FORGOTTEN: Named = named(
    "fleetwatch_devices_forgotten_total",
    "Devices that left the fleet: asked (a person forgot them), silent (not proved to be devices, and a day without a message), \
     fleet_full (not proved to be devices, and others knocked).",
);
pub const ACKS: Named = named("fleetwatch_acks_sent_total", "Messages acknowledged to the broker.");
pub const BUSY: Named =
    named("fleetwatch_ingest_busy_total", "Messages that had to wait for the engine or the journal (back-pressure).");
pub const CONNECTED: Named = named("fleetwatch_broker_connected", "Whether the session with the broker is up.");
pub const CONNECTS: Named = named("fleetwatch_broker_connects_total", "Connections made to the broker.");
pub const RESUBSCRIPTIONS: Named =
    named("fleetwatch_broker_resubscriptions_total", "Subscriptions made because the broker had no session of ours.");
pub const TAKEOVERS: Named = named(
    "fleetwatch_broker_takeovers_total",
    "Times that the session was taken over by another client of the same name.",
);
pub const BROKER_REFUSALS: Named = named(
    "fleetwatch_broker_refused_total",
    "What the embedded broker refused: connections, wills and topics that are not the client's own, subscriptions, retained \
     messages without room, messages that were not durable in time.",
);
pub const CLIENTS: Named = named("fleetwatch_broker_clients", "Clients connected to the embedded broker.");
pub const JOURNAL_RECORDS: Named = named("fleetwatch_journal_records_total", "Messages appended to the journal.");
pub const JOURNAL_BYTES: Named = named("fleetwatch_journal_written_bytes_total", "Bytes appended to the journal.");
pub const JOURNAL_SIZE: Named = named("fleetwatch_journal_size_bytes", "Bytes that the journal holds on disk.");
pub const JOURNAL_FREE: Named =
    named("fleetwatch_journal_free_bytes", "Bytes that the journal's disk has left for us.");
pub const JOURNAL_COMMIT: Named =
    named("fleetwatch_journal_commit_duration_seconds", "Time to write and sync one batch of the journal.");
pub const JOURNAL_FAILURES: Named =
    named("fleetwatch_journal_failures_total", "Failed writes or syncs of the journal.");
pub const JOURNAL_HEALTHY: Named = named("fleetwatch_journal_healthy", "Whether the journal takes records.");
pub const CHECKPOINTS: Named = named("fleetwatch_checkpoints_total", "Checkpoints saved.");
pub const CHECKPOINT_FAILURES: Named = named("fleetwatch_checkpoint_failures_total", "Checkpoints that failed.");
pub const CHECKPOINT_AGE: Named =
    named("fleetwatch_checkpoint_age_seconds", "Engine time since the last saved checkpoint.");
pub const CHECKPOINT_SIZE: Named = named("fleetwatch_checkpoint_size_bytes", "Size of the last saved checkpoint.");
pub const CHECKPOINT_DURATION: Named =
    named("fleetwatch_checkpoint_duration_seconds", "Time to capture and save a checkpoint.");
pub const CHECKPOINT_HOLD: Named =
    named("fleetwatch_checkpoint_hold_seconds", "Time for which one slice of a checkpoint held the engine's lock.");
pub const TICK_DURATION: Named =
    named("fleetwatch_tick_duration_seconds", "Time in which the detector worked through one tick.");
pub const DECISION_LAG: Named =
    named("fleetwatch_decision_lag_seconds", "Engine time from the instant a tick was due to its end.");
pub const CHANGES: Named = named("fleetwatch_changes_total", "Decisions of the detector, by kind.");
pub const STORE_WRITES: Named = named("fleetwatch_store_writes_total", "Changes written to the incident record.");
pub const STORE_FAILURES: Named =
    named("fleetwatch_store_failures_total", "Failed attempts to write the incident record.");
pub const STORE_PENDING: Named =
    named("fleetwatch_store_pending_changes", "Changes that wait to be written to the incident record.");
pub const STORE_OVERFLOW: Named =
    named("fleetwatch_store_overflow_total", "Changes that found the writer's buffer full; the journal has them.");
pub const GATE_DECISIONS: Named =
    named("fleetwatch_gate_decisions_total", "Decisions about updates, by what was decided and by whom.");
pub const GATE_REFUSED: Named = named(
    "fleetwatch_gate_versions_refused_total",
    "Suspect updates whose version cannot be a topic level, so that the updater is not told.",
);
pub const GATE_PUBLISHED: Named =
    named("fleetwatch_gate_published_total", "Retained messages for the updater that the broker has taken.");
pub const GATES_UNTOLD: Named = named(
    "fleetwatch_gates_untold",
    "Messages to the updater that the broker does not hold yet: what was decided is not known there.",
);
pub const GATE_PAUSES: Named = named(
    "fleetwatch_gate_publish_pauses_total",
    "Times publishing was paused because the broker closes the connection for it: it may lack the permission.",
);
pub const WALL_STEP: Named =
    named("fleetwatch_wall_clock_step_seconds", "How far the server's wall clock was stepped since the start.");
pub const NOTIFICATIONS: Named = named(
    "fleetwatch_notification_attempts_total",
    "Attempts to tell people or programs, by channel and outcome: sent, retry (tried again), failed (given up).",
);
pub const NOTIFICATION_DURATION: Named =
    named("fleetwatch_notification_attempt_duration_seconds", "Time of one attempt to tell people or programs.");
pub const NOTIFICATIONS_PENDING: Named =
    named("fleetwatch_notifications_pending", "Messages to people or programs that are not delivered yet.");
pub const NOTIFICATIONS_OLDEST: Named = named(
    "fleetwatch_notifications_oldest_due_seconds",
    "Engine time since the oldest undelivered message was due; 0 when nothing is late.",
);
pub const NOTIFICATIONS_UNTOLD: Named = named(
    "fleetwatch_notifications_untold",
    "Messages to people or programs that have not got through for notify.tell_elsewhere_after_min, or were given up.",
);
