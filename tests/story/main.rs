//! The seed's story on the pages, as people live it: 1,000 simulated devices over real MQTT, the hour gets full, and the incident
//! is worked on in a browser until telemetry lets it be closed.
//!
//! One process holds the site, Debian's Chromium looks at it. Fleet time runs sixty times as fast; the clear period is ten
//! minutes instead of an hour, and nothing else is set otherwise. Pictures go below `target/` only.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and says why it was skipped"
)]
#![allow(clippy::disallowed_methods, reason = "waits for another program with a bounded deadline")]

#[allow(dead_code, reason = "shared with the tests of freshness")]
mod browser;
mod channels;
mod site;

use std::collections::BTreeSet;
use std::time::Duration;

use fleetwatch::clock;
use fleetwatch::engine::device::{DeviceId, Label};
use fleetwatch::incident::ladder::{Claim, Proof};
use fleetwatch::incident::{Command, Incident, Refusal, Role, Seat, State, Step};
use fleetwatch::lab::simulation::Remedy;
use fleetwatch::record::incidents::IncidentError;

use browser::{Driver, Page, Window};
use site::{Site, phone};

const DEVICES: u32 = 1_000;
const WORKAROUND: &str = "WA-1";
const FIX: &str = "2026.11.19";
/// A support agent sees the setting flip within this time of the device's status.
const ON_THE_PHONE: Duration = Duration::from_secs(2);
/// Above what the quiet minutes and their evidence take.
const QUIET: Duration = Duration::from_secs(300);

/// Devices of the incident that have a story of their own.
struct Cast {
    /// Its customer is called while the page is open, and wants to hear of the progress.
    called: DeviceId,
    /// As before, by an agent without JavaScript.
    plain: DeviceId,
    /// Nobody answers.
    silent: DeviceId,
    /// The fix leaves its workaround on.
    stubborn: DeviceId,
    others: Vec<DeviceId>,
}

impl Cast {
    fn of(incident: &Incident) -> Self {
        let mut devices: Vec<DeviceId> = incident.ladder.iter().map(|(device, _)| device.clone()).collect();
        let mut next = || devices.remove(devices.len() / 2);
        let (called, plain, silent, stubborn) = (next(), next(), next(), next());
        Self { called, plain, silent, stubborn, others: devices }
    }
}

fn on() -> Remedy {
    Remedy::WorkaroundOn(Label::from(WORKAROUND))
}

/// The story's places.
struct Night {
    site: Site,
    number: String,
    page: Page,
}

impl Night {
    fn path(&self, rest: &str) -> String {
        format!("/incidents/{}{rest}", self.number)
    }

    /// Fills in nothing but the name, and sends the form of an act.
    async fn act(&self, act: &str, by: &str) {
        self.page.go(&self.path(&format!("/do/{act}"))).await;
        self.page.fill("#f-by", by).await;
        self.page.click("form.act button[type=submit]").await;
    }

    async fn is(&self, state: State) {
        let incident = self.site.incident(state.as_str(), QUIET, |incident| incident.state == state).await;
        assert_eq!(incident.number(), self.number);
    }

    /// Roles are answered for: one on the page, the other elsewhere, which the open page shows by itself.
    async fn muster(&self) {
        self.page.go(&self.path("")).await;
        self.page.shows("#head h1", &self.number).await;
        self.page.click("#people form.tap:has(input[name=seat][value=commander]) button").await;
        self.page.shows("#people", "Suzuki").await;
        let seat = Seat::of(Role::DevelopmentLead);
        self.site.execute(&self.number, "Suzuki", Command::Acknowledge { seat }).await.unwrap();
        self.page.shows("#head li.here", "Mustered").await;
        self.page.picture("1-mustered").await;
    }

