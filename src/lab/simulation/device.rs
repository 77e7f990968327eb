//! One device as a lazy sequence of messages in the order of their arrival.

use crate::engine::device::{Label, Package, Status};
use crate::engine::histogram::{MAX_US, bucket_of};
use crate::engine::report::{Bucket, ClassReport, Report, RuleCount};
use crate::engine::time::Timestamp;

use super::background::{CLASSES, DeviceProfile, NATURAL_CANARY_SHARE, Usual};
use super::plan::{DAY_MS, DevicePlan, Effect};
use super::random::Stream;
use super::remedy::{Applied, Condition, Remedies};
use super::series::Piece;
use super::shape::{Counts, Delay, Shape};
use super::statuses::{PlannedStatus, STATUS_AFTER_MS, boot_at, planned_statuses};

/// A device that comes back sends what it kept, one report each 20 ms.
const BACKLOG_STEP_MS: i64 = 20;
/// So long after a cut the backlog may still be on its way.
const BACKLOG_TAIL_MS: i64 = 60_000;
/// Most flows a minute of a device with measured delays: there are no more different ones near a minute.
const MEASURED_FLOWS_A_MINUTE: f64 = 60.0;
const RULES: [&str; 8] = ["2100498", "2013028", "2027865", "2016150", "2024364", "2029340", "2031502", "2018959"];

mod purpose {
    pub(super) const REPORT: u64 = 201;
    pub(super) const TRANSPORT: u64 = 202;
    pub(super) const REPEAT: u64 = 203;
}

/// What a message says.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    Report(&'a Report),
    Status(&'a Status),
}

/// A message as it arrives.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// When it arrives at the broker.
    pub at: Timestamp,
    /// The device's number in the simulation.
    pub device: u32,
    pub body: Body<'a>,
    /// Whether the device asked the broker to retain it.
    pub retain: bool,
}

/// A message that has been made and waits in its device's buffers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    at: Timestamp,
    status: bool,
}

/// A run of reports with one period within one boot.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) boot: u64,
    /// True instant at which report 0 starts.
    pub(crate) origin: Timestamp,
    /// Uptime and sequence number of report 0.
    pub(crate) uptime_ms: i64,
    pub(crate) seq: i64,
    pub(crate) period_ms: u32,
    /// Reports that start at or after this instant belong to the next segment.
    pub(crate) end: Timestamp,
    /// Latest arrival, where the segment must be over by an instant.
    pub(crate) latest_arrival: Option<Timestamp>,
}

/// The messages of one device. [`DeviceSim::peek`] says when the next one arrives, [`DeviceSim::next`] makes it.
#[derive(Clone, Debug)]
pub struct DeviceSim<'a> {
    index: u32,
    profile: &'a DeviceProfile,
    plan: &'a DevicePlan,
    /// What is done to all devices, and what of it is known of this one.
    remedies: Remedies,
    applied: Vec<Applied>,
    shape: &'a Shape,
    local_offset_ms: i64,
    drift: f64,
    segments: Vec<Segment>,
    statuses: Vec<PlannedStatus>,
    next_status: usize,
    segment: usize,
    next_report: i64,
    /// Deliveries of the pending report that are left beyond the first.
    repeats_left: u8,
    repeated: i64,
    pending: Option<Timestamp>,
    report: Report,
    status: Status,
    counts: Counts,
    delays: Vec<u32>,
}

impl<'a> DeviceSim<'a> {
    pub(crate) fn new(
        index: u32,
        profile: &'a DeviceProfile,
        plan: &'a DevicePlan,
        remedies: Remedies,
        shape: &'a Shape,
        local_offset_ms: i64,
        segments: Vec<Segment>,
    ) -> Self {
        let drift = profile.uptime_rate();
        let statuses = planned_statuses(plan, &segments);
        let mut sim = Self {
            index,
            profile,
            plan,
            remedies,
            applied: Vec::new(),
            shape,
            local_offset_ms,
            drift,
            segments,
            statuses,
            next_status: 0,
            segment: 0,
            next_report: 0,
            repeats_left: 0,
            repeated: 0,
            pending: None,
            report: Report::default(),
            status: Status::default(),
            counts: Counts::default(),
            delays: Vec::new(),
        };
        sim.take_up();
        sim.settle();
        sim
    }

