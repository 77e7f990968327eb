//! The support desk on the phone.

use fleetwatch::incident::ladder::Proof;
use fleetwatch::incident::{Action, IncidentEvent, TELEMETRY};

use super::{ENDO, NODA, Person, SATO, Site, site, site_of};
use crate::life::{self, LATER, NUMBER};
use crate::pages::words;
use crate::sample;

async fn look(site: &Site, q: &str) -> String {
    ENDO.read(site, &format!("/support?q={q}")).await
}

#[tokio::test]
async fn a_serial_a_customer_or_a_number_tells_whether_it_is_affected() {
    let site = site().await;
    for (q, expected) in [
        ("B-0006", "\u{25a0} Affected Part of INC-2026-0007 since 22 Nov 2026 03:25 (30 h 00 min ago)."),
        ("b-0006", "\u{25a0} Affected"),
        ("C-00660", "B-0660"),
        ("0120-00-0660", "B-0660"),
        ("0120%20000660", "B-0660"),
        ("Customer%20660", "B-0660"),
        ("B-0001", "\u{25cf} Not affected The device is part of no open incident"),
        ("B-0097", "\u{25c7} Unknown"),
        ("B-0999", "\u{25cf} Was affected; done"),
        ("B-7777", "No match for B-7777 No device has this serial"),
        ("B-00", "20 devices match. Choose one."),
    ] {
        let page = look(&site, q).await;
        assert!(page.contains(expected), "{q}: {expected:?} is not in {page}");
    }
    let many = look(&site, "B-00").await;
    assert!(many.contains("There are more matches.") && many.contains("\u{25a0} Affected"), "{many}");
    site.server.stop().await;
}

#[tokio::test]
async fn what_to_do_follows_from_the_step() {
    let site = site().await;
    for (q, expected) in [
        // Verified, and the fix can be had; claimed and not seen; debt; wants to hear.
        ("B-0441", "The fix is installed, but the workaround is still on."),
        ("B-0006", "This device is done. The customer asked to be informed"),
        ("B-0990", "The permanent fix 2026.11.23 is available."),
        ("B-0100", "No workaround is agreed yet. Apologise"),
    ] {
        let page = look(&site, q).await;
        assert!(page.contains(expected), "{q}: {expected:?} is not in {page}");
    }
    site.server.stop().await;

    let site = site_of(vec![life::with_workaround(NUMBER, &life::hit(60))], LATER).await;
    let page = look(&site, "B-0003").await;
    assert!(page.contains("Talk the customer through the script. Stay on the line"), "{page}");
    assert!(page.contains("Script WA-1, Version 2 1. Open the console."), "{page}");
    let claim = [("device", "B-0003"), ("incident", NUMBER), ("claim", "workaround")];
    let answer = ENDO.send(&site, "/support/claim", &claim).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/support?q=B-0003&done=claim"));
    let page = look(&site, "B-0003").await;
    assert!(page.contains("the device does not confirm it. Go through the script again"), "{page}");
    site.desk.happen(NUMBER, TELEMETRY, Action::Proved { devices: vec![sample::id(3)], proof: Proof::Workaround });
    let page = look(&site, "B-0003").await;
    assert!(page.contains("Workaround is ON") && page.contains("the permanent fix will follow"), "{page}");
    site.server.stop().await;
}