    /// A workaround is registered by one, and agreed by another.
    async fn agree(&self) {
        self.page.go(&self.path("/do/countermeasure")).await;
        let script = "Open Inspection, set HTTPS to Standard, press Save.";
        for (field, text) in [("by", "Kato"), ("workaround", WORKAROUND), ("script_en", script), ("fix_value", FIX)] {
            self.page.fill(&format!("#f-{field}"), text).await;
        }
        self.page.choose("#f-fix_kind", "update").await;
        self.page.click("form.act button[type=submit]").await;
        self.page.shows("#remedy", WORKAROUND).await;
        assert_eq!(self.page.path().await, self.path(""));
        assert!(self.site.incident("as before", QUIET, |_| true).await.countermeasures.workaround().is_none());
        self.page.go(&self.path("/do/agree?version=1")).await;
        self.page.fill("#f-by", "Suzuki").await;
        self.page.click("form.act button[type=submit]").await;
        self.is(State::WorkaroundAvailable).await;
        self.page.shows("#head li.here", "Workaround").await;
    }

    /// Looks a device up at the support desk by the phone number of its customer.
    async fn look_up(&self, page: &Page, device: &DeviceId) {
        page.go("/support").await;
        page.fill("#q", &phone(self.site.number_of(device))).await;
        page.click("form.search button").await;
        page.shows("#who h2", device.as_str()).await;
    }

    async fn call(&self, page: &Page, outcome: &str) {
        page.fill("#call #f-by", "Tanaka").await;
        page.click(&format!("#call button[value={outcome}]")).await;
        page.shows("p[role=status]", "recorded").await;
    }