    /// Learns what was done to the device since this was last called, and plans the statuses that tell of it. Answers whether
    /// there was anything.
    pub fn take_up(&mut self) -> bool {
        let news = self.remedies.since(self.index, self.applied.len());
        let any = !news.is_empty();
        for applied in news {
            if !self.plan.is_cut(applied.at) {
                let at = applied.at.plus_ms(STATUS_AFTER_MS);
                let status = PlannedStatus { at, online: true, boot: boot_at(&self.segments, at) };
                let place = self.statuses.partition_point(|planned| planned.at <= at).max(self.next_status);
                self.statuses.insert(place, status);
            }
            self.applied.push(applied);
        }
        any
    }

    /// The device's number in the simulation.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// When the next message arrives; `None` when there is none.
    pub fn peek(&self) -> Option<Timestamp> {
        let status = self.statuses.get(self.next_status).map(|status| status.at);
        match (self.pending, status) {
            (Some(report), Some(status)) => Some(report.min(status)),
            (report, status) => report.or(status),
        }
    }

    /// The next message.
    #[expect(clippy::should_implement_trait, reason = "the message borrows the device's buffers")]
    pub fn next(&mut self) -> Option<Message<'_>> {
        let made = self.make()?;
        Some(self.message(made))
    }

    /// Makes the next message in the device's buffers; from then on [`Self::peek`] speaks of the one after it.
    pub(crate) fn make(&mut self) -> Option<Made> {
        let at = self.peek()?;
        let status = self.statuses.get(self.next_status).copied().filter(|status| status.at == at);
        if let Some(planned) = status {
            self.next_status += 1;
            self.write_status(planned);
        } else {
            self.write_report();
            self.advance();
        }
        Some(Made { at, status: status.is_some() })
    }

    /// The message that was made last.
    pub(crate) fn message(&self, made: Made) -> Message<'_> {
        let body = if made.status { Body::Status(&self.status) } else { Body::Report(&self.report) };
        Message { at: made.at, device: self.index, body, retain: made.status }
    }

    /// Leaves out everything that arrives before `from`; later messages are the same as without.
    pub fn skip_to(&mut self, from: Timestamp) {
        while self.statuses.get(self.next_status).is_some_and(|status| status.at < from) {
            self.next_status += 1;
        }
        while let Some(segment) = self.segments.get(self.segment) {
            if self.segments.get(self.segment + 1).is_none_or(|next| next.origin >= from) || segment.end > from {
                break;
            }
            (self.segment, self.next_report) = (self.segment + 1, 0);
        }
        if let Some(segment) = self.segments.get(self.segment) {
            // What was measured during a cut arrives after it.
            let measured = self.plan.cuts.iter().filter(|cut| cut.to.plus_ms(BACKLOG_TAIL_MS) > from);
            let back_to = measured.map(|cut| cut.from).min().map_or(from, |cut| cut.min(from));
            let near = back_to.since_ms(segment.origin) / i64::from(segment.period_ms) - 3;
            self.next_report = self.next_report.max(near);
        }
        self.repeats_left = 0;
        self.settle();
        while self.pending.is_some_and(|at| at < from) {
            self.advance();
        }
    }

    fn start_of(&self, report: i64) -> Timestamp {
        let segment = &self.segments[self.segment];
        segment.origin.plus_ms(report * i64::from(segment.period_ms))
    }

    /// Finds the next report that the device makes and when it arrives.
    fn settle(&mut self) {
        self.pending = loop {
            let Some(segment) = self.segments.get(self.segment) else { break None };
            let start = self.start_of(self.next_report);
            let over = start.plus_ms(i64::from(segment.period_ms)) > segment.end;
            if over {
                (self.segment, self.next_report) = (self.segment + 1, 0);
                continue;
            }
            if let Some(piece) = &self.profile.measured {
                if piece.is_over(start.as_ms()) {
                    break None;
                }
                if !piece.covers(start.as_ms()) {
                    self.next_report += 1;
                    continue;
                }
            }
            match self.plan.silences.iter().find(|span| start >= span.from && start < span.to) {
                Some(span) if span.to >= segment.end => {
                    (self.segment, self.next_report) = (self.segment + 1, 0);
                }
                Some(_) => self.next_report += 1,
                None => break Some(self.arrival(self.next_report)),
            }
        };
    }

    fn advance(&mut self) {
        if self.repeats_left > 0 {
            self.repeats_left -= 1;
            self.repeated += 1;
            self.pending = self.pending.map(|at| at.plus_ms(40));
        } else if self.repeated == 0 && self.plan.repeated_share > 0.0 && self.repeats() > 0 {
            self.repeats_left = self.repeats() - 1;
            self.repeated = 1;
            self.pending = self.pending.map(|at| at.plus_ms(40));
        } else {
            self.repeated = 0;
            self.next_report += 1;
            self.settle();
        }
    }

    /// How often the pending report is delivered again.
    fn repeats(&self) -> u8 {
        let mut stream = self.stream(purpose::REPEAT);
        if stream.unit() < self.plan.repeated_share { 1 + stream.below(2) as u8 } else { 0 }
    }

    fn stream(&self, purpose: u64) -> Stream {
        let start = self.start_of(self.next_report);
        Stream::new(self.profile.seed ^ (purpose << 48), start.as_ms() as u64)
    }

    /// Arrival of a report: its end, the way, and the wait for the line where that was cut. Never falls with the number.
    fn arrival(&self, report: i64) -> Timestamp {
        let segment = &self.segments[self.segment];
        let period = i64::from(segment.period_ms);
        let start = self.start_of(report);
        let mut stream = self.stream(purpose::TRANSPORT);
        let mut delay = 20.0 - 80.0 * (1.0 - stream.unit()).ln();
        if stream.unit() < 0.01 {
            delay += 2_000.0 * stream.unit();
        } else {
            delay = delay.min(400.0);
        }
        let sent = start.plus_ms(period);
        let mut at = sent.plus_ms((delay as i64).min(period * 8 / 10));
        for cut in &self.plan.cuts {
            if at >= cut.from && sent < cut.to.plus_ms(BACKLOG_TAIL_MS) {
                let first = (cut.from.since_ms(segment.origin).div_euclid(period) - 1).max(0);
                let turn = cut.to.plus_ms(1_000 + (report - first).max(0) * BACKLOG_STEP_MS);
                at = at.max(turn);
            }
        }
        segment.latest_arrival.map_or(at, |latest| at.min(latest))
    }

    fn write_status(&mut self, planned: PlannedStatus) {
        let wall = |at: Timestamp| at.as_ms() + self.plan.skew_at(at);
        let condition = Condition::of(&self.applied, planned.at);
        let installs = self.plan.installs.iter().filter(|install| install.at <= planned.at);
        let installs = installs.map(|install| (&install.version, install.at));
        let fix = condition.fix.as_ref().map(|(version, at)| (version, *at));
        let install = installs.chain(fix).max_by_key(|(_, at)| *at);
        // Signatures come every morning at half past three, to everybody.
        let local = planned.at.plus_ms(self.local_offset_ms).as_ms();
        let day = (local - 12_600_000).div_euclid(DAY_MS);
        let signed = Timestamp::from_ms(day * DAY_MS + 12_600_000 - self.local_offset_ms);
        let own = self.plan.packages.iter().filter(|package| package.at <= planned.at);
        // A package of the same name stands in the place of the one before.
        let mended = condition.package.as_ref().map(|(name, ..)| name.clone());
        self.status = Status {
            online: planned.online,
            boot: planned.boot,
            at: wall(planned.at),
            model: Some(Label::clone(&self.profile.model)),
            branch: Some(Label::clone(&self.profile.branch)),
            customer: Some(Label::clone(&self.profile.customer)),
            firmware: Some(Label::clone(&self.profile.firmware)),
            update: install.map(|(version, _)| Label::clone(version)),
            update_installed_at: install.map(|(_, at)| wall(at)),
            packages: std::iter::once(Package {
                name: "signatures".into(),
                version: format!("9.{}.{}", day / 100 % 100, day % 100).into(),
                installed_at: Some(wall(signed)),
            })
            .chain(own.map(|package| Package {
                name: Label::clone(&package.name),
                version: Label::clone(&package.version),
                installed_at: Some(wall(package.at)),
            }))
            .filter(|package| mended.as_ref() != Some(&package.name))
            .chain(condition.package.iter().map(|(name, version, at)| Package {
                name: Label::clone(name),
                version: Label::clone(version),
                installed_at: Some(wall(*at)),
            }))
            .collect(),
            workaround: Some(condition.workaround()),
        };
    }

    fn write_report(&mut self) {
        let segment = &self.segments[self.segment];
        let start = self.start_of(self.next_report);
        let since = start.since_ms(segment.origin);
        self.report.clear();
        self.report.boot = segment.boot;
        self.report.seq = (segment.seq + self.next_report).max(0) as u64;
        self.report.uptime_ms = (segment.uptime_ms + (since as f64 * self.drift) as i64).max(0) as u64;
        self.report.start = (start.as_ms() + self.plan.skew_at(start)).max(0);
        self.report.period_ms = segment.period_ms;
        let mut stream = self.stream(purpose::REPORT);
        let mut usual = self.profile.usual(start.plus_ms(self.local_offset_ms), segment.period_ms);
        let level = self.plan.level(self.profile.seed, start);
        usual.median_us = usual.median_us.map(|us| us * level);
        let classes = if self.profile.measured.is_some() { 1 } else { CLASSES.len() };
        let condition = Condition::of(&self.applied, start);
        for (class, name) in CLASSES.into_iter().enumerate().take(classes) {
            let effect = condition.effect(self.plan, name, start);
            self.write_class(class, start, effect, &usual, &mut stream);
        }
    }

    fn write_class(
        &mut self,
        class: usize,
        start: Timestamp,
        effect: Option<Effect>,
        usual: &Usual,
        stream: &mut Stream,
    ) {
        let period_ms = self.report.period_ms;
        let uneven = (0.3 * stream.normal() - 0.045).exp();
        let first_bucket = self.report.buckets.len() as u32;
        let mean = usual.mean_flows[class] * uneven;
        let flows = match &self.profile.measured {
            Some(piece) => self.draw_measured(piece, start, mean, effect, stream),
            None => self.draw_latency(mean, usual.median_us[class], effect, stream),
        };
        let extra = effect.map_or(0.0, |effect| effect.false_positives);
        let probed = class < 2;
        let canary = if probed { self.profile.canary_per_10_s * period_ms.div_ceil(10_000) } else { 0 };
        let canary_flagged = stream.binomial(canary, NATURAL_CANARY_SHARE + extra);
        let attacks = effect.map_or(0.0, |effect| effect.attacks);
        let flagged = stream.binomial(flows, usual.flagged_share + extra + attacks);
        let released = stream.binomial(flagged, 0.05);
        let rules = self.write_rules(flagged, extra > 0.0, stream);
        self.report.classes.push(ClassReport {
            class: CLASSES[class],
            buckets: first_bucket..self.report.buckets.len() as u32,
            rules,
            flows,
            flagged,
            canary,
            canary_flagged,
            released,
        });
    }

    /// Draws flows whose delays were measured; returns how many.
    fn draw_measured(
        &mut self,
        piece: &Piece,
        start: Timestamp,
        mean: f64,
        effect: Option<Effect>,
        stream: &mut Stream,
    ) -> u32 {
        let most = MEASURED_FLOWS_A_MINUTE * f64::from(self.report.period_ms) / 60_000.0;
        let flows = stream.poisson(mean.min(most));
        let level = self.plan.level(self.profile.seed, start);
        piece.minute(start.as_ms(), flows, stream, &mut self.delays);
        for &us in &self.delays {
            let usual = f64::from(us) * level;
            let suffers = effect.filter(|effect| effect.share >= 1.0 || stream.unit() < effect.share);
            let us = suffers.map_or(usual, |effect| usual * effect.ratio + effect.add_us);
            let index = bucket_of(us.min(f64::from(MAX_US)) as u32) as u16;
            self.report.buckets.push(Bucket { index, count: 1 });
        }
        flows
    }

    /// Draws the flows of a class and their delays; returns how many.
    fn draw_latency(&mut self, mean: f64, median_us: f64, effect: Option<Effect>, stream: &mut Stream) -> u32 {
        let hit = effect.map_or(0.0, |effect| effect.share);
        let mut flows = 0;
        if hit < 1.0 {
            let delay = Delay { median_us, add_us: 0.0 };
            flows += self.shape.draw(&mut self.counts, stream, mean * (1.0 - hit), delay);
        }
        if let Some(effect) = effect {
            let delay = Delay { median_us: median_us * effect.ratio, add_us: effect.add_us };
            flows += self.shape.draw(&mut self.counts, stream, mean * hit, delay);
        }
        self.counts.drain_into(&mut self.report.buckets);
        flows
    }

    /// Spreads the flagged flows over rules; the defect's all come from one.
    fn write_rules(&mut self, flagged: u32, defect: bool, stream: &mut Stream) -> std::ops::Range<u32> {
        let first = self.report.rules.len() as u32;
        if flagged > 0 {
            let usual = if defect { stream.binomial(flagged, 0.2) } else { flagged };
            let own = 1 + stream.below(RULES.len() as u64 - 1) as usize;
            for (rule, count) in [(own, usual), (0, flagged - usual)] {
                if count > 0 {
                    let begin = self.report.rule_names.len() as u32;
                    self.report.rule_names.push_str(RULES[rule]);
                    self.report.rules.push(RuleCount { name: begin..self.report.rule_names.len() as u32, count });
                }
            }
        }
        first..self.report.rules.len() as u32
    }
}
