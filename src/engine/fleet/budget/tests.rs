use proptest::prelude::*;

use super::*;

const T0: Timestamp = Timestamp::from_ms(1_795_305_600_000);
const REPORT: u64 = 1_200;

fn taken(spent: &mut Spent, allowance: &Allowance, count: u32, bytes: u64, now: Timestamp) -> u32 {
    (0..count).filter(|_| spent.pay(allowance, bytes, now)).count() as u32
}

#[test]
fn two_days_of_reports_arrive_in_one_instant_and_all_pass() {
    let mut spent = Spent::default();
    assert_eq!(taken(&mut spent, &Allowance::DEVICE, 17_280, REPORT, T0), 17_280);
    // And the day after the same again.
    assert_eq!(taken(&mut spent, &Allowance::DEVICE, 17_280, REPORT, T0.plus_ms(86_400_000)), 17_280);
}

#[test]
fn a_flood_is_cut_to_burst_and_rate_in_messages_and_in_bytes() {
    let day = T0.plus_ms(86_400_000);
    for bytes in [40, 1_200, 65_536] {
        let mut spent = Spent::default();
        let at_once = u64::from(taken(&mut spent, &Allowance::DEVICE, 100_000, bytes, T0));
        let most = u64::from(Allowance::DEVICE.burst_messages).min(Allowance::DEVICE.burst_bytes / bytes);
        assert!((most - 1..=most).contains(&at_once), "{at_once} of {bytes} bytes, {most} at most");
        let (mut passed, mut now) = (at_once, T0);
        while now < day {
            now = now.plus_ms(500);
            passed += u64::from(taken(&mut spent, &Allowance::DEVICE, 10, bytes, now));
        }
        let (most_messages, most_bytes) = (20_000 + 86_400 * 4, (32 << 20) + 86_400 * (4 << 10));
        assert!(passed <= most_messages && passed * bytes <= most_bytes, "{passed} of {bytes} bytes in a day");
        // And no less than that.
        assert!(
            passed * 100 >= most_messages * 99 || passed * bytes * 100 >= most_bytes * 99,
            "{passed} of {bytes} bytes"
        );
    }
}

#[test]
fn a_message_larger_than_the_burst_is_refused_and_costs_nothing() {
    let allowance = Allowance { burst_bytes: 1_000, ..Allowance::DEVICE };
    let mut spent = Spent::default();
    assert!(!spent.pay(&allowance, 1_001, T0));
    assert!(spent.pay(&allowance, 1_000, T0));
    assert!(!spent.pay(&allowance, 1, T0));
}

#[test]
fn a_clock_that_goes_back_leaves_no_debt_beyond_the_burst() {
    let mut spent = Spent::default();
    assert!(spent.pay(&Allowance::DEVICE, REPORT, T0));
    let before = T0.plus_ms(-365 * 86_400_000);
    taken(&mut spent, &Allowance::DEVICE, 30_000, REPORT, before);
    let settled = before.plus_ms(i64::from(Allowance::DEVICE.burst_messages) * 1_000 + 86_400_000);
    assert!(spent.pay(&Allowance::DEVICE, REPORT, settled));
}

proptest! {
    /// However the messages come, no window passes more than the burst and the window's share of the rate.
    #[test]
    fn no_window_passes_more_than_burst_and_rate(
        gaps in prop::collection::vec((0_i64..5_000, 1_u64..3_000), 1..400),
        from in 0_usize..400,
    ) {
        let allowance = Allowance { messages_per_s: 2, burst_messages: 10, bytes_per_s: 1_000, burst_bytes: 5_000 };
        let (mut spent, mut now, mut passed) = (Spent::default(), T0, Vec::new());
        for (gap_ms, bytes) in gaps {
            now = now.plus_ms(gap_ms);
            if spent.pay(&allowance, bytes, now) {
                passed.push((now, bytes));
            }
        }
        let window = &passed[from.min(passed.len())..];
        if let (Some((first, _)), Some((last, _))) = (window.first(), window.last()) {
            let ms = last.since_ms(*first) as u64;
            prop_assert!(window.len() as u64 <= 10 + 2 * ms / 1_000 + 1);
            prop_assert!(window.iter().map(|(_, bytes)| bytes).sum::<u64>() <= 5_000 + ms + 3_000);
        }
    }
}
