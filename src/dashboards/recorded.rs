//! Recording rules that panels read, of `grafana/prometheus/fleetwatch-recording.yml`. Whole days of all cohorts would be tens of
//! millions of samples a panel; a test looks that every rule here exists there.

/// Samples a second below each bound, of the fleet.
pub(super) const FLEET_BUCKETS: &str = "branch:fleetwatch_cohort_latency_seconds_bucket:rate5m";
/// The 95th percentile of each branch.
pub(super) const BRANCH_P95: &str = "branch:fleetwatch_cohort_latency_seconds:p95_5m";
/// Samples a second below each bound, of each class and update.
pub(super) const UPDATE_BUCKETS: &str = "class_update:fleetwatch_cohort_latency_seconds_bucket:rate5m";
/// Quantiles of each class and update.
pub(super) const UPDATE_P50: &str = "class_update:fleetwatch_cohort_latency_seconds:p50_5m";
pub(super) const UPDATE_P95: &str = "class_update:fleetwatch_cohort_latency_seconds:p95_5m";
pub(super) const UPDATE_P99: &str = "class_update:fleetwatch_cohort_latency_seconds:p99_5m";
/// The 95th percentile of each class in the whole fleet.
pub(super) const CLASS_P95: &str = "class:fleetwatch_cohort_latency_seconds:p95_5m";
/// The median of the devices' 95th percentiles, by model.
pub(super) const MODEL_P95: &str = "model:fleetwatch_device_latency_seconds:p95_median";
/// Wrongly flagged probes of all in half an hour.
pub(super) const FLEET_FALSE_POSITIVES: &str = "fleet:fleetwatch_cohort_probes:flagged_ratio30m";
pub(super) const BRANCH_FALSE_POSITIVES: &str = "branch:fleetwatch_cohort_probes:flagged_ratio30m";
pub(super) const UPDATE_FALSE_POSITIVES: &str = "class_update:fleetwatch_cohort_probes:flagged_ratio30m";
/// Flagged flows of all in five minutes.
pub(super) const UPDATE_FLAGGED: &str = "class_update:fleetwatch_cohort_flows:flagged_ratio5m";
/// Devices of each incident by the ladder's step, of all branches.
pub(super) const LADDER: &str = "incident_step:fleetwatch_incident_ladder_devices:sum";
/// Devices that a rule apart from the detector finds slower than the day before.
pub(super) const SECOND_OPINION: &str = "class_update:fleetwatch_second_opinion:slow";
/// What was usual of a class a day before, in the whole fleet.
pub(super) const DAY_BEFORE: &str = "class:fleetwatch_cohort_latency_seconds:p95_day_before";