#[tokio::test]
async fn one_tap_records_the_call_and_a_second_tap_does_not() {
    let site = site_of(vec![life::with_workaround(NUMBER, &life::hit(60))], LATER).await;
    let call = |calls, outcome| {
        vec![
            ("device", "B-0003"),
            ("incident", NUMBER),
            ("calls", calls),
            ("script", "2"),
            ("progress", "mail"),
            ("note", "after 5"),
            ("outcome", outcome),
        ]
    };
    let answer = ENDO.send(&site, "/support/call", &call("0", "reached")).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/support?q=B-0003&done=call"),
        "{}",
        words(&answer.body)
    );
    let incident = site.desk.incident(NUMBER);
    let rung = incident.ladder.get(&sample::id(3)).unwrap();
    assert_eq!((rung.calls, rung.progress.map(|progress| progress.as_str())), (1, Some("mail")));
    assert!(ENDO.read(&site, "/support?q=B-0003&done=call").await.contains("The call is recorded."));

    let twice = ENDO.send(&site, "/support/call", &call("0", "reached")).await;
    assert_eq!(twice.status, 422);
    let seen = words(&twice.body);
    assert!(seen.contains("Another call about this device was recorded meanwhile."), "{seen}");
    assert!(
        twice.body.contains("value=\"after 5\"") && twice.body.contains("value=\"mail\" checked"),
        "what was typed is kept"
    );
    // What the page says now is the number of calls there are: sending it again is another call.
    assert!(twice.body.contains("name=\"calls\" value=\"1\""));
    assert_eq!(ENDO.send(&site, "/support/call", &call("1", "no_answer")).await.status, 303);
    let page = look(&site, "B-0003").await;
    assert!(page.contains("1 of 3 unanswered calls"), "{page}");
    // Outcome, request and note of each, the last first.
    assert!(page.contains("We called: no answer Endo Progress reports: by mail after 5"), "{page}");
    assert!(page.contains("We called: reached Endo Progress reports: by mail after 5"), "{page}");
    let incoming = |outcome| [call("2", outcome), vec![("direction", "incoming")]].concat();
    let nobody = ENDO.send(&site, "/support/call", &incoming("no_answer")).await;
    assert!(
        nobody.status == 422 && words(&nobody.body).contains("An incoming call cannot be unanswered"),
        "{}",
        words(&nobody.body)
    );
    assert_eq!(ENDO.send(&site, "/support/call", &incoming("reached")).await.status, 303);
    assert!(look(&site, "B-0003").await.contains("The customer called: reached Endo"));
    let call = |_: &str, outcome| call("3", outcome);

    for (name, value) in [
        ("outcome", "shouted"),
        ("progress", "by pigeon"),
        ("device", "B/3"),
        ("incident", "INC-2026-4444"),
        ("device", "B-0001"),
    ] {
        let mut fields = call("2", "reached");
        fields.iter_mut().filter(|(field, _)| *field == name).for_each(|field| field.1 = value);
        let answer = ENDO.send(&site, "/support/call", &fields).await;
        assert_eq!(answer.status, 422, "{name}={value}: {}", words(&answer.body));
    }
    assert_eq!(site.desk.incident(NUMBER).ladder.get(&sample::id(3)).unwrap().calls, 3);
    site.server.stop().await;
}

#[tokio::test]
async fn calls_about_a_customers_other_devices_are_told_too() {
    let mut told = life::with_workaround(NUMBER, &life::hit(60));
    let mut joining = life::joining(7);
    joining.customer = Some("C-00003".to_owned());
    let event = |action| IncidentEvent { at: life::at(70), by: TELEMETRY.to_owned(), action };
    told.take(vec![event(Action::Joined { devices: vec![joining] })]);
    let site = site_of(vec![told], LATER).await;
    let call = [("device", "B-0007"), ("incident", NUMBER), ("calls", "0"), ("note", "knows"), ("outcome", "reached")];
    assert_eq!(ENDO.send(&site, "/support/call", &call).await.status, 303);
    let page = look(&site, "B-0003").await;
    let others = page.split_once("Calls about this customer's other devices").unwrap().1;
    assert!(others.contains("We called: reached Endo B-0007 , INC-2026-0007 knows"), "{others}");
    assert!(!look(&site, "B-0006").await.contains("other devices"));
    site.server.stop().await;
}