    /// The customer changes the setting during the call: the open page shows it, and nobody reloads it.
    async fn flips(&self, page: &Page, (device, remedy): (&DeviceId, Remedy), wanted: &str) {
        let mark = page.mark().await;
        self.site.work(device, remedy);
        let start = clock::monotonic();
        while !page.has(&format!("#state .setting.{wanted}")).await {
            assert!(start.elapsed() < ON_THE_PHONE, "{device} is not {wanted} on the page: {}", page.body().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("the setting of {device} was {wanted} on the page after {:?}", start.elapsed());
        assert!(page.is_marked(&mark).await, "the page was loaded anew");
    }

    async fn support_call(&self, cast: &Cast) {
        let page = &self.page;
        self.look_up(page, &cast.called).await;
        page.shows("#state .banner.bad", "affected").await;
        page.shows(".script", "set HTTPS to Standard").await;
        page.click("#call input[name=progress][value=phone]").await;
        self.call(page, "reached").await;
        page.click("form.tap:has(input[name=claim][value=workaround]) button").await;
        page.shows("p[role=status]", "recorded").await;
        assert!(page.has("#state .setting.off").await, "{}", page.body().await);
        self.flips(page, (&cast.called, on()), "on").await;
        page.picture("2-the-setting-has-flipped").await;
        let verified = |incident: &Incident| {
            incident.ladder.get(&cast.called).is_some_and(|rung| rung.step() == Step::WorkaroundVerified)
        };
        self.site.incident("the workaround is verified", ON_THE_PHONE, verified).await;
    }

    /// The same by an agent whose browser runs no scripts: the page reloads itself.
    async fn support_call_without_scripts(&self, driver: &Driver, cast: &Cast) {
        let page = driver.open(&self.site.address, Window::PLAIN).await;
        self.look_up(&page, &cast.plain).await;
        self.call(&page, "reached").await;
        page.click("#state noscript a").await;
        self.site.work(&cast.plain, on());
        page.shows("#state .setting.on", "").await;
        // Whatever is on the pages of the incident can be read and done without scripts, too.
        page.go(&self.path("/do/note")).await;
        page.fill("#f-by", "Ito").await;
        page.fill("#f-text", "Half of the customers have been called.").await;
        page.click("form.act button[type=submit]").await;
        page.shows("#head h1", &self.number).await;
        let body = page.body().await;
        assert!(body.contains("Half of the customers have been called."), "{body}");
        page.picture("3-without-scripts").await;
        page.close().await;
    }

    /// Whom nobody reaches is signed off, not before it was tried three times.
    async fn give_up(&self, cast: &Cast) {
        let page = &self.page;
        for tried in 0..=3 {
            page.go(&self.path(&format!("/do/sign_off?device={}", cast.silent))).await;
            page.fill("#f-by", "Tanaka").await;
            page.choose("#f-kind", "unreachable").await;
            page.fill("#f-reason", "Every number on file, at several hours.").await;
            page.click("form.act button[type=submit]").await;
            if tried < 3 {
                page.shows(".banner[role=alert]", &format!("{tried}")).await;
                self.look_up(page, &cast.silent).await;
                self.call(page, "no_answer").await;
            }
        }
        page.shows("#head h1", &self.number).await;
        let excepted =
            |incident: &Incident| incident.ladder.get(&cast.silent).is_some_and(|rung| rung.exception.is_some());
        self.site.incident("signed off", ON_THE_PHONE, excepted).await;
    }

    /// The other branches do the same at their own desks.
    async fn everybody_else(&self, cast: &Cast) {
        let devices: Vec<DeviceId> = cast.others.iter().chain([&cast.stubborn]).cloned().collect();
        for device in &devices {
            self.site.work(device, on());
        }
        let claim = Command::Claim { devices, claim: Claim::Workaround };
        self.site.execute(&self.number, "the other desks", claim).await.unwrap();
        self.page.go(&self.path("")).await;
        self.is(State::PendingPermanentFix).await;
        self.page.shows("#head li.here", "Pending").await;
        self.page.picture("4-pending").await;
    }

    /// The page says why it cannot be closed, and a request that goes past the page is refused for the same reason.
    async fn cannot_close(&self, why: &str) {
        self.page.go(&self.path("/do/close")).await;
        self.page.shows("ul.obstacles", why).await;
        assert!(!self.page.has("form.act").await, "there is nothing to send");
        let refused = self.site.execute(&self.number, "Sato", Command::Close).await;
        assert!(matches!(refused, Err(IncidentError::Refused(Refusal::Open(_)))), "{refused:?}");
    }

    async fn ship_the_fix(&self, cast: &Cast) {
        self.act("release_fix", "Suzuki").await;
        self.is(State::Fixing).await;
        self.page.go(&self.path("")).await;
        for number in 0..DEVICES {
            let reverts = self.site.number_of(&cast.stubborn) != number as usize;
            let fix = Remedy::Fix { version: FIX.into(), reverts };
            self.site.simulation.remedies().apply(number, fix, self.site.core.clock().now());
        }
        // The page that was open before shows the debt.
        self.page.shows(&format!("#owed-{}", self.number), cast.stubborn.as_str()).await;
        self.page.picture("5-a-revert-has-failed").await;
        let alone = |incident: &Incident| {
            let open: BTreeSet<_> = incident.open_devices().map(|(device, _)| device).collect();
            let waits = incident.ladder.get(&cast.called).is_some_and(|rung| rung.owes_word());
            waits && open == BTreeSet::from([&cast.stubborn, &cast.called])
        };
        self.site.incident("everybody else is done", QUIET, alone).await;
        self.cannot_close(cast.stubborn.as_str()).await;
        self.page.picture("6-it-cannot-be-closed").await;
    }

    /// The failed revert is made good by phone, and the customer who wanted to hear of it hears of it.
    async fn settle(&self, cast: &Cast) {
        self.look_up(&self.page, &cast.stubborn).await;
        assert!(self.page.has("#state .setting.on").await);
        self.call(&self.page, "reached").await;
        self.flips(&self.page, (&cast.stubborn, Remedy::WorkaroundOff), "off").await;
        let reverted =
            |incident: &Incident| incident.ladder.get(&cast.stubborn).is_some_and(|rung| rung.proves(Proof::Revert));
        self.site.incident("the revert is proved", ON_THE_PHONE, reverted).await;
        self.look_up(&self.page, &cast.called).await;
        self.call(&self.page, "reached").await;
        self.cannot_close(cast.stubborn.as_str()).await;
        self.is(State::Resolved).await;
    }

    async fn close(&self) {
        self.page.go(&self.path("/do/close")).await;
        assert!(!self.page.has("form.act").await, "the review comes first");
        self.page.go(&self.path("/review")).await;
        self.page.fill("#f-by", "Sato").await;
        self.page.fill("#f-text", "The update over-detected; the updater now tells a revert that failed.").await;
        self.page.click("form.act button[type=submit]").await;
        self.is(State::Reviewed).await;
        self.act("close", "Sato").await;
        self.page.shows("#head li.here", "Closed").await;
        self.page.picture("7-closed").await;
        assert!(self.site.core.incidents().board().incidents.is_empty());
        let file = self.site.core.incidents().file(&self.number).await.unwrap().unwrap();
        let closed_by = file.record.events.iter().rev().find(|entry| entry.event.action.as_str() == "closed").unwrap();
        assert_eq!((file.incident.state, closed_by.event.by.as_str()), (State::Closed, "Sato"));
    }

    /// What hangs on the wall is seen whole, says the worst first, and offers nothing to press but the way back.
    async fn on_the_wall(&self, driver: &Driver) {
        let page = driver.open(&self.site.address, Window::WALL).await;
        for (lang, promised) in [("en", "Promised"), ("ja", "期限")] {
            page.go(&format!("/wall?lang={lang}")).await;
            page.shows(".wall-panel h1", &self.number).await;
            assert!(page.body().await.contains(promised), "{}", page.body().await);
            assert!(page.overflow().await <= 0 && page.overhang().await <= 0, "{lang}: {} px", page.overhang().await);
            assert!(!page.has("nav").await && !page.has("form").await, "no menu, nothing to press");
            page.picture(&format!("wall-{lang}")).await;
        }
        page.close().await;
    }

    /// What is read on a phone fits on one, in both languages.
    async fn on_a_phone(&self, driver: &Driver, cast: &Cast) {
        let page = driver.open(&self.site.address, Window::PHONE).await;
        let device = &cast.called;
        let support = format!("/support?q={device}");
        let paths = ["/", &self.path(""), &support, "/branches", &format!("/devices/{device}"), &self.path("/review")];
        for path in paths {
            for lang in ["en", "ja"] {
                let sign = if path.contains('?') { '&' } else { '?' };
                page.go(&format!("{path}{sign}lang={lang}")).await;
                assert!(page.overflow().await <= 0, "{path} in {lang} is {} px too wide", page.overflow().await);
            }
            page.picture(&format!("phone{}", path.replace(['/', '?', '='], "-"))).await;
        }
        page.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_night_is_worked_through_on_the_pages_until_telemetry_lets_it_be_closed() {
    // The browser's client brings no cryptography of its own. An error means that there is one already.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let Some(driver) = Driver::start() else { return };
    let start = clock::monotonic();
    let told = |what: &str| println!("{:>6.1} s  {what}", start.elapsed().as_secs_f64());
    let site = Site::before_the_hour(DEVICES).await;
    told("the fleet is on");
    let incident = site.incident("declared", QUIET, |incident| incident.ladder.len() >= 550).await;
    told("declared");
    let cast = Cast::of(&incident);
    let page = driver.open(&site.address, Window::DESK).await;
    let night = Night { number: incident.number().to_owned(), site, page };
    night.muster().await;
    night.agree().await;
    told("a workaround is agreed");
    night.support_call(&cast).await;
    night.support_call_without_scripts(&driver, &cast).await;
    night.give_up(&cast).await;
    told("the calls were made");
    night.on_a_phone(&driver, &cast).await;
    night.on_the_wall(&driver).await;
    night.everybody_else(&cast).await;
    told("pending permanent fix");
    night.cannot_close("device").await;
    night.ship_the_fix(&cast).await;
    told("all but the failed revert are done");
    night.settle(&cast).await;
    told("resolved");
    night.close().await;
    told("closed");
    night.site.channels.judge(&night.number).await;
    assert_eq!(night.page.complaints().await, Vec::<String>::new());
    night.page.close().await;
    night.site.close().await;
}
