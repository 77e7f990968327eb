use super::*;

fn set(texts: &[&str]) -> Result<Settings, Vec<String>> {
    let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
    apply(&Config::default(), &texts).map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

fn points(axes: &[&str]) -> Result<Vec<Point>, Vec<String>> {
    let axes: Vec<String> = axes.iter().map(ToString::to_string).collect();
    grid(&Config::default(), &axes).map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

#[test]
fn every_setting_can_be_set_by_its_name_with_and_without_its_unit() {
    let settings = serde_json::to_value(Settings::default()).unwrap();
    for (name, value) in settings.as_object().unwrap() {
        assert!(find(name).is_ok(), "{name} is not in the table of keys");
        let bare = UNITS.iter().find_map(|unit| name.strip_suffix(unit.0)).unwrap_or(name);
        assert!(find(bare).is_ok(), "{bare}");
        let said = match value {
            Value::Null => NONE.to_owned(),
            Value::Array(marks) => marks.iter().map(Value::to_string).collect::<Vec<_>>().join(","),
            other => other.to_string(),
        };
        assert_eq!(set(&[&format!("{name}={said}")]), Ok(Settings::default()), "{name}={said}");
    }
}

#[test]
fn lengths_of_time_are_read_in_any_unit_that_comes_out_whole() {
    let read = set(&["hold=1h15m", "delta=5ms", "grace=90s", "recover=300s", "clear=1h", "utc_offset=-5h"]).unwrap();
    assert_eq!((read.hold_min, read.delta_us, read.grace_ms), (75, 5_000, 90_000));
    assert_eq!((read.recover_min, read.clear_min, read.utc_offset_min), (5, 60, -300));
    let read = set(&["ratio=1.5", "false_positive_floor=0.02", "objective_p95=80ms", "expected_only=false"]).unwrap();
    assert_eq!((read.objective_p95_us, read.objective_p50_us), (Some(80_000), None));
    assert!((read.ratio - 1.5).abs() < f64::EPSILON && (read.false_positive_floor - 0.02).abs() < f64::EPSILON);
    assert_eq!(set(&["warn_group=15m,30m", "warn_device_min=[30]"]).unwrap().warn_group_min, [15, 30]);
    assert_eq!(set(&["detector.hold_min=45"]).unwrap().hold_min, 45);
}

#[test]
fn marks_after_a_shorter_hour_are_left_out_unless_they_were_asked_for() {
    let read = set(&["hold=45m"]).unwrap();
    assert_eq!((read.warn_group_min, read.warn_device_min), (vec![15, 30], vec![30]));
    let faults = set(&["hold=45m", "warn_group=15m,50m"]).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with("--set: detector.warn_group_min = [15,50]: every warning"), "{faults:?}");
}

#[test]
fn all_faults_are_told_at_once_with_key_value_rule_and_what_was_meant() {
    let faults = set(&[
        "hold=45",
        "hold=90s",
        "holt=45m",
        "ratio=0.9",
        "delta=soon",
        "grace",
        "hold_min=3",
        "hold=60m",
        "hold=60m",
        "expected_only=true",
        "colour=red",
    ])
    .unwrap_err();
    let expected = [
        "--set: hold = 45: must have a unit, such as 45m; did you mean hold=45m or hold_min=45?",
        "--set: hold = 90s: must be in whole minutes",
        "--set: holt = 45m: is not a setting of the detector; did you mean hold?",
        "--set: ratio = 0.9: must be a number above 1 and at most 100",
        "--set: delta = soon: must be a length of time, such as 5ms",
        "--set: grace: has no value: write KEY=VALUE, such as hold=45m",
        "--set: hold_min = 3: must be a whole number from 20 to 420",
        "--set: hold = 60m: is set twice",
        "--set: colour = red: is not a setting of the detector",
        "--set: detector.expected_only = true: needs devices.expected: without the list every device would be refused",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn rules_that_join_keys_hold_for_what_is_set_and_for_what_is_not() {
    let faults = set(&["hold=20m", "max_gap=20m"]).unwrap_err();
    assert!(faults.iter().any(|fault| fault.contains("detector.max_gap_min must be less")), "{faults:?}");
    assert!(set(&["hold=20m", "max_gap=5m"]).is_ok());
}

#[test]
fn a_grid_is_the_product_of_its_axes_the_first_moving_slowest() {
    let labels: Vec<String> =
        points(&["hold=45m,60m", "ratio=1.3,1.5,2.0"]).unwrap().iter().map(Point::label).collect();
    assert_eq!(
        labels,
        [
            "hold=45m ratio=1.3",
            "hold=45m ratio=1.5",
            "hold=45m ratio=2.0",
            "hold=60m ratio=1.3",
            "hold=60m ratio=1.5",
            "hold=60m ratio=2.0",
        ]
    );
    let marks = points(&["warn_group=15m,30m;45m"]).unwrap();
    assert_eq!(marks[0].settings.warn_group_min, [15, 30]);
    assert_eq!(marks[1].settings.warn_group_min, [45]);
    assert_eq!(points(&[]).unwrap().len(), 1, "nothing to vary is the reference alone");
}

#[test]
fn faults_of_a_grid_name_the_point_at_which_they_come_up() {
    let faults = points(&["hold=20m,60m", "max_gap=5m,20m"]).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with("--grid, at hold=20m max_gap=20m: detector.max_gap_min = 20"), "{faults:?}");
    for (axes, told) in [
        (&["hold=45m,45m"][..], "stands twice"),
        (&["hold=45m", "hold_min=60"], "has an axis already"),
        (&["holt=1m,2m,3m"], "did you mean hold?"),
        (&["hold="], "must be a length of time"),
        (&["hold"], "has no value"),
    ] {
        let faults = points(axes).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains(told), "{faults:?}");
    }
    let many: Vec<String> = (5..22).map(|minutes| format!("{minutes}m")).collect();
    let wide = format!("recover={}", many.join(","));
    let tall = format!("hold={}", (60..77).map(|minutes| format!("{minutes}m")).collect::<Vec<_>>().join(","));
    assert!(points(&[&wide, &tall]).unwrap_err()[0].contains("289 settings, and 256 are the most"));
}