#[tokio::test]
async fn a_new_script_is_told_to_whoever_has_not_read_it() {
    let site = site().await;
    let page = ENDO.read(&site, "/support").await;
    assert!(page.contains("Version 2 of the script is new to you"), "Endo has read the first: {page}");
    let read = ENDO.send(&site, "/incidents/INC-2026-0007/do/script", &[("version", "2")]).await;
    assert_eq!(read.status, 303);
    let page = ENDO.read(&site, "/support").await;
    assert!(!page.contains("is new to you"), "{page}");
    let other = Person { name: "Ueda", ..ENDO };
    assert!(other.read(&site, "/support").await.contains("is new to you"));
    // Whoever reads it with a caller on the line stays with the caller.
    let page = other.look(&site, "/support?q=B-0990").await.body;
    let back = ("back", "/support?q=B-0990");
    assert!(page.contains("name=\"back\" value=\"/support?q=B-0990\""), "{page}");
    let read = other.send(&site, "/incidents/INC-2026-0007/do/script", &[("version", "2"), back]).await;
    assert_eq!((read.status, read.header("location")), (303, "/support?q=B-0990"));
    for elsewhere in ["//evil.example", "https://evil.example", "/\\evil.example", ""] {
        let fields = [("version", "2"), ("back", elsewhere)];
        let read = other.send(&site, "/incidents/INC-2026-0007/do/script", &fields).await;
        assert!(!read.header("location").contains("evil"), "{elsewhere}: {}", read.header("location"));
    }
    site.server.stop().await;
}

#[tokio::test]
async fn the_queue_says_whom_to_call_and_why() {
    let site = site().await;
    let page = ENDO.read(&site, "/support").await;
    assert!(page.contains("Customers to call INC-2026-0007"), "{page}");
    assert!(page.contains("B-0006 Customers to inform C-00006 branch-06"), "{page}");
    let waiting = page.find("Customers to inform").unwrap();
    assert!(page.find("not reached yet").is_none_or(|at| at > waiting), "those that are owed a word come first");
    // No workaround, no fix: nobody is called for nothing.
    let quiet = site_of(vec![life::mustered(NUMBER, &[3, 6, 9])], 30).await;
    assert!(ENDO.read(&quiet, "/support").await.contains("No customer is waiting for a call."));
    quiet.server.stop().await;
    site.server.stop().await;
}

#[tokio::test]
async fn whom_the_queue_lists_the_own_page_does_not_send_away() {
    let site = site().await;
    let queue = ENDO.look(&site, "/support").await.body;
    let mut listed = 0;
    let devices: Vec<String> = queue
        .split("<th scope=\"row\"><a href=\"/support?q=")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    for device in &devices {
        let page = look(&site, device).await;
        for nothing in ["nothing to do", "Nothing to do", "the permanent fix will follow"] {
            assert!(!page.contains(nothing), "{device} is in the queue: {page}");
        }
        listed += 1;
    }
    assert!(listed > 20, "{listed}");
    site.server.stop().await;
}

#[tokio::test]
async fn without_javascript_the_setting_can_be_watched() {
    let site = site().await;
    let page = ENDO.look(&site, "/support?q=B-0441").await.body;
    assert!(!page.contains("http-equiv=\"refresh\""), "a page with a form takes nobody's text away");
    assert!(page.contains("<noscript><p><a href=\"/support?q=B-0441&amp;watch=on\">"));
    let watched = ENDO.look(&site, "/support?q=B-0441&watch=on").await.body;
    assert!(watched.contains("<noscript><meta http-equiv=\"refresh\" content=\"2\">"));
    site.server.stop().await;
}

#[tokio::test]
async fn contacts_are_for_who_talks_with_customers() {
    let site = site().await;
    assert!(look(&site, "B-0441").await.contains("Customer 441 0120-00-0441"));
    assert!(SATO.read(&site, "/support?q=0120-00-0441").await.contains("B-0441"));
    assert_eq!(NODA.look(&site, "/support?q=B-0441").await.status, 403);
    let device = NODA.read(&site, "/devices/B-0441").await;
    assert!(
        device.contains("visible to support, the device's branch and commanders") && !device.contains("0120-"),
        "{device}"
    );
    let branch = NODA.read(&site, "/branches/branch-41").await;
    assert!(branch.contains("B-0441") && !branch.contains("0120-"), "{branch}");
    site.server.stop().await;
}
